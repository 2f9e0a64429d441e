// Package identity is who a coordinator and a remote perspective are to each
// other: an Ed25519 key each, shown in TLS 1.3 by both sides and compared with
// the key that was exchanged when they joined. There is no certificate authority
// and no host name to check: the key is the identity.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"assay/perspective/wire"
)

// An Identity is a key pair.
type Identity struct {
	// Private signs. It never leaves the process but into its file.
	Private ed25519.PrivateKey
	// Public is the public key as text: see [wire.FormatKey].
	Public string
}

// New makes an identity; random is crypto/rand's Reader but in tests.
func New(random io.Reader) (*Identity, error) {
	_, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, err
	}
	return of(private), nil
}

func of(private ed25519.PrivateKey) *Identity {
	return &Identity{Private: private, Public: wire.FormatKey(private.Public().(ed25519.PublicKey))}
}

const (
	pemType     = "PRIVATE KEY" // PKCS #8, RFC 8410 7
	maxKeyBytes = 4096
)

// Load reads an identity from its file: PKCS #8 in PEM. A file that others than
// its owner may read is refused: the key in it is no secret any more.
func Load(path string) (*Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if onlyOwner && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others may read it (mode %04o): make a new key, or chmod 600 it if nobody did", path, info.Mode().Perm())
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyBytes+1))
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != pemType || len(rest) > 0 || len(raw) > maxKeyBytes {
		return nil, fmt.Errorf("%s: not one %s block in PEM", path, pemType)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s: not an Ed25519 key", path)
	}
	return of(private), nil
}

// LoadOrCreate reads an identity, and makes it where there is no file.
func LoadOrCreate(path string) (*Identity, error) {
	id, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if id, err = New(rand.Reader); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(id.Private)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// A link, unlike a rename, never replaces: of two processes that start at once
	// one makes the key and the other reads it.
	temporary, err := beside(path, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
	if err != nil {
		return nil, err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return Load(path)
}

// beside writes a new file in the directory of a path, that only its owner may
// read, and waits until it is on the disk.
func beside(path string, raw []byte) (temporary string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// Replace puts a file that only its owner may read in place of another, as a
// whole or not at all.
func Replace(path string, raw []byte) error {
	temporary, err := beside(path, raw)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		defer dir.Close()
		_ = dir.Sync() // not every file system can
	}
	return nil
}
