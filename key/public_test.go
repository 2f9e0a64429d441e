package key

import (
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// rsaSPKI encodes an RSA key that the standard library would refuse to.
func rsaSPKI(n, e *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes([]byte(algorithmRSA))
		var inner cryptobyte.Builder
		inner.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(n)
			b.AddASN1BigInt(e)
		})
		b.AddASN1BitString(inner.BytesOrPanic())
	})
	return b.BytesOrPanic()
}
