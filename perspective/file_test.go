package perspective

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/evidence"
	"assay/perspective/wire"
)

func entry(id string, seed byte) Entry {
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+seed)), 32)))
	return Entry{
		ID: id, Address: "192.0.2.7:8443", Key: wire.FormatKey(key.Public().(ed25519.PublicKey)), Region: "RIPE",
		Location: &evidence.Location{Lat: 52.37, Lon: 4.9}, Joined: time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC),
	}
}

// TestFile: entries come and go, and what an operator wrote stays.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "perspectives.toml")
	for i, id := range []string{"P1", "P2", "P3"} {
		if err := add(path, entry(id, byte(i)), false); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "[[perspective]]\nid = 'P3'", "# Ours in Tallinn,\n# since 2026.\n[[ perspective ]] # three\nid = 'P3'", 1)
	if text == string(raw) {
		t.Fatalf("the file is written otherwise:\n%s", raw)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if gone, err := Remove(path, "P2"); err != nil || !sameEntry(gone, entry("P2", 1)) {
		t.Fatal(gone, err)
	}
	moved := entry("P1", 0)
	moved.Address, moved.Location = "[2001:db8::7]:8443", nil
	if err := add(path, moved, false); err != nil {
		t.Fatal(err)
	}
	f, after, err := readFile(path)
	if err != nil || len(f.Perspectives) != 2 || !sameEntry(f.Perspectives[0], entry("P3", 2)) || !sameEntry(f.Perspectives[1], moved) {
		t.Errorf("%+v %v", f, err)
	}
	for _, want := range []string{"# The remote perspectives of this Assay", "# Ours in Tallinn,\n# since 2026.\n[[ perspective ]] # three"} {
		if !strings.Contains(string(after), want) {
			t.Errorf("%q was lost:\n%s", want, after)
		}
	}
	if err := add(path, entry("P3", 7), false); !errors.Is(err, ErrEntry) {
		t.Errorf("another key under an id: %v", err)
	}
	if _, err := Remove(path, "P9"); !errors.Is(err, ErrEntry) {
		t.Errorf("removed what is not there: %v", err)
	}
	for _, id := range []string{"P1", "P3"} {
		if _, err := Remove(path, id); err != nil {
			t.Error(err)
		}
	}
	if f, err := ReadFile(path); err != nil || len(f.Perspectives) != 0 || f.Key != defaultKey {
		t.Errorf("%+v %v", f, err)
	}
	if left, _ := filepath.Glob(path + ".new*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestFileByHand: a form that cannot be edited line by line is left alone.
func TestFileByHand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "perspectives.toml")
	e := entry("P1", 0)
	text := "perspective = [{id = 'P1', address = '192.0.2.7:1', key = '" + e.Key + "'}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Remove(path, "P1"); err == nil {
		t.Error("removed")
	}
	if err := add(path, entry("P2", 1), false); err == nil {
		t.Error("added")
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != text {
		t.Errorf("%q %v", raw, err)
	}
}

func TestParseFile(t *testing.T) {
	t.Parallel()
	one := "[[perspective]]\nid = 'P1'\naddress = '192.0.2.7:8443'\nkey = '" + entry("P1", 0).Key + "'\n"
	if _, err := ParseFile([]byte(one)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, err string }{
		"an unknown setting":    {"kye = 'x'\n", `line 1, column 1: there is no setting "kye"`},
		"an unknown field":      {one + "adress = 'x'\n", `line 5, column 1: there is no setting "perspective.adress"`},
		"the primary's id":      {strings.Replace(one, "P1", "P0", 1), "is no id"},
		"no id":                 {strings.Replace(one, "'P1'", "''", 1), "is no id"},
		"an id that is long":    {strings.Replace(one, "P1", "P1000", 1), "is no id"},
		"no port":               {strings.Replace(one, ":8443", "", 1), "no address with a port"},
		"no key":                {strings.Replace(one, "ed25519", "rsa", 1), "no public key"},
		"an id twice":           {one + one, "there already"},
		"a region that is none": {one + "region = 'EU'\n", "no region"},
		"nowhere":               {one + "location = {lat = 91.0, lon = 0.0}\n", "no place on the earth"},
		"not a number":          {one + "location = {lat = nan, lon = 0.0}\n", "no place on the earth"},
		"a number for a text":   {"key = 1\n", "line 1, column 7"},
		"too large":             {strings.Repeat("#", MaxFileBytes+1), "larger than"},
	} {
		if _, err := ParseFile([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
}

// FuzzFile: what is read can be changed, and the change is what was meant.
func FuzzFile(f *testing.F) {
	f.Add("[[perspective]]\nid = 'P1'\naddress = '192.0.2.7:8443'\nkey = '" + entry("P1", 0).Key + "'\n# end")
	f.Add("key = \"x\"\n[[perspective]] # \"\"\"\nid=\"\"\"P1\"\"\"\naddress='a:1'\nkey='" + entry("P1", 1).Key + "'\nlocation={lat=1,lon=2}\n[[perspective]]\nid='P2'\naddress='b:2'\nkey='" + entry("P1", 2).Key + "'")
	path := filepath.Join(f.TempDir(), "perspectives.toml")
	f.Fuzz(func(t *testing.T, text string) {
		before, err := ParseFile([]byte(text))
		if err != nil {
			return
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// An error is right for some forms, if nothing is lost by it.
		added := entry("P999", 9)
		wantAfter := len(before.Perspectives)
		if add(path, added, false) == nil {
			wantAfter++
		}
		f, err := ReadFile(path)
		if err != nil || len(f.Perspectives) != wantAfter {
			t.Fatalf("%v after adding to %q", err, text)
		}
		for _, e := range before.Perspectives {
			if _, err := Remove(path, e.ID); err == nil {
				wantAfter--
			}
		}
		if f, err = ReadFile(path); err != nil || len(f.Perspectives) != wantAfter {
			t.Fatalf("%v after removing from %q", err, text)
		}
	})
}
