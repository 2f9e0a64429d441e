package swap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	noon      = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	errKilled = errors.New("killed")
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// full is a directory with an old database and key.
func full(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	for _, name := range []string{"assay.db", "assay.db-wal", "assay.db-shm", "assay.key", "configuration/assay.toml", "other"} {
		put(t, filepath.Join(dir, name), "old")
	}
	return dir
}

func stage(t *testing.T, dir string) *Stage {
	t.Helper()
	s, err := Begin(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"assay.db", "assay.key", "configuration/assay.toml"} {
		put(t, s.Path(name), "new")
	}
	put(t, s.Scratch("scratch"), "x")
	return s
}

func want(t *testing.T, path, text string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if text == "" && errors.Is(err, os.ErrNotExist) {
		return
	}
	if string(raw) != text {
		t.Errorf("%s has %q, %v; want %q", path, raw, err, text)
	}
}

func replaced(t *testing.T, dir, kept string) {
	t.Helper()
	for _, name := range []string{"assay.db", "assay.key", "configuration/assay.toml"} {
		want(t, filepath.Join(dir, name), "new")
		want(t, filepath.Join(kept, name), "old")
	}
	for _, name := range []string{"assay.db-wal", "assay.db-shm"} {
		want(t, filepath.Join(dir, name), "")
		want(t, filepath.Join(kept, name), "old")
	}
	want(t, filepath.Join(dir, "other"), "old")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished) || e.Name() == decided {
			t.Errorf("%s is left", e.Name())
		}
	}
}

func TestCommit(t *testing.T) {
	t.Parallel()
	dir := full(t)
	kept, err := stage(t, dir).Commit(noon)
	if err != nil {
		t.Fatal(err)
	}
	replaced(t, dir, kept)
	empty := filepath.Join(t.TempDir(), "a", "b")
	if kept, err := stage(t, empty).Commit(noon); err != nil || kept != "" {
		t.Errorf("%q, %v", kept, err)
	}
	want(t, filepath.Join(empty, "assay.db"), "new")
	if kept, err := Finish(empty, noon); err != nil || kept != "" {
		t.Errorf("nothing to finish: %q, %v", kept, err)
	}
}

// TestKilledBefore: what was not decided changes nothing and is cleared away.
func TestKilledBefore(t *testing.T) {
	t.Parallel()
	dir := full(t)
	stage(t, dir) // and killed here
	if kept, err := Finish(dir, noon); err != nil || kept != "" {
		t.Errorf("%q, %v", kept, err)
	}
	want(t, filepath.Join(dir, "assay.db"), "old")
	s := stage(t, dir)
	if left, err := filepath.Glob(filepath.Join(dir, unfinished+"*")); err != nil || len(left) != 1 {
		t.Errorf("%q, %v", left, err)
	}
	if err := s.Abandon(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, unfinished+"*")); err != nil || len(left) != 0 {
		t.Errorf("%q, %v", left, err)
	}
}

// TestKilledAt: after the decision the process dies before each rename in turn,
// and again before each of those that are left; finishing leads to the new files.
func TestKilledAt(t *testing.T) {
	t.Parallel()
	const renames = 8 // wal, shm, db, key, configuration, and the last one are among them
	for first := range renames + 1 {
		for second := range renames + 1 {
			dir := full(t)
			s := stage(t, dir)
			if err := s.durable(); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(s.temporary, filepath.Join(dir, decided)); err != nil {
				t.Fatal(err)
			}
			for _, after := range []int{first, second} {
				left := after
				_, err := finish(dir, noon, func(from, to string) error {
					if left == 0 {
						return errKilled
					}
					left--
					return os.Rename(from, to)
				})
				if err != nil && !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
			}
			if _, err := Finish(dir, noon); err != nil {
				t.Fatalf("killed after %d and %d: %v", first, second, err)
			}
			all, err := filepath.Glob(filepath.Join(dir, "replaced-*"))
			if err != nil || len(all) != 1 {
				t.Fatalf("killed after %d and %d: %q, %v", first, second, all, err)
			}
			replaced(t, dir, all[0])
		}
	}
}
