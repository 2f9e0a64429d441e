// Package migrations holds the tables of the store, a file a version.
package migrations

import "embed"

// Files are the migrations, in goose's form.
//
//go:embed *.sql
var Files embed.FS
