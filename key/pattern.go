package key

import "math/big"

// repeatedBytes is how long a repetition must be to count. In a random modulus
// of 2048 bits one occurs once in about 2^50 keys.
const repeatedBytes = 8

// patterned reports whether the bytes of a modulus show how its primes were
// made: a repetition in the modulus itself, or one that appears when the
// repeated words of both primes are multiplied away: a number that repeats a
// word of w bits becomes, times 2^w − 1, that word at its two ends.
func patterned(n *big.Int) bool {
	if repeats(n.Bytes(), 8) {
		return true
	}
	var product, shifted big.Int
	var buffer [(MaxRSABits + 128) / 8]byte
	for _, w := range [...]uint{8, 16, 32, 64} {
		// n·(2^w − 1)²
		product.Lsh(n, 2*w)
		product.Sub(&product, shifted.Lsh(n, w+1))
		product.Add(&product, n)
		if repeats(product.FillBytes(buffer[:(product.BitLen()+7)/8]), 1) {
			return true
		}
	}
	return false
}

// repeats reports whether somewhere in the bytes of a number a pattern of 1 byte
// to so many goes on for at least [repeatedBytes] bytes beyond its first
// appearance. Two primes of a high bit and a small number leave such traces in
// their product.
func repeats(n []byte, periods int) bool {
	for period := 1; period <= periods; period++ {
		// Every run of 8 equal positions covers one multiple of 8: only
		// there does a run need looking for.
		for at := period; at < len(n); at += repeatedBytes {
			if n[at] != n[at-period] {
				continue
			}
			run := 1
			for i := at + 1; i < len(n) && n[i] == n[i-period]; i++ {
				run++
			}
			for i := at - 1; i >= period && n[i] == n[i-period]; i-- {
				run++
			}
			if run >= repeatedBytes {
				return true
			}
		}
	}
	return false
}
