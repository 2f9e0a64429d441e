package evidence

import "time"

// An Upload is what was found in the texts of a certificate that was made
// elsewhere: plain data, without anything of a private key but the digest of its
// public half.
type Upload struct {
	// Unreadable is what could not be read, or not as it stood, in order.
	Unreadable []Unreadable `json:"unreadable,omitempty"`
	// Leaf is the server's certificate; nil where none could be read.
	Leaf *CertificateFact `json:"leaf,omitempty"`
	// Key is nil where no key was given or it could not be read.
	Key   *KeyFact  `json:"key,omitempty"`
	Chain ChainFact `json:"chain"`
	// Above are the certificates that lead upwards from the leaf, its issuer first, to the
	// root where that was given or is known.
	Above []AboveFact `json:"above,omitempty"`
	// Compromised is the entry that blocks its key, nil where none does.
	Compromised *Hit `json:"compromised,omitempty"`
	// Stored is the same certificate where it was stored before.
	Stored *StoredFact `json:"stored,omitempty"`
}

// Unreadable is what is wrong with a text. It holds nothing of the text but
// words that are known.
type Unreadable struct {
	// Field is "certificate", "key" or "chain".
	Field string `json:"field"`
	// Problem is a word of upload.unreadable.
	Problem string `json:"problem"`
	// Line is where, counted from 1; 0 where that says nothing.
	Line int `json:"line,omitempty"`
	// Seen names what it is instead: "PKCS #12", "PUBLIC KEY".
	Seen string `json:"seen,omitempty"`
}

// A CertificateFact is what rules look at in a certificate.
type CertificateFact struct {
	// Subject and Issuer are names to show: the common name, or what stands for it.
	Subject string `json:"subject"`
	Issuer  string `json:"issuer"`
	// Serial is in hexadecimal, lower case.
	Serial string `json:"serial"`
	// Names are its DNS names and addresses.
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// SHA256 is the digest of the whole, SPKISHA256 that of its public key,
	// both in hexadecimal.
	SHA256     string `json:"sha256"`
	SPKISHA256 string `json:"spki_sha256"`
	// SelfSigned is set where it is its own issuer, CA where it may issue others.
	SelfSigned bool `json:"self_signed,omitempty"`
	CA         bool `json:"ca,omitempty"`
}

// A KeyFact is what rules look at in a private key.
type KeyFact struct {
	SPKISHA256 string `json:"spki_sha256"`
}

// A ChainFact is how the certificates given lead upwards from the leaf.
type ChainFact struct {
	// Given are the subjects of the intermediates in the order given, Added
	// those that known ones completed.
	Given []string `json:"given,omitempty"`
	Added []string `json:"added,omitempty"`
	// Problem is a word of upload.chain-incomplete, "" where there is none.
	Problem string `json:"problem,omitempty"`
	// Repaired is set where the chain is complete nevertheless.
	Repaired bool `json:"repaired,omitempty"`
	// Subject is the certificate that the chain ends at, Issuer who issued it.
	Subject string `json:"subject,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
}

// An AboveFact is what rules look at in a certificate that issued another.
type AboveFact struct {
	// Subject is its name, Issued that of the certificate which it issued.
	Subject   string    `json:"subject"`
	Issued    string    `json:"issued"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// Problem says why clients do not accept what it issued, whatever the time is: a word of
	// upload.chain-incomplete, "" where nothing is wrong.
	Problem string `json:"problem,omitempty"`
}

// A StoredFact is a certificate that is stored already.
type StoredFact struct {
	ID     string    `json:"id"`
	Serial string    `json:"serial,omitempty"`
	Stored time.Time `json:"stored"`
}
