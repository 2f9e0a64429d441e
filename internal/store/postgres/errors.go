package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"assay/internal/store"
)

// codes are SQLSTATEs and classes of them that callers act on
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
var codes = []struct {
	prefix string
	err    error
}{
	{"23505", store.ErrConflict},    // unique_violation
	{"53100", store.ErrFull},        // disk_full
	{"53", store.ErrUnavailable},    // insufficient_resources
	{"08", store.ErrUnavailable},    // connection_exception
	{"57P", store.ErrUnavailable},   // operator_intervention: shut down, starting up
	{"58", store.ErrUnavailable},    // system_error
	{"25006", store.ErrUnavailable}, // read_only_sql_transaction: a stand-by
	{"XX", store.ErrUnavailable},    // internal_error, data_corrupted
	{"40", store.ErrUnavailable},    // transaction_rollback, where it does not end
	{"55P03", store.ErrUnavailable}, // lock_not_available, likewise
}

func translate(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if broken(err) {
			return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		return nil
	}
	if pg.Code == "23514" && strings.HasPrefix(pg.Message, store.ErrStep.Error()) {
		return fmt.Errorf("%w: %w", store.ErrStep, err)
	}
	for _, c := range codes {
		if strings.HasPrefix(pg.Code, c.prefix) {
			return fmt.Errorf("%w: %w", c.err, err)
		}
	}
	return nil
}

func translated(err error) error {
	if t := translate(err); t != nil {
		return t
	}
	return err
}

// broken reports an error of the connection.
func broken(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, errRolledBack) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "database is closed")
}

// retry: serialization_failure, deadlock_detected, lock_not_available.
func retry(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "55P03")
}

// unsure: an answer of the server is an answer, unless it is that it goes away.
func unsure(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.SeverityUnlocalized != "ERROR"
	}
	return !pgconn.SafeToRetry(err) && !errors.Is(err, sql.ErrConnDone) && !errors.Is(err, errRolledBack)
}
