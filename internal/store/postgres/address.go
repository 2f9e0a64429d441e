package postgres

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Is reports whether the address of a database is one of PostgreSQL's.
func Is(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// An AddressError is an address that cannot be read. It shows nothing of the
// address: where that cannot be read, nobody knows which part is the password.
type AddressError struct {
	// Why is what the driver says about a setting, "" where the parts are not clear.
	Why string
}

func (e *AddressError) Error() string {
	text := "the address of the PostgreSQL database cannot be read"
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

// Check returns an [AddressError] where an address cannot be read.
func Check(address string) error {
	_, err := parse(address)
	return err
}

// Shown is an address as it may be shown: without a password and other settings.
func Shown(address string) string {
	config, err := parse(address)
	if err != nil {
		return "postgres://…"
	}
	u := url.URL{Scheme: "postgres", User: url.User(config.User), Path: "/" + config.Database}
	if strings.HasPrefix(config.Host, "/") || strings.HasPrefix(config.Host, "@") {
		u.RawQuery = "host=" + config.Host // a socket
		return u.String()
	}
	hosts := []string{place(config.Host, config.Port)}
	for _, f := range config.Fallbacks { // other servers, and the same without TLS
		if p := place(f.Host, f.Port); !slices.Contains(hosts, p) {
			hosts = append(hosts, p)
		}
	}
	u.Host = strings.Join(hosts, ",")
	return u.String()
}

func place(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

func parse(address string) (*pgx.ConnConfig, error) {
	if !certain(address) {
		return nil, &AddressError{}
	}
	config, err := pgx.ParseConfig(address)
	var parsing *pgconn.ParseConfigError
	switch {
	case errors.As(err, &parsing):
		// Before the last such mark stands the address, with what the driver takes for
		// its password made unreadable.
		text := err.Error()
		why := text[strings.LastIndex(text, "`: ")+len("`: "):]
		if strings.HasPrefix(why, "failed to parse as URL") {
			why = "" // quotes what it did not understand
		}
		return nil, &AddressError{Why: why}
	case err != nil:
		return nil, &AddressError{}
	}
	return config, nil
}

// certain reports whether it is certain where the parts of an address begin. The
// driver ends user and password at the first "@" or "/", as libpq does: behind a
// password that has one of them unencoded, the rest of it would pass for a host, a
// port or the name of a database, which messages show.
func certain(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		rest = rest[i+1:]
	}
	path, query, _ := strings.Cut(rest, "?")
	if strings.Contains(path, "@") || strings.Contains(path, "#") {
		return false
	}
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if strings.Contains(pair, "@") && !slices.Contains([]string{"user", "password", "sslpassword"}, key) {
			return false
		}
	}
	return true
}
