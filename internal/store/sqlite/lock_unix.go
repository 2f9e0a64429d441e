//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Claim makes this process the only one that writes to a database file. The
// lock ends with the process, whatever ends that, or with release. [Open] claims
// what it opens; other errors than [ErrInUse] are of the file system.
func Claim(path string) (release func() error, err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claiming the database %s: %w", path, err)
	}
	if err := adopt(f, path); err != nil {
		return nil, errors.Join(fmt.Errorf("claiming the database %s: %w", path, err), f.Close())
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w: %s: stop the process that has it open, or use PostgreSQL, which several may share", ErrInUse, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil // closing it ends the lock
}

// adopt gives a file that root makes to the owner of its directory: the service
// runs as that user and must be able to open it.
func adopt(f *os.File, path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return f.Chown(int(s.Uid), int(s.Gid))
	}
	return nil
}
