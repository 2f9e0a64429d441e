package main

import (
	"crypto"

	"assay/internal/issuer/pkcs11"
)

// keyAt finds the key of a CA that is kept in a device: "pkcs11:…". A build
// without the tag pkcs11 says that it has no way to.
func keyAt(place string) (crypto.Signer, error) {
	p, err := pkcs11.Parse(place)
	if err != nil {
		return nil, err
	}
	return pkcs11.Open(p)
}
