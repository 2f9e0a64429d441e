// Package schema holds the JSON Schemas (draft 2020-12) of Assay's contracts:
// the order file, the report, an observation and the profile file. They are
// generated from the Go types by internal/gen/schema.
package schema

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:generate sh -c "cd ../internal/gen/schema && go run . ../../../schema"

//go:embed *.schema.json
var files embed.FS

// Names lists the schemas: "observation", "order", "profile", "report".
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("schema: embedded files: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".schema.json"))
	}
	slices.Sort(names)
	return names
}

// Get returns a schema by name.
func Get(name string) ([]byte, error) {
	raw, err := files.ReadFile(name + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("no schema %q: there are %s", name, strings.Join(Names(), ", "))
	}
	return raw, nil
}
