// Package pkcs11 is a signing key in a device: a hardware security module, a
// smart card, or SoftHSM, reached through its PKCS #11 library.
//
// Where the key lies is a URI of RFC 7512:
//
//	pkcs11:token=assay;object=issuing?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/assay/pin
//
// A PIN in the URI itself is refused: the URI is stored and shown, the PIN is not.
//
// PKCS #11 libraries are C. The program reaches them only where it is built with
//
//	go build -tags pkcs11
//
// and [Open] is an error that says so where it is not.
package pkcs11

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// A Key signs in its device. It is safe for concurrent use. A device that was
// away is looked for again by the next signature.
type Key interface {
	crypto.Signer
	io.Closer
}

// A Place is where a key lies.
type Place struct {
	// Module is the path of the library, Token the label of the token in the
	// device, Object the label of the key in the token.
	Module, Token, Object string
	// PINFile holds the user's PIN, and nothing else but blanks around it.
	PINFile string
}

// maxURI and maxPIN bound what is read.
const (
	maxURI = 4 << 10
	maxPIN = 1 << 10
)

// Is reports whether a text says where a key lies in a device.
func Is(text string) bool { return strings.HasPrefix(text, "pkcs11:") }

// Parse reads a URI. Every attribute that it does not know is an error. No error shows
// a value: a PIN may be where it must not be.
func Parse(text string) (Place, error) {
	var p Place
	if len(text) > maxURI {
		return p, fmt.Errorf("the place of the key has %d characters; %d are possible", len(text), maxURI)
	}
	rest, ok := strings.CutPrefix(text, "pkcs11:")
	if !ok {
		return p, errors.New("the place of a key in a device begins with pkcs11: (RFC 7512)")
	}
	path, query, _ := strings.Cut(rest, "?")
	known := map[string]*string{"token": &p.Token, "object": &p.Object, "module-path": &p.Module, "pin-source": &p.PINFile}
	for _, part := range []struct{ text, separator string }{{path, ";"}, {query, "&"}} {
		for attribute := range strings.SplitSeq(part.text, part.separator) {
			if attribute == "" {
				continue
			}
			name, value, ok := strings.Cut(attribute, "=")
			if !ok { // it may be a PIN, or part of one
				return Place{}, errors.New("the place of the key holds an attribute without a value: write NAME=VALUE")
			}
			if name == "pin-value" {
				return Place{}, errors.New("the place of the key holds its PIN: write the PIN to a file and name that (pin-source=file:/…)")
			}
			into := known[name]
			if into == nil {
				return Place{}, fmt.Errorf("the place of the key holds the attribute %.40q; known are token, object, module-path and pin-source", name)
			}
			if *into != "" {
				return Place{}, fmt.Errorf("the place of the key says %s twice", name)
			}
			decoded, err := url.PathUnescape(value)
			if err != nil || decoded == "" || strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return Place{}, fmt.Errorf("the place of the key has no readable value for %s", name)
			}
			*into = decoded
		}
	}
	p.PINFile = strings.TrimPrefix(p.PINFile, "file:")
	return p, p.check()
}

func (p Place) check() error {
	for name, value := range map[string]string{"token": p.Token, "object": p.Object} {
		if value == "" {
			return fmt.Errorf("the place of the key does not say its %s", name)
		}
	}
	for name, value := range map[string]string{"module-path": p.Module, "pin-source": p.PINFile} {
		if !filepath.IsAbs(value) {
			return fmt.Errorf("the place of the key needs %s, a path that begins with /", name)
		}
	}
	return nil
}

// pin reads the PIN. No error shows any of it.
func (p Place) pin() (string, error) {
	f, err := os.Open(p.PINFile)
	if err != nil {
		return "", fmt.Errorf("read the PIN of the key: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPIN+1))
	if err != nil {
		return "", fmt.Errorf("read the PIN of the key: %w", err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" || len(b) > maxPIN {
		return "", fmt.Errorf("the file %s must hold a PIN of 1 to %d characters", p.PINFile, maxPIN)
	}
	return text, nil
}
