// Command csrs makes the requests of review/testdata/csr that no ordinary tool
// makes: with weak keys, wrong encodings and wrong signatures. The script
// openssl beside it makes the others.
//
// Every file follows from its name alone: the primes are drawn from a generator
// seeded with it and the signatures are deterministic, so that a test can hold
// the files to this program.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: csrs DIRECTORY")
		os.Exit(64)
	}
	files := Files()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), files[name], 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "csrs:", err)
			os.Exit(1)
		}
	}
}
