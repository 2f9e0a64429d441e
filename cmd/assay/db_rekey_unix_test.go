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
	s.db(t, 0, &rekeyResult{}, "rekey", "--data", s.data(), "--new-key-file", key+".new")
	info, err := os.Stat(key + ".new")
	if err != nil {
		t.Fatal(err)
	}
	if is, ok := info.Sys().(*syscall.Stat_t); !ok || is.Uid != owner || info.Mode().Perm() != 0o600 {
		t.Errorf("%+v", info.Sys())
	}
}
