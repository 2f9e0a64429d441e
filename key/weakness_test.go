package key

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
)

func rsaKey(t testing.TB, n, e *big.Int) *Public {
	t.Helper()
	p, err := Parse(rsaSPKI(n, e))
	if err != nil || p.Encoding != nil {
		t.Fatal(err, p.Encoding)
	}
	return p
}

func goodKey(t testing.TB, bits int) *Public {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(spki)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func prime(t testing.TB, bits int) *big.Int {
	t.Helper()
	p, err := rand.Prime(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func nextPrime(p *big.Int) *big.Int {
	q := new(big.Int).Or(new(big.Int).Add(p, big.NewInt(1)), big.NewInt(1))
	for !q.ProbablyPrime(0) {
		q.Add(q, big.NewInt(2))
	}
	return q
}

func mul(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }

// TestGroups: every odd prime up to 751 is in exactly one group, and the first
// group holds those that sift Fermat's rounds.
func TestGroups(t *testing.T) {
	t.Parallel()
	if len(primes) != maxPrimes || len(groups) != maxGroups || groups[0].upTo != sievePrimes || primes[rocaPrimes-1] != 167 {
		t.Fatalf("%d primes, %d groups, the first of %d; prime %d", len(primes), len(groups), groups[0].upTo, primes[rocaPrimes-1])
	}
	n := prime(t, 2048)
	var r residues
	r.of(n)
	for i, p := range primes {
		if want := new(big.Int).Mod(n, big.NewInt(int64(p))).Uint64(); uint64(r.by[i]) != want {
			t.Errorf("modulo %d: %d, want %d", p, r.by[i], want)
		}
	}
}

// TestSquareRoot compares with math/big, around squares too.
func TestSquareRoot(t *testing.T) {
	t.Parallel()
	for bits := uint(60); bits < 600; bits += 9 {
		p := prime(t, int(bits))
		square := mul(p, p)
		for _, n := range []*big.Int{p, square, new(big.Int).Sub(square, one), new(big.Int).Add(square, one), pow2(2 * bits), new(big.Int).Sub(pow2(2*bits), one), new(big.Int).Sub(pow2(2*bits+1), one)} {
			if got, want := squareRoot(n), new(big.Int).Sqrt(n); got.Cmp(want) != 0 {
				t.Fatalf("√%d = %d, want %d", n, got, want)
			}
		}
	}
}

func TestExamine(t *testing.T) {
	t.Parallel()
	f4 := big.NewInt(65537)
	p, q := prime(t, 1024), prime(t, 1024)
	for name, c := range map[string]struct {
		n, e *big.Int
		want Weakness
	}{
		"good":              {mul(p, q), f4, Weakness{}},
		"even":              {mul(prime(t, 2047), big.NewInt(2)), f4, Weakness{Even: true}},
		"factor 3":          {mul(prime(t, 2047), big.NewInt(3)), f4, Weakness{SmallFactor: true}},
		"factor 751":        {mul(prime(t, 2039), big.NewInt(751)), f4, Weakness{SmallFactor: true}},
		"factor 757":        {mul(prime(t, 2039), big.NewInt(757)), f4, Weakness{}},
		"square":            {mul(p, p), f4, Weakness{Power: true, FermatRound: 1}},
		"third power":       {power(prime(t, 683), 3), f4, Weakness{Power: true}},
		"fifth power":       {power(prime(t, 410), 5), f4, Weakness{Power: true}},
		"37th power":        {power(prime(t, 56), 37), f4, Weakness{Power: true}},
		"127th power":       {power(prime(t, 17), 127), f4, Weakness{Power: true}},
		"199th power":       {power(big.NewInt(1009), 199), f4, Weakness{Power: true}},
		"211th power":       {power(big.NewInt(757), 211), f4, Weakness{Power: true}},
		"neighbours":        {mul(p, nextPrime(p)), f4, Weakness{FermatRound: 1}},
		"repeated word":     {mul(repeated(t, 0x5a5a1234), repeated(t, 0x01020304)), f4, Weakness{Pattern: true}},
		"high bit, small":   {mul(nextPrime(pow2(1023)), nextPrime(pow2(1024))), f4, Weakness{Pattern: true}},
		"exponent 3":        {mul(p, q), big.NewInt(3), Weakness{}},
		"huge exponent":     {mul(p, q), nextPrime(pow2(2040)), Weakness{}},
		"small private one": {mul(p, q), inverse(t, p, q, 500), Weakness{SmallExponent: true}},
		"private of N^0.3":  {mul(p, q), inverse(t, p, q, 615), Weakness{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Examine(rsaKey(t, c.n, c.e), 100); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func pow2(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }

func power(p *big.Int, k int64) *big.Int { return new(big.Int).Exp(p, big.NewInt(k), nil) }

// repeated returns a prime of 1024 bits whose upper words are all the same.
func repeated(t testing.TB, w uint32) *big.Int {
	t.Helper()
	p := new(big.Int)
	for range 32 {
		p.Or(p.Lsh(p, 32), big.NewInt(int64(w)|1<<31))
	}
	return nextPrime(p.Or(p, big.NewInt(1)))
}

// inverse returns the public exponent of a private one of so many bits.
func inverse(t testing.TB, p, q *big.Int, bits int) *big.Int {
	t.Helper()
	phi := mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	for {
		if e := new(big.Int).ModInverse(prime(t, bits), phi); e != nil {
			return e
		}
	}
}

// TestFermatAgrees compares with the method written plainly, on moduli whose
// primes are as far apart as a number of rounds reaches.
func TestFermatAgrees(t *testing.T) {
	t.Parallel()
	p := prime(t, 512)
	found := map[int]bool{}
	for shift := uint(2); shift < 268; shift++ {
		q := nextPrime(new(big.Int).Add(p, pow2(shift)))
		n := mul(p, q)
		var r residues
		r.of(n)
		got, want := r.fermat(n, new(big.Int).Sqrt(n), 200), plainFermat(n, 200)
		if got != want {
			t.Errorf("distance 2^%d: round %d, want %d", shift, got, want)
		}
		found[got] = true
	}
	if len(found) < 4 {
		t.Errorf("only rounds %v were reached", found)
	}
}

func plainFermat(n *big.Int, rounds int) int {
	a := new(big.Int).Sqrt(n)
	if mul(a, a).Cmp(n) < 0 {
		a.Add(a, big.NewInt(1))
	}
	for round := 1; round <= rounds; round++ {
		b2 := mul(a, a)
		b2.Sub(b2, n)
		if b := new(big.Int).Sqrt(b2); mul(b, b).Cmp(b2) == 0 {
			return round
		}
		a.Add(a, big.NewInt(1))
	}
	return 0
}

// TestFermatSmall compares over all small odd numbers.
func TestFermatSmall(t *testing.T) {
	t.Parallel()
	for i := int64(9); i < 20000; i += 2 {
		n := big.NewInt(i)
		var r residues
		r.of(n)
		want := plainFermat(n, 50)
		if n.ProbablyPrime(0) {
			want = 0 // 1·n only
		}
		if got := r.fermat(n, new(big.Int).Sqrt(n), 50); got != want {
			t.Fatalf("%d: round %d, want %d", i, got, want)
		}
	}
}

func TestROCA(t *testing.T) {
	t.Parallel()
	for range 3 {
		if w := Examine(rsaKey(t, mul(rocaPrime(t), rocaPrime(t)), big.NewInt(65537)), 100); w != (Weakness{ROCA: true}) {
			t.Errorf("a modulus of the form of the affected chips: %+v", w)
		}
	}
}

// rocaPrime makes a prime as the affected chips do: k·M + (65537^a mod M), M
// the product of the first 126 primes for keys of 2048 bits.
func rocaPrime(t testing.TB) *big.Int {
	t.Helper()
	m, count := big.NewInt(2), 1
	for _, p := range primes {
		if count++; count > 126 {
			break
		}
		m.Mul(m, big.NewInt(int64(p)))
	}
	for {
		a, k := prime(t, 40), prime(t, 1024-m.BitLen())
		p := new(big.Int).Exp(big.NewInt(65537), a, m)
		if p.Add(p, mul(k, m)); p.ProbablyPrime(0) {
			return p
		}
	}
}

func TestPrimeModulus(t *testing.T) {
	t.Parallel()
	if !PrimeModulus(rsaKey(t, prime(t, 1024), big.NewInt(65537))) {
		t.Error("a prime")
	}
	if PrimeModulus(goodKey(t, 1024)) {
		t.Error("a product of two primes")
	}
}

func BenchmarkExamine(b *testing.B) {
	for _, bits := range []int{2048, 4096} {
		b.Run(big.NewInt(int64(bits)).String(), func(b *testing.B) {
			p := goodKey(b, bits)
			b.ReportAllocs()
			for b.Loop() {
				if w := Examine(p, 100); w != (Weakness{}) {
					b.Fatal(w)
				}
			}
		})
	}
}

func BenchmarkParts(b *testing.B) {
	p := goodKey(b, 2048)
	var r residues
	r.of(p.N)
	root := new(big.Int).Sqrt(p.N)
	b.Run("residues", func(b *testing.B) {
		for b.Loop() {
			r.of(p.N)
		}
	})
	b.Run("sqrt", func(b *testing.B) {
		for b.Loop() {
			squareRoot(p.N)
		}
	})
	b.Run("fermat", func(b *testing.B) {
		for b.Loop() {
			r.fermat(p.N, root, 100)
		}
	})
	b.Run("power", func(b *testing.B) {
		for b.Loop() {
			r.oddPower(p.N)
		}
	})
	b.Run("pattern", func(b *testing.B) {
		for b.Loop() {
			patterned(p.N)
		}
	})
	b.Run("roca", func(b *testing.B) {
		for b.Loop() {
			r.roca()
		}
	})
}
