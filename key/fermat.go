package key

import "math/big"

// sievePrimes is how many odd primes sift the rounds of Fermat's method before
// a square root is taken: 3 to 53, the first group.
const sievePrimes = 15

// squares holds, for each of these primes, a bit for every residue that is a
// square; squares64 the same modulo 64.
var (
	squares = func() (table [sievePrimes]uint64) {
		for i := range table {
			p := uint64(primes[i])
			for x := range p {
				table[i] |= 1 << (x * x % p)
			}
		}
		return table
	}()
	squares64 = func() (table uint64) {
		for x := range uint64(64) {
			table |= 1 << (x * x % 64)
		}
		return table
	}()
)

// fermat looks for a and b with n = a² − b², a counted up from the square root
// (BR 6.1.1.3(5.3)), and returns the round in which b² is a square, counted
// from 1, or 0. A round costs a few machine operations: only where a² − n is a
// square modulo 64 and every small prime, about once in 70,000 rounds, is the
// number itself computed.
func (r *residues) fermat(n, root *big.Int, rounds int) int {
	a := new(big.Int).Set(root)
	b2 := new(big.Int).Mul(a, a)
	if b2.Cmp(n) < 0 {
		a.Add(a, big.NewInt(1))
	}
	aLow := a.Uint64() // modulo 2^64: Uint64 of a larger number is its low word
	aModulo := modWord(a, groups[0].product)
	var aBy [sievePrimes]uint64
	for i := range aBy {
		aBy[i] = aModulo % uint64(primes[i])
	}
	var exactA, exactB, check big.Int
next:
	for round := range uint64(rounds) {
		x := aLow + round
		if squares64>>((x*x-r.low)&63)&1 == 0 {
			continue
		}
		for i := range aBy {
			p := uint64(primes[i])
			x := aBy[i] + round
			if squares[i]>>((x*x+p-uint64(r.by[i]))%p)&1 == 0 {
				continue next
			}
		}
		exactA.Add(a, new(big.Int).SetUint64(round))
		b2.Sub(b2.Mul(&exactA, &exactA), n)
		exactB.Sqrt(b2)
		if check.Mul(&exactB, &exactB).Cmp(b2) == 0 {
			// n = (a−b)(a+b); the trivial 1·n is no weakness of this kind.
			if exactA.Sub(&exactA, &exactB).IsInt64() && exactA.Int64() == 1 {
				return 0
			}
			return int(round) + 1
		}
	}
	return 0
}
