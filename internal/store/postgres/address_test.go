package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"assay/internal/store/postgres"
)

// TestShown: of an address no part of its password is shown, whatever that holds
// and wherever it stands; and an address that cannot be read is not shown at all.
func TestShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, want string }{
		{"postgres://assay@db/assay", "postgres://assay@db:5432/assay"},
		{"postgresql://assay:S3CRET@db:6432/assay", "postgres://assay@db:6432/assay"},
		{"postgres://assay@db/assay?password=S3CRET", "postgres://assay@db:5432/assay"},
		{"postgres://db/assay?user=assay&password=S3@CRET&sslmode=disable", "postgres://assay@db:5432/assay"},
		{"postgres://assay@db/assay?pass%77ord=S3CRET", "postgres://assay@db:5432/assay"},
		{"postgres://assay:S3#CRET@db/assay", "postgres://assay@db:5432/assay"},
		{"postgres://assay:S3?CRET@db/assay", "postgres://assay@db:5432/assay"},
		{"postgres://assay:S3 CRET@db/assay", "postgres://…"},
		{"postgres://assay:S3%2FCRET@db/assay", "postgres://assay@db:5432/assay"},
		{"postgres://assay:S3CRET@one:1,two:2/assay", "postgres://assay@one:1,two:2/assay"},
		{"postgres://assay:S3CRET@[2001:db8::1]/assay", "postgres://assay@[2001:db8::1]:5432/assay"},
		{"postgres://assay:S3CRET@/assay?host=/run/postgresql", "postgres://assay@/assay?host=/run/postgresql"},
		{"postgres://assay:S3%ZZCRET@db/assay", "postgres://…"},
		{"postgres://assay:S3/CRET@db/assay", "postgres://…"},
		{"postgres://assay:12345/CRET@db/assay", "postgres://…"},
		{"postgres://assay:12345/x?CRET@db/assay", "postgres://…"},
		{"postgres://assay:S3@CRET@db/assay", "postgres://…"},
		{"postgres://assay:S3CRET@db:port/assay", "postgres://…"},
		{"postgres://assay:S3CRET@db:99999/assay", "postgres://…"},
		{"postgres://assay:S3CRET", "postgres://…"},
		{"postgres://assay:S3CRET@db/assay?sslmode=maybe", "postgres://…"},
		{"postgres://db/assay?password=S3CRET&connect_timeout=soon", "postgres://…"},
	} {
		if got := postgres.Shown(c.address); got != c.want {
			t.Errorf("%s is shown as %s, want %s", c.address, got, c.want)
		}
		err := postgres.Check(c.address)
		if (err != nil) != (c.want == "postgres://…") {
			t.Errorf("%s: %v", c.address, err)
		}
		if _, e := postgres.Look(c.address); err != nil && e == nil {
			t.Errorf("%s was opened", c.address)
		}
		var address *postgres.AddressError
		if err != nil && (!errors.As(err, &address) || strings.Contains(err.Error(), "S3") || strings.Contains(err.Error(), "CRET") || strings.Contains(err.Error(), "12345")) {
			t.Errorf("%s: %v", c.address, err)
		}
	}
	if err := postgres.Check("postgres://assay:S3CRET@db/assay?sslmode=maybe"); err == nil || !strings.Contains(err.Error(), "sslmode is invalid") {
		t.Errorf("the reason is lost: %v", err)
	}
}
