package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCurrent: the files in the repository are the ones this program makes.
func TestCurrent(t *testing.T) {
	t.Parallel()
	for name, want := range Files() {
		got, err := os.ReadFile(filepath.Join("../../../review/testdata/csr", name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s: run: go run ./internal/gen/csrs review/testdata/csr", name)
		}
	}
}
