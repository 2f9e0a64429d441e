package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCurrent: the documents in docs/ show the reports as they are now.
func TestCurrent(t *testing.T) {
	t.Parallel()
	documents, err := documents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range documents {
		have, err := os.ReadFile(filepath.Join("../../../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != want {
			t.Errorf("docs/%s is out of date: run go generate ./internal/gen/reports", name)
		}
	}
}
