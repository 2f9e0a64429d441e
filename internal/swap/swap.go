// Package swap replaces files of a directory so that a process that is killed at
// any point leaves the old files or the new ones, and never some of each.
//
// New files are made in a directory inside the one they are for ([Begin]). One
// rename of that decides ([Stage.Commit]): before it nothing has changed, after it
// whoever opens the directory first finishes what was begun ([Finish]), over any
// number of crashes. Replacing the directory itself would be one rename less, but
// it may be a mount point, as /var/lib/assay is in a container.
package swap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	// unfinished begins the names of stages that nobody committed.
	unfinished = ".restore-"
	// decided is the stage after its commit; in it are:
	decided = "restore.decided"
	newDir  = "new" // what comes into the directory
	oldDir  = "old" // what was there under these names
)

// companions are the endings of files that belong to a database and must never
// meet another one: SQLite would read its log into it.
var companions = []string{"-wal", "-shm", "-journal"}

// A Stage is where new files are made.
type Stage struct {
	dir, temporary string
}

// Begin makes a stage for a directory, which is made where it is missing (mode
// 0700). What stages before it left behind is removed: one process at a time may
// use a directory.
func Begin(dir string) (*Stage, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(dir, unfinished+"*"))
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	temporary, err := os.MkdirTemp(dir, unfinished+"*")
	if err != nil {
		return nil, err
	}
	s := &Stage{dir: dir, temporary: temporary}
	for _, name := range []string{newDir, oldDir} {
		if err := os.Mkdir(filepath.Join(temporary, name), 0o700); err != nil {
			return nil, errors.Join(err, s.Abandon())
		}
	}
	return s, nil
}

// Path is where the new file or directory of a name is made.
func (s *Stage) Path(name string) string { return filepath.Join(s.temporary, newDir, name) }

// Scratch is a path for what is needed on the way and goes with the stage.
func (s *Stage) Scratch(name string) string { return filepath.Join(s.temporary, name) }

// Abandon removes the stage. After a commit it does nothing.
func (s *Stage) Abandon() error { return os.RemoveAll(s.temporary) }

// Commit decides for the new files and moves them to their places. Files that
// were there under these names are kept in the directory whose path it returns,
// "" where there were none. An error before the decision leaves everything as it
// was; after it [Finish] can be called again.
func (s *Stage) Commit(now time.Time) (kept string, err error) {
	if err := s.durable(); err != nil {
		return "", err
	}
	if err := os.Rename(s.temporary, filepath.Join(s.dir, decided)); err != nil {
		return "", err
	}
	if err := syncDirectory(s.dir); err != nil {
		return "", err
	}
	return Finish(s.dir, now)
}

// durable syncs all that was made, gives it to the owner of the directory and
// removes what was scratch.
func (s *Stage) durable() error {
	entries, err := os.ReadDir(s.temporary)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != newDir && e.Name() != oldDir {
			if err := os.RemoveAll(filepath.Join(s.temporary, e.Name())); err != nil {
				return err
			}
		}
	}
	var directories []string
	err = filepath.WalkDir(s.temporary, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := Adopt(s.dir, path); err != nil {
			return err
		}
		if d.IsDir() {
			directories = append(directories, path)
			return nil
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
	for _, path := range directories {
		err = errors.Join(err, syncDirectory(path))
	}
	return err
}

// Pending reports whether a commit waits to be finished.
func Pending(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, decided))
	return err == nil
}

// Finish moves the files of a commit to their places, from wherever a process
// before stopped; without one it does nothing. One process at a time may do it,
// and before the files are opened.
func Finish(dir string, now time.Time) (kept string, err error) {
	return finish(dir, now, os.Rename)
}

func finish(dir string, now time.Time, rename func(from, to string) error) (kept string, err error) {
	at := filepath.Join(dir, decided)
	fresh, err := os.ReadDir(filepath.Join(at, newDir))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !Pending(dir):
		return "", nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	for _, e := range fresh {
		if err := replace(dir, e.Name(), rename); err != nil {
			return "", fmt.Errorf("putting the restored %s into place: %w", e.Name(), err)
		}
	}
	old, err := os.ReadDir(filepath.Join(at, oldDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was moved already
		return "", err
	}
	if len(old) > 0 {
		kept = filepath.Join(dir, "replaced-"+strings.ReplaceAll(now.UTC().Format("20060102T150405.000000"), ".", "-"))
		if err := errors.Join(syncDirectory(filepath.Join(at, oldDir)), rename(filepath.Join(at, oldDir), kept)); err != nil {
			return "", err
		}
	}
	// The last file must have its place on disk before what says "decided" goes.
	return kept, errors.Join(syncDirectory(dir), os.RemoveAll(at), syncDirectory(dir))
}

// replace moves what has a name away and the new one there. While the new one is
// not there, what has its name is old.
func replace(dir, name string, rename func(from, to string) error) error {
	at := filepath.Join(dir, decided)
	for _, companion := range slices.Concat(companions, []string{""}) {
		from := filepath.Join(dir, name+companion)
		if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := rename(from, filepath.Join(at, oldDir, name+companion)); err != nil {
			return err
		}
	}
	return rename(filepath.Join(at, newDir, name), filepath.Join(dir, name))
}

// syncDirectory makes new names durable.
func syncDirectory(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
