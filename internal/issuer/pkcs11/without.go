//go:build !pkcs11

package pkcs11

import "errors"

// ErrBuild is the error of a program that was built without devices.
var ErrBuild = errors.New("this program was built without PKCS #11: build it with -tags pkcs11 to use a key in a device")

// Open is [ErrBuild] in this build.
func Open(Place) (Key, error) { return nil, ErrBuild }

// Generate is [ErrBuild] in this build.
func Generate(Place) (Key, error) { return nil, ErrBuild }
