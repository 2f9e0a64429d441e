//go:build !pkcs11

package main

import (
	"crypto"
	"fmt"
)

// keyAt finds the key of a CA that is kept elsewhere: this build has no way to.
func keyAt(place string) (crypto.Signer, error) {
	return nil, fmt.Errorf("the key at %q needs a build with -tags pkcs11", place)
}
