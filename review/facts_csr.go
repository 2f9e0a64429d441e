package review

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"

	"assay/csr"
	"assay/evidence"
	"assay/key"
	"assay/name"
)

// csrFacts are the CSR and its public key, read once. What is expensive is
// computed when a rule first asks, and then serves every profile.
type csrFacts struct {
	// csr is the request and csrProblem why the text is none; both are set
	// where a private key stands beside a request. Without a CSR both are nil.
	csr        *csr.Request
	csrProblem *csr.Problem

	csrNameList  memo[[]csrName]
	keyprintText memo[string]
	weaknessSeen memo[key.Weakness]
	fermatRounds int // of weaknessSeen
	primeModulus memo[bool]
	keyQuestion  memo[evidence.LookupQuestion]
}

// csrName is one name the CSR asks for.
type csrName struct {
	name.Name
	// commonName is set for a CN of the subject.
	commonName bool
}

// prepareCSR reads the CSR. From here on the order holds only what may be
// kept of it: no report can show, and no store can keep, a private key.
func (c *Case) prepareCSR() {
	if c.Order.CSR == "" {
		return
	}
	clean, request, problem := csr.Load(c.Order.CSR)
	c.csr, c.csrProblem = request, problem
	if clean != c.Order.CSR {
		scrubbed := *c.Order
		scrubbed.CSR = clean
		c.Order = &scrubbed
	}
}

// Request returns the order's CSR as it was read, nil where there is none that
// can be read.
func (c *Case) Request() *csr.Request { return c.csr }

// csrReadable reports whether the CSR could be parsed, keyReadable whether it
// holds a public key of a type that has rules, read completely.
func (c *Case) csrReadable() bool { return c.csr != nil }

func (c *Case) keyReadable() bool {
	return c.csr != nil && (c.csr.Key.N != nil || c.csr.Key.X != nil)
}

// csrNames are the names that the CSR asks for: its common names first, then
// the DNS names and addresses among its SANs.
func (c *Case) csrNames() []csrName {
	return c.csrNameList.get(func() []csrName {
		var names []csrName
		for _, cn := range c.csr.CommonNames() {
			names = append(names, csrName{name.Parse(cn), true})
		}
		for _, san := range c.csr.Names() {
			names = append(names, csrName{name.Parse(san), false})
		}
		return names
	})
}

// keyprint is that of the CSR's key.
func (c *Case) keyprint() string {
	return c.keyprintText.get(func() string { return key.Print(c.csr.Key) })
}

// weakness is what the tests of the modulus find, Fermat's method with at
// least so many rounds.
func (c *Case) weakness(rounds int) key.Weakness {
	if c.weaknessSeen.known && rounds > c.fermatRounds {
		c.weaknessSeen.known = false
	}
	return c.weaknessSeen.get(func() key.Weakness {
		// One examination serves every embedded profile.
		c.fermatRounds = max(rounds, 110)
		return key.Examine(c.csr.Key, c.fermatRounds)
	})
}

// modulusPrime reports whether the modulus is a prime. It takes milliseconds.
func (c *Case) modulusPrime() bool {
	return c.primeModulus.get(func() bool { return key.PrimeModulus(c.csr.Key) })
}

// askKey fills in the digests under which lists keep keys.
func (c *Case) askKey(q *evidence.LookupQuestion) {
	if c.csr == nil {
		return
	}
	digests := c.keyQuestion.get(c.keyDigests)
	q.Keyprint, q.SPKISHA256 = digests.Keyprint, digests.SPKISHA256
	q.ModulusSHA256, q.ModulusBits, q.VulnkeySHA1 = digests.ModulusSHA256, digests.ModulusBits, digests.VulnkeySHA1
}

func (c *Case) keyDigests() (q evidence.LookupQuestion) {
	k := c.csr.Key
	q.Keyprint = c.keyprint()
	spki := sha256.Sum256(k.SPKI)
	q.SPKISHA256 = hex.EncodeToString(spki[:])
	if k.N == nil {
		return q
	}
	q.ModulusSHA256, q.ModulusBits = q.Keyprint, k.Bits()
	// As "openssl rsa -modulus" prints it: no leading zero digit.
	digits := bytes.TrimLeft(bytes.ToUpper(hex.AppendEncode(nil, k.N.Bytes())), "0")
	vulnkey := sha1.Sum(append(append([]byte("Modulus="), digits...), '\n'))
	q.VulnkeySHA1 = hex.EncodeToString(vulnkey[:])
	return q
}
