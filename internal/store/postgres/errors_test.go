package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"assay/internal/store"
)

// TestTranslate: what a server says about itself is an error that callers know,
// and no more than that: a full disk is full, and nothing of the unit was kept.
func TestTranslate(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{
		"53100": store.ErrFull,        // disk_full
		"53200": store.ErrUnavailable, // out_of_memory
		"53300": store.ErrUnavailable, // too_many_connections
		"57P01": store.ErrUnavailable, // admin_shutdown
		"57P03": store.ErrUnavailable, // cannot_connect_now
		"58030": store.ErrUnavailable, // io_error
		"25006": store.ErrUnavailable, // read_only_sql_transaction
		"23505": store.ErrConflict,    // unique_violation
		"42601": nil,                  // syntax_error: a defect of ours
	} {
		err := fmt.Errorf("writing: %w", &pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: code, Message: "as it says"})
		got := translate(err)
		if want == nil && got != nil || want != nil && (!errors.Is(got, want) || !errors.Is(got, err)) {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
		for _, other := range []error{store.ErrFull, store.ErrUnavailable, store.ErrConflict} {
			if !errors.Is(want, other) && errors.Is(got, other) {
				t.Errorf("%s: %v is %v too", code, got, other)
			}
		}
		if unsure(err) || retry(err) {
			t.Errorf("%s: an answer is an answer", code)
		}
	}
}
