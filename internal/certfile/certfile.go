// Package certfile makes files of certificates and reads the files that people
// upload.
//
// A [Set] is a certificate with what belongs to it. [Set.Make] makes of it each
// of the [Formats]: PEM, DER, PKCS #7, PKCS #12, JKS, and for each of five
// servers a bundle with the files under the names that its configuration uses, a
// piece of configuration and a note in English and Chinese.
//
// The private key usually stays with whoever made it. Then the bundle says where
// to put it; a program that runs where the key is adds it with [Set.SetKey].
//
// The package knows no store and no service. It never writes a private key
// anywhere but into a file that is asked for, and no error quotes one.
package certfile

import (
	"bytes"
	"crypto/x509"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"assay/key"
)

// Limits of what is read and made.
const (
	// MaxCertificates is how many certificates a set or an upload may hold.
	MaxCertificates = 20
	// MaxBytes is the longest text of one field of an upload.
	MaxBytes = 64 << 10
)

// A Set is a certificate and what belongs to it. It is not safe for concurrent
// use while SetKey runs.
type Set struct {
	leaf  *x509.Certificate
	chain []*x509.Certificate
	root  *x509.Certificate
	key   *key.Private
}

// New makes a set of a certificate, of those above it (its issuer first, without
// the root) and of the root, all DER; root may be nil. A root at the end of the
// chain is taken as the root, for no server has to send it.
func New(leaf []byte, chain [][]byte, root []byte) (*Set, error) {
	if len(chain) > MaxCertificates-2 {
		return nil, &Error{What: TooMany}
	}
	s := &Set{}
	var err error
	if s.leaf, err = x509.ParseCertificate(leaf); err != nil {
		return nil, &Error{What: Unreadable, Err: err}
	}
	for _, raw := range chain {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, &Error{What: Unreadable, Err: err}
		}
		s.chain = append(s.chain, c)
	}
	if root != nil {
		if s.root, err = x509.ParseCertificate(root); err != nil {
			return nil, &Error{What: Unreadable, Err: err}
		}
	}
	if n := len(s.chain); n > 0 && selfIssued(s.chain[n-1]) {
		if s.root == nil {
			s.root = s.chain[n-1]
		}
		s.chain = s.chain[:n-1]
	}
	return s, nil
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// SetKey adds the private key. One that is not the certificate's is refused with
// [KeyMismatch].
func (s *Set) SetKey(k *key.Private) error {
	if !Matches(s.leaf, k) {
		return &Error{What: KeyMismatch}
	}
	s.key = k
	return nil
}

// HasKey reports whether the files will hold the private key.
func (s *Set) HasKey() bool { return s.key != nil }

// Leaf is the certificate itself.
func (s *Set) Leaf() *x509.Certificate { return s.leaf }

// Matches reports whether a private key is that of a certificate.
func Matches(c *x509.Certificate, k *key.Private) bool {
	spki, err := x509.MarshalPKIXPublicKey(k.Signer().Public())
	return err == nil && bytes.Equal(spki, c.RawSubjectPublicKeyInfo)
}

// Names are the names of the certificate that can stand in a configuration: DNS
// names and addresses. What a certificate holds is data from outside, and a name
// with other characters than names have is left out.
func (s *Set) Names() []string {
	var names []string
	for _, n := range s.leaf.DNSNames {
		if hostName().MatchString(n) && len(n) <= 253 {
			names = append(names, strings.ToLower(n))
		}
	}
	for _, ip := range s.leaf.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			names = append(names, a.String())
		}
	}
	return names
}

var hostName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$`)
})

// Name is the name that files are called by: the first of the certificate,
// "_.orchard.net" for a wildcard, "certificate" where it has none, bounded by [Stem].
func (s *Set) Name() string {
	names := s.Names()
	if len(names) == 0 {
		return "certificate"
	}
	return Stem(strings.NewReplacer("*", "_", ":", "-").Replace(names[0]))
}

// mostStem is how long a file's name may be, without what follows it: file systems take
// 255 bytes, and what unpacks or writes a file may add to them.
const mostStem = 100

// Stem is a name that files are called by. Of a long one it is the beginning and a digest,
// so that two are not called alike.
func Stem(name string) string {
	if len(name) <= mostStem {
		return name
	}
	digest := "-" + hexDigest([]byte(name))[:12]
	kept := name[:mostStem-len(digest)]
	return strings.TrimRight(strings.ToValidUTF8(kept, ""), ".-") + digest
}

// oneLine makes text from outside fit for a line of a note.
func oneLine(s string) string {
	const most = 200
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	for len(s) > most {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
