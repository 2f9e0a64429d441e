package certfile

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"assay/evidence"
	"assay/key"
)

// Texts are the fields of an upload as a person filled them in. Only the
// certificate is needed.
type Texts struct {
	// Certificate is the server's certificate in PEM, with or without the chain
	// behind it.
	Certificate string
	// Key is its private key in PEM, unencrypted.
	Key string
	// Chain are the certificates above it, where they are in a field of their own.
	Chain string
}

// An Upload is what was read of [Texts].
type Upload struct {
	// Leaf is the server's certificate, nil where none could be read; Chain are
	// those above it in order, completed from known ones, without the root; Root
	// is the root where it was given or is known.
	Leaf  *x509.Certificate
	Chain []*x509.Certificate
	Root  *x509.Certificate
	// Key is the private key, nil where none was given or it could not be read. It
	// is not said that it belongs to the certificate: the facts are.
	Key *key.Private
	// Facts are what rules judge (review.JudgeUpload). The caller adds Stored.
	Facts evidence.Upload
}

// Read reads an upload. Nothing is judged: what is wrong stands in the facts.
// known are intermediates and roots that may complete the chain, in any order;
// of several that fit one that is valid now is taken. At most [MaxBytes] of each
// text and [MaxCertificates] certificates are read.
func Read(t Texts, known []*x509.Certificate, now time.Time) *Upload {
	u := &Upload{}
	main := readField("certificate", t.Certificate)
	pool := main.certificates()
	fields := []*reading{main}
	if t.Chain != "" {
		chain := readField("chain", t.Chain)
		pool = append(pool, chain.certificates()...)
		fields = append(fields, chain)
	}
	if t.Key != "" {
		field := readField("key", t.Key)
		u.Key = field.key()
		fields = append(fields, field)
	}
	if len(pool) > MaxCertificates {
		main.problem("too-many", 0, "")
		pool = pool[:MaxCertificates]
	}
	u.choose(main, pool)
	for _, f := range fields {
		u.Facts.Unreadable = append(u.Facts.Unreadable, f.problems...)
	}
	if u.Leaf != nil {
		u.Facts.Leaf = Describe(u.Leaf)
		u.complete(pool, known, now)
	}
	if u.Key != nil {
		if spki, err := x509.MarshalPKIXPublicKey(u.Key.Signer().Public()); err == nil {
			u.Facts.Key = &evidence.KeyFact{SPKISHA256: hexDigest(spki)}
		}
	}
	return u
}

// Set makes a set of what was read, with the key where it is the certificate's.
// It is nil where there is no certificate.
func (u *Upload) Set() *Set {
	if u.Leaf == nil {
		return nil
	}
	s := &Set{leaf: u.Leaf, chain: u.Chain, root: u.Root}
	if u.Key != nil && Matches(u.Leaf, u.Key) {
		s.key = u.Key
	}
	return s
}

// A given is a certificate with the line at which it stood.
type given struct {
	*x509.Certificate
	line int
}

// certificates are those among the blocks; everything else is noted.
func (r *reading) certificates() []given {
	var list []given
	for i := range r.blocks {
		b := &r.blocks[i]
		switch b.kind() {
		case kindCertificate:
			c, err := x509.ParseCertificate(b.raw)
			if err != nil {
				r.problem("der", b.line, "")
				continue
			}
			list = append(list, given{c, b.line})
		case kindKey, kindParameters:
			r.problem("key-given", b.line, "")
		case kindRequest:
			r.problem("csr-given", b.line, "")
		case kindPKCS7:
			r.problem("pkcs7", b.line, "")
		case kindDamaged:
			r.problem("der", b.line, "")
		default:
			r.problem("other", b.line, knownLabel(b.label))
		}
	}
	return list
}

// choose finds the server's certificate: the first, unless that is a CA's, or
// not the one of the key, and another is what it should be. Then the order is
// wrong, which is noted.
func (u *Upload) choose(main *reading, pool []given) {
	if len(pool) == 0 {
		return
	}
	u.Leaf = pool[0].Certificate
	better := func(fits func(c *x509.Certificate) bool) bool {
		if fits(u.Leaf) {
			return false
		}
		i := slices.IndexFunc(pool, func(g given) bool { return fits(g.Certificate) })
		if i < 0 {
			return false
		}
		u.Leaf = pool[i].Certificate
		return true
	}
	wrong := u.Key != nil && better(func(c *x509.Certificate) bool { return Matches(c, u.Key) })
	if u.Key == nil || !Matches(u.Leaf, u.Key) {
		wrong = better(func(c *x509.Certificate) bool { return !c.IsCA }) || wrong
	}
	if wrong {
		main.problem("wrong-order", pool[0].line, "")
	}
}

// Describe is what rules look at in a certificate.
func Describe(c *x509.Certificate) *evidence.CertificateFact {
	f := &evidence.CertificateFact{
		Subject: subject(c), Issuer: issuerName(c), Serial: c.SerialNumber.Text(16),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
		SHA256: hexDigest(c.Raw), SPKISHA256: hexDigest(c.RawSubjectPublicKeyInfo), CA: c.BasicConstraintsValid && c.IsCA,
	}
	for _, n := range c.DNSNames {
		f.Names = append(f.Names, oneLine(n))
	}
	for _, ip := range c.IPAddresses {
		f.Names = append(f.Names, ip.String())
	}
	f.SelfSigned = selfIssued(c) && issuedBy(c, c)
	return f
}

// subject is what a certificate is called: its common name, else its first name,
// else its organization.
func subject(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return oneLine(c.Subject.CommonName)
	case len(c.DNSNames) > 0:
		return oneLine(c.DNSNames[0])
	case len(c.IPAddresses) > 0:
		return c.IPAddresses[0].String()
	}
	return oneLine(c.Subject.String())
}

func issuerName(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return oneLine(c.Issuer.CommonName)
	}
	return oneLine(c.Issuer.String())
}

// maxModulus bounds the RSA keys, in bits, whose signatures are verified, as
// crypto/tls does: longer ones are work that whoever uploads could pile up.
const maxModulus = 8192

// issuedBy reports whether one certificate was issued by another: by names, and
// by the signature where its algorithm can be verified (not SHA-1), else by the
// key identifiers.
func issuedBy(c, by *x509.Certificate) bool {
	if k, ok := by.PublicKey.(*rsa.PublicKey); !bytes.Equal(c.RawIssuer, by.RawSubject) || ok && k.N.BitLen() > maxModulus {
		return false
	}
	err := by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	if _, insecure := err.(x509.InsecureAlgorithmError); insecure || err == x509.ErrUnsupportedAlgorithm {
		return len(c.AuthorityKeyId) == 0 || len(by.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, by.SubjectKeyId)
	}
	return err == nil
}
