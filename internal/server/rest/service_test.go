package rest

import "assay/internal/service"

var _ Service = (*service.Service)(nil)
