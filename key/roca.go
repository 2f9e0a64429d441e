package key

// rocaPrimes is how many of the primes the fingerprint uses: 3 to 167.
const rocaPrimes = 38

// rocaPowers holds, for each of these primes, a bit for every residue that is a
// power of 65537. The primes of affected chips are k·M + (65537^a mod M) with M
// the product of the first primes, so their product is such a power modulo
// every one of them; of other moduli one in about 2^28 is (Nemec et al., "The
// Return of Coppersmith's Attack", 2017, section 3).
var rocaPowers = func() (table [rocaPrimes][3]uint64) {
	for i := range table {
		p := uint64(primes[i])
		for power := uint64(1); ; {
			table[i][power/64] |= 1 << (power % 64)
			if power = power * 65537 % p; power == 1 {
				break
			}
		}
	}
	return table
}()

func (r *residues) roca() bool {
	for i := range rocaPowers {
		rest := r.by[i]
		if rocaPowers[i][rest/64]>>(rest%64)&1 == 0 {
			return false
		}
	}
	return true
}
