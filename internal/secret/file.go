package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Why a file of a secret cannot be used; see [FileError].
const (
	FileMissing  = "missing"   // the error matches [fs.ErrNotExist]
	FileNotFile  = "not-file"  // a directory, a device
	FileOpen     = "open"      // others may use it, see FileError.Mode
	FileTooLarge = "too-large" // see FileError.Limit
	FileNoKey    = "no-key"    // it holds no master key
)

// A FileError says why a file of a secret cannot be used, and what to do.
type FileError struct {
	Kind, Path string
	Mode       fs.FileMode
	Limit      int64
}

func (e *FileError) Error() string {
	switch e.Kind {
	case FileMissing:
		return fmt.Sprintf("the key file %s is not there: restore it from its backup; a new one cannot open what is sealed", e.Path)
	case FileNotFile:
		return e.Path + " is not a file"
	case FileOpen:
		return fmt.Sprintf("%s holds a secret and others may use it (mode %04o): run chmod 600 %s, and make a new one if others could have read it", e.Path, e.Mode, e.Path)
	case FileTooLarge:
		return fmt.Sprintf("%s has more than %d bytes: it is another file than expected", e.Path, e.Limit)
	}
	return fmt.Sprintf("the key file %s holds no master key: want a line %s and 32 bytes in base64; restore it from its backup", e.Path, keyPrefix)
}

// Is makes a missing file one that is not there.
func (e *FileError) Is(other error) bool { return e.Kind == FileMissing && other == fs.ErrNotExist }

// ReadPrivateFile reads a file of at most limit bytes that nobody but its owner
// may read: with wider permissions the error says how to narrow them. It looks
// at the file that it opened, so the file cannot change in between.
func ReadPrivateFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &FileError{Kind: FileNotFile, Path: path}
	}
	// Windows has no such bits; access lists guard the directory there.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, &FileError{Kind: FileOpen, Path: path, Mode: mode}
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(content)) > limit {
		return nil, &FileError{Kind: FileTooLarge, Path: path, Limit: limit}
	}
	return content, nil
}

// CreatePrivateFile writes a file with mode 0600 that must not exist yet; if it
// does, the error matches [fs.ErrExist] and the file is left as it is. The
// content appears under the name at once and whole, or not at all, also over a
// crash of the machine.
func CreatePrivateFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	// A link, unlike a rename, does not replace what is there.
	if err := os.Link(f.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w", path, fs.ErrExist)
		}
		return err
	}
	return syncDirectory(dir)
}

// syncDirectory makes a new name durable.
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
