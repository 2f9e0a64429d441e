package evidence

import "strconv"

// A Deployment is a certificate that is in use, or is about to be.
type Deployment struct {
	// Names are the names and addresses that serve it, without wildcards.
	Names []string `json:"names"`
	// Leaf is the certificate, Chain those above it that a server has to send, its
	// issuer first, Root the trust anchor where it is known; all DER.
	Leaf  []byte   `json:"leaf"`
	Chain [][]byte `json:"chain,omitempty"`
	Root  []byte   `json:"root,omitempty"`
	// Newer is the SHA-256, in hexadecimal, of the certificate that took its place; "": none
	// did. Both may begin at the same time.
	Newer string `json:"newer,omitempty"`
}

// PortHTTPS is where a deployment is looked at.
const PortHTTPS = 443

// ServedQuestion asks what a name shows at each of its addresses, TLSAQuestion
// which keys the DNS pins for it (RFC 6698 3).
func ServedQuestion(place, name string) Question {
	return Question{Kind: KindTLS, Perspective: place, TLS: &TLSQuestion{Name: name, Each: true, Port: PortHTTPS, ALPN: []string{"http/1.1"}}}
}

// TLSAQuestion: see [ServedQuestion].
func TLSAQuestion(place, name string) Question {
	return Question{Kind: KindDNS, Perspective: place, DNS: &DNSQuestion{Name: TLSAOwner(name), Type: "TLSA"}}
}

// TLSAOwner is where the TLSA records of a name stand.
func TLSAOwner(name string) string { return "_" + strconv.Itoa(PortHTTPS) + "._tcp." + name }
