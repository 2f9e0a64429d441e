package csr

import (
	"bytes"
	"encoding/base64"
	"strings"

	"assay/internal/der"
	"assay/key"
)

// A block is what stands between a BEGIN and an END marker.
type block struct {
	// label is that of the BEGIN line, or of the END line where there is no
	// other; end that of the END line, empty where there is none.
	label, end string
	begun      bool
	// line is where it begins; body its content without header lines.
	line    int
	body    string
	headers string
	// private is set once it is known to hold a private key.
	private bool
}

// A stretch is text outside every block.
type stretch struct {
	line int
	text string
}

// marker finds BEGIN and END lines with however many dashes, also in the middle
// of a line. What follows must be a label in capitals that ends with a dash,
// or one that is known.
var marker = lazily(`(?:(-+) *(BEGIN|END) +([A-Z0-9][A-Z0-9 _/]{1,60}?) *(-+|$|\n)|(^|\n) *(BEGIN|END) +((?:[A-Z0-9]+ ){0,3}(?:PRIVATE KEY(?: BLOCK)?|CERTIFICATE(?: REQUEST)?|PUBLIC KEY)) *(-*))`)

// blocks cuts the text into blocks and what stands around them.
func (t *pasted) blocks() (blocks []block, around []stretch) {
	var open *block
	last, line := 0, 1
	from := 1 // line at last
	for _, m := range marker().FindAllStringSubmatchIndex(t.text, -1) {
		line += strings.Count(t.text[last:m[0]], "\n")
		between := t.text[last:m[0]]
		word, label, five := t.markerAt(m)
		if !five {
			t.repaired(RepairDashes)
		}
		if word == "BEGIN" {
			if open != nil {
				t.close(open, between, "")
				blocks = append(blocks, *open)
			} else {
				around = append(around, stretch{from, between})
			}
			open = &block{label: label, begun: true, line: line + strings.Count(t.text[m[0]:m[1]], "\n")}
			if m[1] == len(t.text) || t.text[m[1]] != '\n' && t.text[m[1]-1] != '\n' {
				t.repaired(RepairLines)
			}
		} else if open != nil {
			t.close(open, between, label)
			blocks = append(blocks, *open)
			open = nil
		} else {
			b := block{label: label, line: from}
			t.close(&b, between, label)
			blocks = append(blocks, b)
		}
		line += strings.Count(t.text[m[0]:m[1]], "\n")
		last, from = m[1], line
	}
	if open != nil {
		t.close(open, t.text[last:], "")
		return append(blocks, *open), around
	}
	return blocks, append(around, stretch{from, t.text[last:]})
}

// markerAt reads a match of marker: one of its two forms.
func (t *pasted) markerAt(m []int) (word, name string, five bool) {
	part := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return t.text[m[2*i]:m[2*i+1]]
	}
	if part(2) != "" {
		return part(2), knownLabel(part(3)), part(1) == "-----" && part(4) == "-----"
	}
	return part(6), knownLabel(part(7)), false
}

// knownLabel returns a label that may be shown and kept. A label that nobody
// uses might be anything, so it is not.
func knownLabel(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for _, known := range []string{
		label, oldLabel, "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "ATTRIBUTE CERTIFICATE",
		"PUBLIC KEY", "RSA PUBLIC KEY", "EC PUBLIC KEY", "DSA PUBLIC KEY", "SSH2 PUBLIC KEY", "PGP PUBLIC KEY BLOCK",
		"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY",
		"OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "SSH2 ENCRYPTED PRIVATE KEY", "ANY PRIVATE KEY",
		"PKCS7", "CMS", "X509 CRL", "DH PARAMETERS", "EC PARAMETERS", "PGP MESSAGE", unreadable,
	} {
		if s == known {
			return s
		}
	}
	if strings.Contains(s, "PRIVATE KEY") {
		return "PRIVATE KEY"
	}
	return "UNKNOWN"
}

// close gives a block its content: header lines (RFC 1421: "Key: value") apart.
func (t *pasted) close(b *block, content, end string) {
	b.end = end
	lines := strings.Split(content, "\n")
	var body, headers []string
	for _, line := range lines {
		trimmed := strings.Trim(line, " ")
		if trimmed != line {
			t.repaired(RepairSpaces)
		}
		if strings.Contains(trimmed, ": ") || strings.HasSuffix(trimmed, ":") {
			headers = append(headers, trimmed)
			trimmed = ""
		}
		body = append(body, trimmed)
	}
	if len(headers) > 0 && strings.HasSuffix(b.label, label) {
		t.repaired(RepairHeaders)
	}
	b.body, b.headers = strings.Join(body, "\n"), strings.Join(headers, "\n")
}

func (b *block) isRequest() bool { return b.label == label || b.label == oldLabel }

// notRequest says what a block under another label is.
func (b *block) notRequest() *Problem {
	p := &Problem{Kind: KindOther, Detected: b.label, Line: b.line}
	switch {
	case strings.HasSuffix(b.label, "CERTIFICATE"):
		p.Kind = KindCertificate
	case strings.Contains(b.label, "PUBLIC KEY"):
		p.Kind = KindPublicKey
	}
	if raw, wrong := (&pasted{}).decode(b.body, 0); wrong == nil {
		if _, wrong := parse(raw); wrong == nil {
			p.Kind = KindWrongLabel
		}
	}
	return p
}

// privateKeys finds every private key: by label, by content under another
// label, or without any armour in the text around. It marks their blocks.
func (t *pasted) privateKeys(blocks []block, around []stretch) (found []removed) {
	for i := range blocks {
		b := &blocks[i]
		beginning := encodedBeginning(b.body)
		if !strings.Contains(b.label+b.end, "PRIVATE KEY") && !key.IsPrivate(beginning) {
			continue
		}
		b.private = true
		name := b.label
		if !strings.Contains(name, "PRIVATE KEY") {
			name = "PRIVATE KEY"
		}
		if print, ok := recordedKeyprint(b.headers); ok {
			found = append(found, removed{name, print})
			continue
		}
		raw, _ := (&pasted{}).decode(b.body, 0)
		found = append(found, removedKey(name, raw))
	}
	for _, s := range around {
		if key.SecretForm(s.text) {
			found = append(found, removed{label: "PRIVATE KEY"})
			continue
		}
		for _, run := range encodedRun().FindAllString(s.text, -1) {
			if beginning := encodedBeginning(run); key.IsPrivate(beginning) {
				raw, _ := (&pasted{}).decode(strings.TrimRight(run, " \n"), 0)
				found = append(found, removedKey("PRIVATE KEY", raw))
			}
		}
	}
	return found
}

// removedKey is what is kept of a private key.
func removedKey(name string, raw []byte) removed {
	if public := key.PublicOf(raw); public != nil {
		return removed{name, key.Print(public)}
	}
	return removed{label: name}
}

// maxRemoved is how many private keys of one text are recorded.
const maxRemoved = 8

func privateProblem(found []removed) *Problem {
	found = found[:min(len(found), maxRemoved)]
	return &Problem{Kind: KindPrivateKey, Detected: found[0].label, Keyprint: found[0].keyprint, private: found}
}

// encodedRun is a run of base64, its lines joined. A shorter one is no key.
var encodedRun = lazily(`M[A-Za-z0-9+/]{19,}(?:[ \n]*[A-Za-z0-9+/=]{4,})*|b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=\n ]*`)

// encodedBeginning decodes the first bytes of base64 that may be spoilt further on.
func encodedBeginning(body string) []byte {
	plain := make([]byte, 0, 64)
	for i := 0; i < len(body) && len(plain) < 64; i++ {
		if isBase64(body[i]) {
			plain = append(plain, body[i])
		} else if body[i] != ' ' && body[i] != '\n' {
			break
		}
	}
	plain = plain[:len(plain)&^3]
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(plain)))
	n, _ := base64.StdEncoding.Decode(raw, plain)
	return raw[:n]
}

// looksEncoded reports whether a line is nothing but base64 of some length.
func looksEncoded(s string) bool {
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if len(line) >= 40 && strings.TrimFunc(line, func(c rune) bool { return c < 0x80 && (isBase64(byte(c)) || c == '=') }) == "" {
			return true
		}
	}
	return false
}

// sniff names DER that is not a request.
func sniff(raw []byte) (Kind, string) {
	r := der.NewReader(raw)
	whole, err := r.Expect(der.Sequence, "")
	if err != nil {
		return "", ""
	}
	in := whole.Inside()
	first, err := in.Next()
	if err != nil {
		return "", ""
	}
	switch first.Tag {
	case der.OID:
		if bytes.HasPrefix(first.Body, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07")) {
			return KindOther, "PKCS7"
		}
	case der.Integer:
		if second, err := in.Next(); err == nil && second.Tag == der.Integer && in.Empty() {
			return KindPublicKey, "RSA PUBLIC KEY"
		}
	case der.Sequence:
		inner := first.Inside()
		a, err := inner.Next()
		if err != nil {
			return "", ""
		}
		switch {
		case a.Tag == der.OID && in.Peek() == der.BitString:
			return KindPublicKey, "PUBLIC KEY"
		case a.Tag == der.Context0:
			return KindCertificate, "CERTIFICATE"
		case a.Tag == der.Integer && len(a.Body) > 1 && inner.Peek() == der.Sequence:
			if algorithm, err := inner.Next(); err == nil && len(algorithm.Body) > 0 && algorithm.Body[0] == der.OID {
				return KindCertificate, "CERTIFICATE" // version 1, or a revocation list
			}
		}
	}
	return "", ""
}

// split returns the first element of DER and what follows it.
func split(raw []byte) (whole, rest []byte) {
	r := der.NewReader(raw)
	e, err := r.Next()
	if err != nil {
		return raw, nil
	}
	return e.Raw, raw[len(e.Raw):]
}

// nameOf names text that is neither PEM nor base64.
func nameOf(s string) string {
	s = strings.TrimSpace(s)
	switch {
	case strings.HasPrefix(s, "ssh-") || strings.HasPrefix(s, "ecdsa-sha2-"):
		return "SSH public key"
	case strings.HasPrefix(s, "{"):
		return "JSON"
	case fileName().MatchString(s):
		return "file name"
	}
	return ""
}

var fileName = lazily(`(?i)^[^\n]{0,200}\.(csr|pem|req|txt|p10|der|crt|key|cer)$`)
