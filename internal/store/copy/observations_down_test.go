package copy_test

import (
	"encoding/json"
	"errors"
	"testing"

	"assay/evidence"
	"assay/internal/store"
	"assay/internal/store/migrations"
	"assay/internal/store/sqlstore"
)

// beforeBundles is the version of the tables whose programs read one observation a row.
const beforeBundles = 6

// TestObservationsDown: with what a review saw kept together, which no program of a
// version before reads, there is no way down to that; with rows that such a program wrote
// there is.
func TestObservationsDown(t *testing.T) {
	t.Parallel()
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	seen := evidence.Observation{Unknown: "x", At: noon}.Identify()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newStair(t, engine)
			s.write(noticesOfOrders) // of the order o1
			writes := func(id string) {
				t.Helper()
				s.write(func(tx store.Tx) error {
					packed, err := store.PackReview(
						&store.Review{ReviewRow: store.ReviewRow{ID: id, Order: "o1", Number: len(id), First: noon}, Report: json.RawMessage(`{}`), Seen: []string{seen.ID}},
						[]evidence.Observation{seen}, nil)
					return errors.Join(err, tx.InsertReview(packed))
				})
			}
			writes(seen.ID) // its row of observations has the id of the one in it, as such a program writes it
			if _, to, err := s.migrate(beforeBundles); err != nil || to != beforeBundles {
				t.Fatalf("down to %d, %v", to, err)
			}
			if _, to, err := s.migrate(0); err != nil || to != newest {
				t.Fatalf("up to %d, %v", to, err)
			}
			writes("r")
			if _, to, err := s.migrate(beforeBundles); !errors.Is(err, sqlstore.ErrLoses) || to != newest {
				t.Errorf("down to %d, %v", to, err)
			}
			if _, to, err := s.migrate(beforeBundles + 1); err != nil || to != beforeBundles+1 {
				t.Errorf("down to where such rows are written: %d, %v", to, err)
			}
		})
	}
}
