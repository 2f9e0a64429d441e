package secret

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// MasterSize is the length of a master key in bytes.
const MasterSize = 32

// A Master gives the master key. Key may be called more than once and must give
// the same [MasterSize] bytes; its errors hold nothing of the key.
type Master interface {
	Key(ctx context.Context) ([]byte, error)
}

const (
	keyPrefix  = "assay-key-v1:"
	maxKeyFile = 4 << 10
)

// A KeyFile is a master key in a file with mode 0600 (or 0400):
//
//	# comments
//	assay-key-v1:‹32 bytes in base64›
type KeyFile struct {
	Path string
}

// Create makes the file with a new key. The error matches [fs.ErrExist] where
// there is one, which is left as it is. It is for the first start only: a new
// key opens nothing that an old one sealed.
func (f KeyFile) Create(at time.Time, rand io.Reader) error {
	key := make([]byte, MasterSize)
	if _, err := io.ReadFull(rand, key); err != nil {
		return fmt.Errorf("random bytes for a master key: %w", err)
	}
	return CreatePrivateFile(f.Path, fmt.Appendf(nil, `# The master key of Assay, made %s. It opens the secrets in the database.
# Keep a copy, apart from the backups of the database: without it they are lost.
%s%s
`, at.UTC().Format(time.RFC3339), keyPrefix, base64.StdEncoding.EncodeToString(key)))
}

// Key reads the file.
func (f KeyFile) Key(ctx context.Context) ([]byte, error) {
	content, err := ReadPrivateFile(f.Path, maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &FileError{Kind: FileMissing, Path: f.Path}
	}
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return KeyText{Path: f.Path, Content: content}.Key(ctx)
}

// A KeyText is a master key in the content of a file, which was read from Path.
type KeyText struct {
	Path    string
	Content []byte
}

// Key reads the content.
func (t KeyText) Key(context.Context) ([]byte, error) {
	for line := range strings.Lines(string(t.Content)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if key, ok := parseKey([]byte(line)); ok && strings.HasPrefix(line, keyPrefix) {
			return key, nil
		}
		break
	}
	return nil, &FileError{Kind: FileNoKey, Path: t.Path}
}

// parseKey reads a key as 32 raw bytes, as base64, or as a line of a key file.
// Base64 of 32 bytes is 44 characters long, so the forms cannot be confused.
func parseKey(text []byte) ([]byte, bool) {
	if len(text) == MasterSize {
		return bytes.Clone(text), true
	}
	text = bytes.TrimPrefix(bytes.TrimSpace(text), []byte(keyPrefix))
	key, err := base64.StdEncoding.Strict().DecodeString(string(text))
	return key, err == nil && len(key) == MasterSize
}
