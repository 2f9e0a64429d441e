package main

import (
	"os"
	"testing"
)

// TestCurrent: the plans are what the library's metadata says now.
func TestCurrent(t *testing.T) {
	have, err := os.ReadFile("../../numbering/plans.txt")
	if err != nil {
		t.Fatal(err)
	}
	want, err := document()
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("internal/numbering/plans.txt is out of date: run go generate ./...")
	}
}
