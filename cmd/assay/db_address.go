package main

import (
	"errors"
	"regexp"
	"strings"

	"assay/internal/store/postgres"
)

// keywords are settings as libpq takes them, "host=db password=…".
var keywords = regexp.MustCompile(`(?i)(^|\s)(host|hostaddr|port|dbname|database|user|password|passfile|service|sslmode)\s*=`)

// databaseFits refuses what is neither an address that can be read nor a path:
// taken for a path it would be shown, with the password that it may hold.
func (a *app) databaseFits(flag, database string) error {
	why := ""
	switch {
	case postgres.Is(database):
		err := postgres.Check(database)
		if err == nil {
			return nil
		}
		var address *postgres.AddressError
		if errors.As(err, &address) {
			why = address.Why
		}
	case !unfit(database):
		return nil
	}
	next := "assay db migrate --status --database postgres://USER@HOST/DATABASE"
	if flag == "--to" {
		next = "assay db copy --to postgres://USER@HOST/DATABASE"
	}
	return a.usage(next, "db.address", "Flag", flag, "Why", why)
}

// unfit reports whether a text is no path of a database, but something like an
// address.
func unfit(database string) bool {
	return strings.Contains(strings.TrimPrefix(database, "sqlite:"), "://") || keywords.MatchString(database)
}

// withoutPassword is a database's address as it may be shown.
func withoutPassword(database string) string {
	switch {
	case postgres.Is(database):
		return postgres.Shown(database)
	case unfit(database):
		return "…"
	}
	return database
}
