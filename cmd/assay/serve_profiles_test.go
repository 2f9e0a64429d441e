package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestServeProfiles: the operator's file decides for the profile of its name, for
// as long as the server runs; one that cannot be read keeps it from starting.
func TestServeProfiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cloud.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("inherits = \"cloud\"\n[limits]\nmanual_check_minutes = 77\n")
	a, f, err := settled(t, "", nil, "--profile", path)
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := a.serveProfiles(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, "cloud"} {
		if p, err := profiles.named(name); err != nil || p.Limits.ManualCheckMinutes != 77 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if p, err := profiles.named("baseline"); err != nil || p.Name != "baseline" || profiles.offered != nil {
		t.Errorf("%+v, %v, %v", p, err, profiles.offered)
	}
	for name, args := range map[string][]string{
		"the default": {"--profile", path}, "one more": {"--profiles", "baseline," + path},
	} {
		for state, spoil := range map[string]func(){
			"gone": func() { _ = os.Remove(path) }, "no TOML": func() { write("[limits\n") }, "no profile": func() { write("nosuch = 1\n") },
		} {
			spoil()
			a, f, err := settled(t, "", nil, args...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.serveProfiles(f)
			if wrong, ok := err.(*failure); !ok || !strings.Contains(wrong.what, path) { //nolint:errorlint // what the command line gives
				t.Errorf("%s is %s: %v", name, state, err)
			}
		}
	}
}

// TestServeProfilesOffered: what applicants may name are the profile of the server
// and those that the setting lists.
func TestServeProfilesOffered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"strict.toml", "other/strict.toml"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("inherits = \"cloud\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	strict, again := filepath.Join(dir, "strict.toml"), filepath.Join(dir, "other", "strict.toml")
	a, f, err := settled(t, "", nil, "--profile", strict, "--profiles", "cloud,baseline,"+strict)
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := a.serveProfiles(f)
	if err != nil || !slices.Equal(profiles.offered, []string{"strict", "cloud", "baseline"}) {
		t.Errorf("%v", err)
	}
	if _, f, err = settled(t, "", nil, "--profile", strict, "--profiles", again); err != nil {
		t.Fatal(err)
	}
	if _, err = a.serveProfiles(f); err == nil || !strings.Contains(err.Error(), again) {
		t.Errorf("two profiles of one name: %v", err)
	}
}
