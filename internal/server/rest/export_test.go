package rest

import (
	"context"
	"io"
	"net/http"
	"testing"

	"assay/internal/service"
)

// endless has an audit chain that does not end until its reader does.
type endless struct {
	Service
	ended chan error
}

func (e *endless) AuditExport(_ context.Context, _ service.Principal, w io.Writer) error {
	line := make([]byte, 64<<10)
	for {
		if _, err := w.Write(line); err != nil {
			e.ended <- err
			return err
		}
	}
}

// TestExportStreams: an export is passed on as it is read, however long it is,
// and ends when its reader goes away: nothing keeps it whole.
func TestExportStreams(t *testing.T) {
	t.Parallel()
	e := &endless{ended: make(chan error, 1)}
	w := newWorld(t, Config{}, func(s *service.Service) Service {
		e.Service = s
		return e
	})
	ctx, leave := context.WithTimeout(t.Context(), patience)
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.http.URL+"/api/v1/audit/export", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.root)
	answer, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if n, err := io.CopyN(io.Discard, answer.Body, 8<<20); err != nil || answer.Header.Get("Content-Type") != "application/jsonl" {
		t.Fatalf("%d bytes, %v", n, err)
	}
	leave()
	if err := <-e.ended; err == nil {
		t.Error("the export ended well")
	}
}
