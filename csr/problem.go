package csr

import "fmt"

// Kind says why a text is not a request that can be read.
type Kind string

// The kinds of problem.
const (
	KindEmpty        Kind = "empty"         // nothing but white space
	KindTooLarge     Kind = "too-large"     // more than MaxBytes; it was not read
	KindPrivateKey   Kind = "private-key"   // a private key, alone or beside something else
	KindCertificate  Kind = "certificate"   // a certificate
	KindPublicKey    Kind = "public-key"    // a bare public key, also of SSH
	KindOther        Kind = "other"         // something else that has a name; see Detected
	KindSecondBlock  Kind = "second-block"  // a second block, or data after the block
	KindWrongLabel   Kind = "wrong-label"   // a request under another label
	KindMissingBegin Kind = "missing-begin" // no BEGIN line
	KindMissingEnd   Kind = "missing-end"   // no END line
	KindWrongEnd     Kind = "wrong-end"     // the END line names something else than the BEGIN line
	KindBase64       Kind = "base64"        // a character or length that base64 does not have
	KindTruncated    Kind = "truncated"     // lines are missing
	KindTrailing     Kind = "trailing"      // bytes follow the request inside the block
	KindStructure    Kind = "structure"     // DER or PKCS #10 error
	KindPath         Kind = "path"          // the name of a file instead of what is in it
	KindNotRequest   Kind = "not-a-request" // text without anything that could be one
)

// A Problem is why a text is not a request that can be read. It never holds
// anything of the text but labels that it knows and single characters that are
// not base64.
type Problem struct {
	Kind Kind
	// Detected names what was found: a PEM label ("RSA PRIVATE KEY"), or a
	// type ("SSH public key").
	Detected string
	// Line is where, counted from 1 in the text; 0 where that says nothing.
	Line int
	// Offset is the byte of the DER at which it breaks; 0 where it does not.
	Offset int
	// Missing is how many bytes are missing at least.
	Missing int
	// Detail is the error in English.
	Detail string
	// Keyprint is the print of the public half of a private key, where it
	// could be computed (see key.Print): the only thing of it that is kept.
	Keyprint string

	private []removed
}

// removed is a private key that stood in the text.
type removed struct{ label, keyprint string }

func (p *Problem) Error() string {
	s := string(p.Kind)
	if p.Detected != "" {
		s += " (" + p.Detected + ")"
	}
	if p.Line > 0 {
		s += fmt.Sprintf(", line %d", p.Line)
	}
	if p.Offset > 0 {
		s += fmt.Sprintf(", byte %d", p.Offset)
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

// A Repair is something that was put right before a text could be read.
type Repair string

// The repairs. None of them changes what the request says: its own signature
// covers every byte.
const (
	RepairBOM       Repair = "byte-order-mark"
	RepairUTF16     Repair = "utf-16"
	RepairDER       Repair = "binary-der"
	RepairLineEnds  Repair = "line-ends"      // CR LF or CR
	RepairEscapes   Repair = "escapes"        // \n, \/, \u002b of JSON or a shell
	RepairHTML      Repair = "html"           // entities and tags
	RepairURL       Repair = "url-encoding"   // %2B, %0A, + for a space
	RepairDashes    Repair = "dashes"         // typographic dashes, or not five
	RepairSpaces    Repair = "white-space"    // indentation, blank lines, invisible characters
	RepairQuotes    Repair = "quotes"         // around the text or its lines, or > of a mail
	RepairLines     Repair = "joined-lines"   // marker and content on one line
	RepairLabel     Repair = "old-label"      // NEW CERTIFICATE REQUEST
	RepairAround    Repair = "text-around"    // explanatory text outside the block
	RepairHeaders   Repair = "headers"        // header lines inside the block
	RepairNoArmour  Repair = "no-armour"      // base64 without BEGIN and END
	RepairBase64URL Repair = "base64url"      // the alphabet of ACME
	RepairPadding   Repair = "missing-equals" // no = at the end
)
