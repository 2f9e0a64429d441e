package name

import (
	"crypto/sha3"
	"encoding/base32"
	"slices"
)

// OnionV3 reports whether the name is, or lies below, an address of version 3
// of Tor's onion services: 56 base32 characters that hold a key, a checksum and
// the version (Tor rend-spec-v3, encoding of onion addresses; BR appendix B).
func (n *Name) OnionV3() bool {
	if n.TLD() != "onion" || len(n.Labels) < 2 {
		return false
	}
	label := []byte(n.Labels[len(n.Labels)-2])
	for i, c := range label {
		if 'a' <= c && c <= 'z' {
			label[i] = c - 'a' + 'A'
		}
	}
	raw, err := base32.StdEncoding.DecodeString(string(label))
	const key, checksum = 32, 2
	if err != nil || len(raw) != key+checksum+1 || raw[key+checksum] != 3 {
		return false
	}
	sum := sha3.Sum256(slices.Concat([]byte(".onion checksum"), raw[:key], raw[key+checksum:]))
	return raw[key] == sum[0] && raw[key+1] == sum[1]
}
