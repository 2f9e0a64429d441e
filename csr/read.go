package csr

import (
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"

	"assay/key"
)

const (
	label     = "CERTIFICATE REQUEST"
	oldLabel  = "NEW CERTIFICATE REQUEST"
	beginLine = "-----BEGIN " + label + "-----\n"
	endLine   = "\n-----END " + label + "-----"
)

// Read reads a request from text as people paste it: PEM, or base64 or DER
// alone. What can be put right in one way only is put right and listed in
// [Request.Repairs]; everything else is a [Problem].
//
// Both results are given where a private key stands beside a request that can
// be read: the problem is then of [KindPrivateKey].
func Read(text string) (*Request, *Problem) {
	if r := readPlain(text); r != nil {
		return r, nil
	}
	return readPasted(text)
}

// Load is [Read] and [Scrub] in one: clean is the text that may be kept.
func Load(text string) (clean string, r *Request, p *Problem) {
	if r := readPlain(text); r != nil {
		return text, r, nil
	}
	r, p = readPasted(text)
	return record(r, p), r, p
}

// Scrub returns what may be kept of a text: a request in PEM, and in place of
// every private key a block of the same label that holds only "Removed-By:
// assay" and, where it could be computed, the keyprint of the key. A text that
// is no request is replaced by a block that records why: whatever was not
// recognised might be part of a key, so nothing of it is kept. Reading the
// clean text gives the same request (with nothing left to repair) and the same
// problem.
//
// found is set where a private key was found; keyprint is that of the first.
func Scrub(text string) (clean, keyprint string, found bool) {
	clean, _, p := Load(text)
	if p != nil && p.Kind == KindPrivateKey {
		return clean, p.Keyprint, true
	}
	return clean, "", false
}

// readPlain reads what most requests are: one well-formed block and nothing
// else. It returns nil for everything that needs a closer look.
func readPlain(text string) *Request {
	body, begun := strings.CutPrefix(text, beginLine)
	body, ended := strings.CutSuffix(strings.TrimSuffix(body, "\n"), endLine)
	if len(text) > MaxBytes || !begun || !ended || strings.ContainsRune(body, '\r') {
		return nil
	}
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(raw, []byte(body))
	if err != nil {
		return nil
	}
	r, p := parse(raw[:n:n])
	if p != nil {
		return nil
	}
	return r
}

// readPasted reads everything else.
func readPasted(text string) (*Request, *Problem) {
	if len(text) > MaxBytes {
		return nil, &Problem{Kind: KindTooLarge}
	}
	if p := recorded(text); p != nil {
		return nil, p
	}
	t := &pasted{}
	if raw, ok := binaryForm(text); ok {
		t.repaired(RepairDER)
		if key.IsPrivate(raw) {
			return nil, privateProblem([]removed{removedKey("PRIVATE KEY", raw)})
		}
		return t.request(raw, 0)
	}
	t.normalise(text)
	if strings.TrimSpace(t.text) == "" {
		return nil, &Problem{Kind: KindEmpty}
	}
	blocks, around := t.blocks()
	private := t.privateKeys(blocks, around)
	rest := slices.DeleteFunc(blocks, func(b block) bool { return b.private })
	if len(private) > 0 {
		p := privateProblem(private)
		if len(rest) == 1 {
			if r, other := t.readBlock(&rest[0]); other == nil {
				return r, p
			}
		}
		return nil, p
	}
	if len(rest) == 0 {
		return t.readBare()
	}
	return t.readBlocks(rest, around)
}

// readBlocks reads a text that holds at least one block, none of them private.
func (t *pasted) readBlocks(blocks []block, around []stretch) (*Request, *Problem) {
	requests := 0
	for i := range blocks {
		if blocks[i].isRequest() {
			requests++
		}
	}
	first := &blocks[0]
	if requests == 0 {
		return nil, first.notRequest()
	}
	if len(blocks) > 1 {
		second := &blocks[1]
		return nil, &Problem{Kind: KindSecondBlock, Detected: second.label, Line: second.line}
	}
	r, p := t.readBlock(first)
	if p != nil {
		return nil, p
	}
	for _, s := range around {
		if s.line > first.line && looksEncoded(s.text) {
			return nil, &Problem{Kind: KindSecondBlock, Line: s.line, Detail: "encoded data follows the block"}
		}
	}
	if slices.ContainsFunc(around, func(s stretch) bool { return strings.Trim(s.text, " \n-") != "" }) {
		r.Repairs = append(r.Repairs, RepairAround)
	}
	return r, nil
}

// readBlock reads one block that is labelled as a request.
func (t *pasted) readBlock(b *block) (*Request, *Problem) {
	switch {
	case !b.isRequest():
		return nil, b.notRequest()
	case b.end == "":
		return nil, &Problem{Kind: KindMissingEnd, Line: b.line}
	case !b.begun:
		return nil, &Problem{Kind: KindMissingBegin, Line: b.line}
	case b.end != b.label && !(strings.HasSuffix(b.end, label) && strings.HasSuffix(b.label, label)):
		return nil, &Problem{Kind: KindWrongEnd, Detected: b.end, Line: b.line}
	}
	raw, p := t.decode(b.body, b.line)
	if p != nil {
		return nil, p
	}
	r, p := t.request(raw, b.line)
	if p == nil && b.label == oldLabel {
		r.Repairs = append(r.Repairs, RepairLabel)
	}
	return r, p
}

// request parses DER and names what it is where it is no request.
func (t *pasted) request(raw []byte, line int) (*Request, *Problem) {
	r, p := parse(raw)
	if p == nil {
		r.Repairs = slices.Clone(t.repairs)
		return r, nil
	}
	if kind, name := sniff(raw); kind != "" {
		return nil, &Problem{Kind: kind, Detected: name, Line: line}
	}
	if p.Kind == KindStructure {
		if whole, rest := split(raw); len(rest) > 0 {
			if _, inside := parse(whole); inside == nil {
				return nil, &Problem{Kind: KindTrailing, Offset: len(whole), Line: line, Detail: p.Detail}
			}
		}
	}
	p.Line = line
	return nil, p
}

// readBare reads text without any block: base64 of a request alone, or
// something that can be named.
func (t *pasted) readBare() (*Request, *Problem) {
	if name := nameOf(t.text); name != "" {
		kind := KindOther
		switch name {
		case "SSH public key":
			kind = KindPublicKey
		case "file name":
			return nil, &Problem{Kind: KindPath}
		}
		return nil, &Problem{Kind: kind, Detected: name}
	}
	body := strings.Join(strings.Fields(t.text), "")
	if strings.ContainsAny(body, "-_") && !strings.ContainsAny(body, "+/") {
		body = strings.NewReplacer("-", "+", "_", "/").Replace(body)
		t.repaired(RepairBase64URL)
	}
	raw, p := t.decode(body, 0)
	if p != nil && strings.HasPrefix(body, "MI") {
		p.Line = 0
		return nil, p
	}
	if p != nil || len(raw) == 0 || raw[0] != 0x30 {
		return nil, &Problem{Kind: KindNotRequest}
	}
	t.repaired(RepairNoArmour)
	return t.request(raw, 0)
}

// Encode returns the PEM of a request.
func Encode(raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: raw}))
}
