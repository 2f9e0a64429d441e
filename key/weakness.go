package key

import (
	"math/big"
	"math/bits"
)

// A Weakness is what the tests of a modulus found. The zero value is a key that
// passed them all. It never holds a factor.
type Weakness struct {
	// Even, SmallFactor and Power: the modulus is even, has an odd prime factor
	// up to 751, is a power of a number (BR 6.1.6; SP 800-89 5.3.3).
	Even, SmallFactor, Power bool
	// Pattern: the bytes of the modulus repeat, which is what primes with long
	// runs of zeros or of a repeated word produce.
	Pattern bool
	// SmallExponent: the private exponent is so small that Wiener's attack
	// finds it from the public key.
	SmallExponent bool
	// ROCA: the modulus has the form of the primes of CVE-2017-15361.
	ROCA bool
	// FermatRound is the round in which Fermat's method factors the modulus,
	// counted from 1 as Boulder does; 0 where it did not in the rounds asked for.
	FermatRound int
}

// Modulus reports whether a test of the modulus other than ROCA and Fermat's
// method failed.
func (w *Weakness) Modulus() bool {
	return w.Even || w.SmallFactor || w.Power || w.Pattern || w.SmallExponent
}

// Examine runs every test of an RSA key but the primality of its modulus (see
// [PrimeModulus]), with so many rounds of Fermat's method. A key that is not
// RSA, or longer than [MaxRSABits], has no weakness that could be found here.
func Examine(p *Public, rounds int) Weakness {
	var w Weakness
	if p.N == nil || p.N.BitLen() > MaxRSABits || p.N.BitLen() < 2 {
		return w
	}
	var r residues
	r.of(p.N)
	w.Even = p.N.Bit(0) == 0
	w.SmallFactor = r.divisible(p.N)
	w.ROCA = r.roca()
	w.Pattern = patterned(p.N)
	w.SmallExponent = smallPrivateExponent(p.N, p.E)
	if w.Even {
		// Every further test is for odd numbers.
		return w
	}
	root := squareRoot(p.N)
	w.FermatRound = r.fermat(p.N, root, rounds)
	w.Power = new(big.Int).Mul(root, root).Cmp(p.N) == 0 || r.oddPower(p.N)
	return w
}

// squareRoot is the largest whole number whose square is not above n. One step
// of Newton's iteration doubles the digits, so all but the last are taken on the
// leading half of the number; big.Int.Sqrt takes every step on the whole.
func squareRoot(n *big.Int) *big.Int {
	if n.BitLen() < 128 {
		return new(big.Int).Sqrt(n)
	}
	k := uint(n.BitLen() / 4)
	leading := new(big.Int).Rsh(n, 2*k)
	x := squareRoot(leading)
	x.Lsh(x, k)
	step := leading.Quo(n, x)
	x.Rsh(x.Add(x, step), 1)
	// Newton's step from either side lands on the root or a little above it.
	for square := new(big.Int); square.Mul(x, x).Cmp(n) > 0; {
		x.Sub(x, one)
	}
	return x
}

var one = big.NewInt(1)

// residues are what a number leaves divided by each of the first odd primes.
type residues struct {
	// groups holds the residue by the product of a group of primes.
	groups [maxGroups]uint64
	by     [maxPrimes]uint16
	low    uint64 // the lowest word
}

const (
	lastPrime = 751 // BR 6.1.6: "no factors smaller than 752"
	maxPrimes = 132 // odd primes up to lastPrime
	maxGroups = 18
)

// primes are the odd primes up to 751. groups cuts them into runs whose product
// fits a machine word, so that one pass over a modulus serves a whole run.
var (
	primes = oddPrimes(lastPrime)
	groups = groupPrimes(primes)
)

type group struct {
	product    uint64
	from, upTo int // indices of primes
}

func oddPrimes(last int) []uint16 {
	composite := make([]bool, last+1)
	var list []uint16
	for p := 3; p <= last; p += 2 {
		if composite[p] {
			continue
		}
		list = append(list, uint16(p))
		for m := p * p; m <= last; m += p {
			composite[m] = true
		}
	}
	return list
}

func groupPrimes(primes []uint16) []group {
	var list []group
	g := group{product: 1}
	for i, p := range primes {
		high, low := bits.Mul64(g.product, uint64(p))
		if high != 0 {
			list = append(list, g)
			g = group{product: 1, from: i}
			low = uint64(p)
		}
		g.product, g.upTo = low, i+1
	}
	return append(list, g)
}

// word reads 64 bits of a number: the i-th from the low end.
func word(w []big.Word, i int) uint64 {
	if bits.UintSize == 64 {
		return uint64(w[i])
	}
	v := uint64(w[2*i])
	if 2*i+1 < len(w) {
		v |= uint64(w[2*i+1]) << 32
	}
	return v
}

func words(w []big.Word) int { return (len(w)*bits.UintSize + 63) / 64 }

// modWord returns n modulo m.
func modWord(n *big.Int, m uint64) uint64 {
	w := n.Bits()
	var rest uint64
	for i := words(w) - 1; i >= 0; i-- {
		_, rest = bits.Div64(rest, word(w, i), m)
	}
	return rest
}

func (r *residues) of(n *big.Int) {
	w := n.Bits()
	count := words(w)
	r.low = word(w, 0)
	// Two groups a pass: the divisions do not wait for each other.
	for g := 0; g < len(groups); g += 2 {
		m1, m2 := groups[g].product, uint64(1<<63)
		if g+1 < len(groups) {
			m2 = groups[g+1].product
		}
		var r1, r2 uint64
		for i := count - 1; i >= 0; i-- {
			v := word(w, i)
			_, r1 = bits.Div64(r1, v, m1)
			_, r2 = bits.Div64(r2, v, m2)
		}
		r.groups[g] = r1
		if g+1 < len(groups) {
			r.groups[g+1] = r2
		}
	}
	for i, g := range groups {
		for j := g.from; j < g.upTo; j++ {
			r.by[j] = uint16(r.groups[i] % uint64(primes[j]))
		}
	}
}

// divisible reports whether an odd prime up to 751 is a proper factor.
func (r *residues) divisible(n *big.Int) bool {
	for i, rest := range r.by[:len(primes)] {
		if rest == 0 && (n.BitLen() > 10 || n.Uint64() != uint64(primes[i])) {
			return true
		}
	}
	return false
}
