package key

import "math/big"

// smallPrivateExponent reports whether Wiener's attack finds the private
// exponent (Wiener 1990): it does where d < N^¼ / 3, and then e must be of the
// size of N, because e·d > φ(N). So for every ordinary exponent the answer is
// known at once, and the continued fraction is expanded only for huge ones.
func smallPrivateExponent(n, e *big.Int) bool {
	if e.BitLen()*4 < n.BitLen()*3-8 || e.Cmp(n) >= 0 || n.BitLen() < 16 {
		return false
	}
	// Convergents k/d of e/n.
	a, b := new(big.Int).Set(e), new(big.Int).Set(n)
	k0, k1 := big.NewInt(0), big.NewInt(1)
	d0, d1 := big.NewInt(1), big.NewInt(0)
	quotient, rest := new(big.Int), new(big.Int)
	limit := n.BitLen()/4 + 1
	for b.Sign() > 0 {
		quotient.QuoRem(a, b, rest)
		a, b, rest = b, rest, a
		k0, k1 = k1, k0.Add(k0, new(big.Int).Mul(quotient, k1))
		d0, d1 = d1, d0.Add(d0, new(big.Int).Mul(quotient, d1))
		if d1.BitLen() > limit {
			return false
		}
		if factorsFrom(n, e, k1, d1) {
			return true
		}
	}
	return false
}

// factorsFrom reports whether φ = (e·d − 1)/k belongs to two factors of n: then
// x² − (n − φ + 1)x + n has whole roots.
func factorsFrom(n, e, k, d *big.Int) bool {
	if k.Sign() == 0 {
		return false
	}
	phi := new(big.Int).Mul(e, d)
	phi.Sub(phi, big.NewInt(1))
	rest := new(big.Int)
	if phi.QuoRem(phi, k, rest); rest.Sign() != 0 {
		return false
	}
	sum := new(big.Int).Sub(n, phi)
	sum.Add(sum, big.NewInt(1))
	if sum.Sign() <= 0 {
		return false
	}
	discriminant := new(big.Int).Mul(sum, sum)
	discriminant.Sub(discriminant, new(big.Int).Lsh(n, 2))
	if discriminant.Sign() < 0 {
		return false
	}
	root := new(big.Int).Sqrt(discriminant)
	if new(big.Int).Mul(root, root).Cmp(discriminant) != 0 {
		return false
	}
	// A trivial factorization 1·n is none.
	p := sum.Sub(sum, root)
	return p.Rsh(p, 1).Cmp(big.NewInt(1)) > 0
}

// PrimeModulus reports whether the modulus of an RSA key is itself a prime,
// which makes the private key a matter of one division (SP 800-89 5.3.3). It
// takes milliseconds: run it once for a key, when an order is submitted.
func PrimeModulus(p *Public) bool {
	if p.N == nil || p.N.BitLen() > MaxRSABits {
		return false
	}
	return p.N.ProbablyPrime(0) // Baillie-PSW: no composite is known to pass
}
