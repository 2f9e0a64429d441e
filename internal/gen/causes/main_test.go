package main

import (
	"os"
	"path/filepath"
	"testing"

	"assay/cause"
)

// TestCurrent: the documents in docs/ are what the catalogue says now.
func TestCurrent(t *testing.T) {
	for _, lang := range cause.Languages() {
		have, err := os.ReadFile(filepath.Join("../../../docs", fileName(lang)))
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != document(lang) {
			t.Errorf("docs/%s is out of date: run go generate ./...", fileName(lang))
		}
	}
}
