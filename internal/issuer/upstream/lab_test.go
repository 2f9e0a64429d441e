package upstream_test

import (
	"testing"

	"assay/internal/issuer/upstream"
	"assay/lab/trial"
)

func TestReviewFirst(t *testing.T) { upstream.ReviewFirst(t, trial.Review) }
