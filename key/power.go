package key

import (
	"math"
	"math/big"
	"math/bits"
)

// oddPower reports whether an odd n without prime factors up to 751 is a k-th
// power for an odd prime k; squares are found by the caller, who has the root.
// (With a small factor the answer does not matter: the modulus is refused.)
//
// A k-th power is one modulo every prime q ≡ 1 (mod k), and one in k other
// numbers is: so nearly every k falls to the residues at hand.
func (r *residues) oddPower(n *big.Int) bool {
	limit := int(float64(n.BitLen())/math.Log2(lastPrime)) + 1
	for i, k := range primes {
		if int(k) > limit {
			return false
		}
		if !r.notPower(i) && isPower(n, int(k)) {
			return true
		}
	}
	for k := lastPrime + 2; k <= limit; k += 2 {
		if isPower(n, k) {
			return true
		}
	}
	return false
}

// witnesses holds, for the prime at each index, the indices of the primes q
// with q ≡ 1 modulo it.
var witnesses = func() (table [maxPrimes][]uint8) {
	for i, k := range primes {
		for j, q := range primes {
			if q%k == 1 {
				table[i] = append(table[i], uint8(j))
			}
		}
	}
	return table
}()

// notPower reports that the residues prove n to be no power with the prime at
// an index as its exponent.
func (r *residues) notPower(index int) bool {
	k := uint64(primes[index])
	for _, j := range witnesses[index] {
		q, rest := uint64(primes[j]), uint64(r.by[j])
		if rest != 0 && powMod(rest, (q-1)/k, q) != 1 {
			return true
		}
	}
	return false
}

func powMod(x, e, m uint64) uint64 {
	y := uint64(1)
	for ; e > 0; e >>= 1 {
		if e&1 != 0 {
			y = y * x % m
		}
		x = x * x % m
	}
	return y
}

// isPower reports whether an odd n is exactly the k-th power of a whole number,
// for an odd k. Modulo a power of two an odd number has exactly one k-th root,
// found by Newton's iteration with twice the digits each step; if n is a k-th
// power, that root taken to enough digits is the number itself.
func isPower(n *big.Int, k int) bool {
	digits := uint(n.BitLen()/k + 2)
	if digits <= 64 {
		return isSmallPower(n, k)
	}
	mask := func(x *big.Int, bits uint) *big.Int {
		m := new(big.Int).Lsh(big.NewInt(1), bits)
		return x.And(x, m.Sub(m, big.NewInt(1)))
	}
	kBig, modulus := big.NewInt(int64(k)), new(big.Int).Lsh(big.NewInt(1), digits)
	inverse := new(big.Int).ModInverse(kBig, modulus)
	low := mask(new(big.Int).Set(n), digits)
	// x ≡ n is right modulo 8, since squares of odd numbers are 1 there.
	x := new(big.Int).Set(low)
	for range bits.Len(digits) {
		// x −= (x^k − n) / (k·x^(k−1))
		power := new(big.Int).Exp(x, big.NewInt(int64(k-1)), modulus)
		error := new(big.Int).Mul(power, x)
		error.Sub(error, low)
		power.ModInverse(power, modulus)
		error.Mul(error.Mul(error, power), inverse)
		x = mask(x.Sub(x, error), digits)
	}
	if x.BitLen()*k > n.BitLen()+k {
		return false
	}
	return new(big.Int).Exp(x, kBig, nil).Cmp(n) == 0
}

// isSmallPower is [isPower] for roots of up to 62 bits, in machine words.
func isSmallPower(n *big.Int, k int) bool {
	low := n.Uint64() // of a larger number the low word
	inverse := uint64(k)
	for range 5 { // k is its own inverse modulo 8; each step doubles the digits
		inverse *= 2 - uint64(k)*inverse
	}
	x := low
	for range 5 { // as in isPower, from 3 digits
		power := wrapPow(x, uint64(k-1))
		up := power
		for range 5 {
			up *= 2 - power*up
		}
		x -= (power*x - low) * up * inverse
	}
	if x < 3 || bits.Len64(x)*k > n.BitLen()+k || modWord(n, x) != 0 {
		return false
	}
	return new(big.Int).Exp(new(big.Int).SetUint64(x), big.NewInt(int64(k)), nil).Cmp(n) == 0
}

// wrapPow is x^e modulo 2^64.
func wrapPow(x, e uint64) uint64 {
	y := uint64(1)
	for ; e > 0; e >>= 1 {
		if e&1 != 0 {
			y *= x
		}
		x *= x
	}
	return y
}
