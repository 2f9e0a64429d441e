package data

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestUpdate: what can be fetched is imported, both address registries as one;
// what fails is named and leaves its old file.
func TestUpdate(t *testing.T) {
	t.Parallel()
	v4, v6, _ := strings.Cut(embeddedPart(AddressBlocks).body, "\nAddress Block,")
	site := map[string]string{
		PublicSuffixesURL: embeddedPart(PublicSuffixes).body,
		RootZoneURL:       "# Version 2026112301, Last Updated Mon Nov 23 07:07:01 2026 UTC\n" + strings.ToUpper(embeddedPart(RootZone).body) + "NEWTLD\n",
		IPv4BlocksURL:     v4,
		IPv6BlocksURL:     "Address Block," + v6,
		RootHintsURL:      strings.ReplaceAll(embeddedPart(RootHints).body, " NS ", " IN NS "),
		RootAnchorsURL:    strings.Replace(rootXML, "KEY", Embedded().Anchors()[0].Key, 1),
	}
	var asked []string
	fetch := func(_ context.Context, url string) (io.ReadCloser, error) {
		asked = append(asked, url)
		if text, ok := site[url]; ok {
			return io.NopCloser(strings.NewReader(text)), nil
		}
		return nil, errors.New("404 Not Found")
	}
	dir := t.TempDir()
	updated, err := Update(t.Context(), fetch, dir, nil, importTime)
	if err == nil || !strings.Contains(err.Error(), "update confusables: "+ConfusablesURL+": 404") {
		t.Errorf("error %v", err)
	}
	var names []string
	for _, u := range updated {
		names = append(names, u.Name)
		if !strings.HasPrefix(u.Source, "https://") || !u.Imported {
			t.Errorf("%+v", u)
		}
	}
	if !slices.Equal(names, []string{AddressBlocks, PublicSuffixes, RootAnchors, RootHints, RootZone}) || len(asked) != 7 {
		t.Errorf("updated %v, asked %v", names, asked)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := s.Snapshot(RootZone)
	if !s.IsTLD("newtld") || root.Date.Format("2006-01-02") != "2026-11-23" {
		t.Errorf("%+v", root)
	}
	if a := s.Anchors(); len(a) != 1 || a[0].KeyTag != 20326 {
		t.Errorf("anchors %v", a)
	}
	if c, _ := s.Snapshot(Confusables); c.Imported {
		t.Errorf("%+v", c)
	}

	site[RootZoneURL] = "<html>maintenance</html>"
	if _, err := Update(t.Context(), fetch, dir, []string{RootZone}, importTime); err == nil {
		t.Error("a web page is no root zone")
	}
	if s, _ := Open(dir); !s.IsTLD("newtld") {
		t.Error("the failed update removed the old file")
	}
	if _, err := Update(t.Context(), fetch, dir, []string{Words}, importTime); err == nil || !strings.Contains(err.Error(), "has no public source") {
		t.Error(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 5 {
		t.Errorf("left behind: %v", files)
	}
}
