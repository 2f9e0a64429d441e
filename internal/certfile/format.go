package certfile

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"io"
	"slices"
	"strings"
)

// A Need says whether a format wants something.
type Need string

// The needs.
const (
	Never    Need = "never"
	Optional Need = "optional" // it is put in where it is there
	WithKey  Need = "with-key" // needed where a private key is put in
	Always   Need = "always"
)

// A Format is a kind of file that a set can be made into.
type Format struct {
	// ID is its word: "pem", "nginx".
	ID string
	// MediaType is that of the file (RFC 8555 9.1 for PEM, RFC 2585 for DER).
	MediaType string
	// Suffix is what follows [Set.Name] in the name of the file.
	Suffix string
	// Key is Never, Optional or Always; Password is Never, WithKey or Always.
	Key, Password Need
	// Bundle is set for a zip file for a server.
	Bundle bool

	make func(s *Set, o *Options) ([]byte, error)
}

const (
	mediaPEM = "application/pem-certificate-chain"
	mediaZIP = "application/zip"
)

// formats is the one table of them.
func formats() []Format {
	list := []Format{
		{ID: "pem", MediaType: mediaPEM, Suffix: ".pem", Key: Never, Password: Never, make: (*Set).makePEM},
		{ID: "chain", MediaType: mediaPEM, Suffix: ".chain.pem", Key: Never, Password: Never, make: (*Set).makeChain},
		{ID: "fullchain", MediaType: mediaPEM, Suffix: ".fullchain.pem", Key: Never, Password: Never, make: (*Set).makeFullChain},
		{ID: "root", MediaType: mediaPEM, Suffix: ".root.pem", Key: Never, Password: Never, make: (*Set).makeRoot},
		{ID: "der", MediaType: "application/pkix-cert", Suffix: ".cer", Key: Never, Password: Never, make: (*Set).makeDER},
		{ID: "pkcs7", MediaType: "application/x-pkcs7-certificates", Suffix: ".p7b", Key: Never, Password: Never, make: (*Set).makePKCS7},
		{ID: "pkcs12", MediaType: "application/x-pkcs12", Suffix: ".p12", Key: Always, Password: Always, make: (*Set).makePKCS12},
		{ID: "jks", MediaType: "application/x-java-keystore", Suffix: ".jks", Key: Optional, Password: Always, make: (*Set).makeJKS},
	}
	for _, server := range servers() {
		list = append(list, Format{
			ID: server.id, MediaType: mediaZIP, Suffix: "." + server.id + ".zip", Key: Optional, Password: server.password, Bundle: true,
			make: server.bundle,
		})
	}
	return list
}

// Formats lists every format, the plain ones first.
func Formats() []Format { return formats() }

// Lookup finds a format by its word.
func Lookup(id string) (Format, bool) {
	list := formats()
	i := slices.IndexFunc(list, func(f Format) bool { return f.ID == id })
	if i < 0 {
		return Format{}, false
	}
	return list[i], true
}

func formatIDs() string {
	var ids []string
	for _, f := range formats() {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, ", ")
}

// Options are what a caller decides about a file.
type Options struct {
	// Password encrypts the key, and in PKCS #12 and JKS everything: 6 to 128
	// printable ASCII characters, which every program encodes alike.
	Password string
	// Legacy makes PKCS #12 that software before 2020 reads (Windows Server 2016,
	// Java before 8u301): triple DES and SHA-1, which protect little.
	Legacy bool
	// Random is the source of salts; nil: crypto/rand.
	Random io.Reader
}

// A File is what was made.
type File struct {
	Name, MediaType string
	Content         []byte
	// Secret is set where it holds the private key: it is for its owner's eyes.
	Secret bool
}

// The lengths of a password: Java's keytool takes none shorter than six.
const (
	minPassword = 6
	maxPassword = 128
)

// Make makes a file of the set. Without random salts (all formats but PKCS #12
// and JKS with what holds them) the same set gives the same bytes. The errors
// are of type [*Error].
func (s *Set) Make(id string, o Options) (*File, error) {
	f, ok := Lookup(id)
	if !ok {
		return nil, &Error{What: UnknownFormat, Format: oneLine(id)}
	}
	if f.Key == Always && s.key == nil {
		return nil, &Error{What: KeyNeeded, Format: f.ID}
	}
	if f.Password == Always || f.Password == WithKey && s.key != nil {
		if what := judgePassword(o.Password); what != "" {
			return nil, &Error{What: what, Format: f.ID}
		}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	content, err := f.make(s, &o)
	if err != nil {
		return nil, err
	}
	return &File{Name: s.Name() + f.Suffix, MediaType: f.MediaType, Content: content, Secret: s.key != nil && f.Key != Never}, nil
}

func judgePassword(p string) What {
	if p == "" {
		return PasswordNeeded
	}
	if len(p) < minPassword || len(p) > maxPassword || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r > '~' }) {
		return PasswordUnfit
	}
	return ""
}

func (s *Set) makePEM(*Options) ([]byte, error) { return encodePEM(s.leaf.Raw), nil }

func (s *Set) makeDER(*Options) ([]byte, error) { return s.leaf.Raw, nil }

func (s *Set) makeChain(*Options) ([]byte, error) {
	if len(s.chain) == 0 {
		return nil, &Error{What: NoChain, Format: "chain"}
	}
	return s.chainPEM(), nil
}

func (s *Set) makeFullChain(*Options) ([]byte, error) { return s.fullChainPEM(), nil }

func (s *Set) makeRoot(*Options) ([]byte, error) {
	if s.root == nil {
		return nil, &Error{What: NoRoot, Format: "root"}
	}
	return encodePEM(s.root.Raw), nil
}

func (s *Set) chainPEM() []byte {
	var b bytes.Buffer
	for _, c := range s.chain {
		b.Write(encodePEM(c.Raw))
	}
	return b.Bytes()
}

func (s *Set) fullChainPEM() []byte { return append(encodePEM(s.leaf.Raw), s.chainPEM()...) }

func encodePEM(raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}
