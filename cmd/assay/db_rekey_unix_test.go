//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"assay/lab"
)

// TestRekeyByRoot: a master key that root makes belongs to whom the one before belongs
// to: the service can read it.
func TestRekeyByRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	s.stop(t)
	const owner = 12345
	key := filepath.Join(s.data(), keyName)
	if err := os.Chown(key, owner, owner); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"shadow": 0o600, "open": 0o644} {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, []byte("root:*:1::::::"), mode); err != nil {
			t.Fatal(err)
		}
		s.db(t, exitUsage, nil, "rekey", "--data", s.data(), "--new-key-file", path)
		if owned(t, path) == owner {
			t.Errorf("%s is no key, and was given away", name)
		}
	}
	s.db(t, exitUsage, nil, "rekey", "--data", s.data(), "--new-key-file", s.dir)
	if owned(t, s.dir) == owner {
		t.Error("a directory was given away")
	}
	s.db(t, 0, &rekeyResult{}, "rekey", "--data", s.data(), "--new-key-file", key+".new")
	info, err := os.Stat(key + ".new")
	if err != nil {
		t.Fatal(err)
	}
	if is := owned(t, key+".new"); is != owner || info.Mode().Perm() != 0o600 {
		t.Errorf("of %d, mode %o", is, info.Mode().Perm())
	}
}

// owned is whom a file belongs to.
func owned(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	is, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("%T", info.Sys())
	}
	return is.Uid
}
