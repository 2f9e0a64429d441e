package profile

import (
	"testing"

	"assay/cause"
)

// TestLevelsCoverCatalogue: every embedded profile gives every cause a level.
func TestLevelsCoverCatalogue(t *testing.T) {
	for _, name := range Embedded() {
		p, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range cause.All() {
			if _, ok := p.cells[e.ID]; !ok {
				t.Errorf("%s: no level for %s", name, e.ID)
			}
		}
	}
}
