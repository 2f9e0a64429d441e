//go:build pkcs11

package pkcs11

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ThalesGroup/crypto11"
)

// Open finds the key of a place: an RSA or ECDSA key pair by its label. The
// device is asked to log in, and stays open until the key is closed.
func Open(p Place) (Key, error) {
	d := &device{place: p}
	if err := d.connect(); err != nil {
		return nil, err
	}
	return d, nil
}

// Generate makes a P-256 key at a place, which never leaves the device. Where
// the token has a key of that label already, that is an error.
func Generate(p Place) (Key, error) {
	d := &device{place: p}
	context, err := d.login()
	if err != nil {
		return nil, err
	}
	defer context.Close()
	there, err := context.FindKeyPairs(nil, []byte(p.Object))
	if err != nil {
		return nil, fmt.Errorf("look for a key %q in the token %q: %w", p.Object, p.Token, err)
	}
	if len(there) > 0 {
		return nil, fmt.Errorf("the token %q has a key %q already", p.Token, p.Object)
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	if _, err := context.GenerateECDSAKeyPairWithLabel(id, []byte(p.Object), elliptic.P256()); err != nil {
		return nil, fmt.Errorf("make the key %q in the token %q: %w", p.Object, p.Token, err)
	}
	return Open(p)
}

// A device is a key and the way to it.
type device struct {
	place Place

	mu      sync.RWMutex // held for reading while the device signs
	context *crypto11.Context
	signer  crypto.Signer
	public  crypto.PublicKey
	broken  bool // the last signature failed: connect anew before the next
	closed  bool
}

var errClosed = errors.New("the key in the device was closed")

func (d *device) login() (*crypto11.Context, error) {
	pin, err := d.place.pin()
	if err != nil {
		return nil, err
	}
	context, err := crypto11.Configure(&crypto11.Config{
		Path: d.place.Module, TokenLabel: d.place.Token, Pin: pin, MaxSessions: 64, PoolWaitTimeout: 10 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("open the token %q through %s: %w", d.place.Token, d.place.Module, err)
	}
	return context, nil
}

// connect opens the device; d.mu is held, or nobody else has d yet.
func (d *device) connect() error {
	context, err := d.login()
	if err != nil {
		return err
	}
	var signer crypto.Signer
	pairs, err := context.FindKeyPairs(nil, []byte(d.place.Object))
	switch {
	case err != nil:
	case len(pairs) == 1:
		signer = pairs[0]
	default:
		err = fmt.Errorf("there are %d with an id and a public half", len(pairs))
	}
	if err == nil && d.public != nil && !d.public.(interface{ Equal(crypto.PublicKey) bool }).Equal(signer.Public()) {
		err = errors.New("it is another one than before")
	}
	if err != nil {
		_ = context.Close()
		return fmt.Errorf("find the key %q in the token %q: %w", d.place.Object, d.place.Token, err)
	}
	d.context, d.signer, d.public, d.broken = context, signer, signer.Public(), false
	return nil
}

// Public is the public key.
func (d *device) Public() crypto.PublicKey { return d.public }

// Sign signs in the device. After an error the next call opens the device anew.
func (d *device) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if err := d.mend(); err != nil {
		return nil, err
	}
	signature, err := d.try(random, digest, o)
	if err != nil && !errors.Is(err, errClosed) {
		d.mu.Lock()
		d.broken = true
		d.mu.Unlock()
		return nil, fmt.Errorf("sign with the key %q in the token %q: %w", d.place.Object, d.place.Token, err)
	}
	return signature, err
}

func (d *device) try(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errClosed
	}
	return d.signer.Sign(random, digest, o)
}

// mend opens the device again where it failed.
func (d *device) mend() error {
	d.mu.RLock()
	whole := !d.broken && !d.closed
	d.mu.RUnlock()
	if whole {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return errClosed
	case !d.broken: // another mended it
		return nil
	}
	if d.context != nil {
		_ = d.context.Close()
		d.context = nil
	}
	return d.connect()
}

// Close logs out. The key signs no more.
func (d *device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if d.context == nil {
		return nil
	}
	return d.context.Close()
}
