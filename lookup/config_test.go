package lookup_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/evidence"
	"assay/lookup"
)

func TestReadConfig(t *testing.T) {
	t.Parallel()
	path := write(t, "lists.toml", "[keys]\ncompromised = [\"a.txt\"]\n[names]\nblocked = [\"/abs/b.txt\"]\n")
	c, err := lookup.ReadConfig(path)
	if err != nil || c.CompromisedKeys[0] != filepath.Join(filepath.Dir(path), "a.txt") || c.BlockedNames[0] != "/abs/b.txt" {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"[keys]\ncompromized = []\n":    "lists.toml: line 2, column 1: unknown field keys.compromized: the fields are keys.compromised, ",
		"[keys\n":                       "lists.toml: line 1, column 6: expected ']'",
		"[keys]\ncompromised = \"x\"\n": `lists.toml: line 2, column 15: keys.compromised must be a list of paths in quotes: ["FILE", …]`,
		"[keys]\ncompromised = [3]\n":   `lists.toml: line 2, column 16: keys.compromised must be a list of paths in quotes: ["FILE", …]`,
		"keys = 3\n":                    "lists.toml: line 1, column 8: must be a table of lists: the fields are ",
		strings.Repeat("#\n", 1<<19):    "",
		strings.Repeat("#\n", 1<<20):    "lists.toml: larger than 1024 KiB",
	} {
		_, err := lookup.ReadConfig(write(t, "lists.toml", text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40q: %v\nwant %s", text, err, want)
		}
	}
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "nosuch.toml"): "nosuch.toml: no such file or directory: want a TOML file that names the lists",
		t.TempDir(): ": is a directory: want a TOML file that names the lists",
	} {
		if _, err := lookup.ReadConfig(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestListErrors: a list that cannot be used is named with the line and what is
// wanted there.
func TestListErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"unclosed quotation mark", "name,country\n\"Orchard,GB\n", "list.csv: line 2, column "},
		{"quotation mark inside", "name\nOr\"chard\n", "list.csv: line 2, column 3: a quotation mark is not closed"},
		{"another number of fields", "name,country\nOrchard,GB,x\n", "list.csv: line 2: want as many fields as the first line names columns"},
		{"unknown column", "nam\n", `list.csv: line 1: unknown column "nam": the columns are name, country, reason, date`},
		{"no name", "country\nGB\n", `list.csv: line 1: no column "name": the columns are`},
		{"nothing", "", "list.csv: is empty: the first line must name the columns"},
		{"country in words", "name,country\nOrchard,Kent\n", `list.csv: line 2: the country "KENT" must be a code of two letters`},
	} {
		if got := inputError(t, lookup.Config{DeniedParties: []string{write(t, "list.csv", c.text)}}, "parties.denied"); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
	long := write(t, "list.txt", "# a list\n"+strings.Repeat("a", 70_000))
	if got := inputError(t, lookup.Config{BlockedNames: []string{long}}, "names.blocked"); got != "list.txt: line 2: longer than 64 KiB: want one entry a line" {
		t.Error(got)
	}
	if got := inputError(t, lookup.Config{BlockedNames: []string{t.TempDir()}}, "names.blocked"); !strings.HasSuffix(got, ": is not a regular file: name the list itself") {
		t.Error(got)
	}
}

// inputError is what is wrong with an input of a configuration.
func inputError(t *testing.T, c lookup.Config, name string) string {
	t.Helper()
	s, err := lookup.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, in := range s.Answer(evidence.LookupQuestion{Topic: evidence.TopicInputs}, time.Time{}).Lookup.Inputs {
		if in.Name == name {
			return in.Error
		}
	}
	t.Fatalf("no input %s", name)
	return ""
}
