package csr

import (
	"fmt"
	"strconv"
	"strings"
)

// unreadable is the label of the block that stands for a text that was no request.
const unreadable = "UNREADABLE REQUEST"

const removedBy = "Removed-By: assay"

// record writes what may be kept of a text.
func record(r *Request, p *Problem) string {
	var b strings.Builder
	switch {
	case p == nil:
	case p.Kind == KindPrivateKey:
		for _, k := range p.private {
			fmt.Fprintf(&b, "-----BEGIN %s-----\n%s\n", k.label, removedBy)
			if k.keyprint != "" {
				fmt.Fprintf(&b, "Keyprint: %s\n", k.keyprint)
			}
			fmt.Fprintf(&b, "-----END %s-----\n", k.label)
		}
	default:
		fmt.Fprintf(&b, "-----BEGIN %s-----\n%s\nKind: %s\n", unreadable, removedBy, p.Kind)
		for _, h := range p.headers() {
			if *h.text != "" {
				fmt.Fprintf(&b, "%s: %s\n", h.name, *h.text)
			}
		}
		for _, h := range p.numbers() {
			if *h.number != 0 {
				fmt.Fprintf(&b, "%s: %d\n", h.name, *h.number)
			}
		}
		fmt.Fprintf(&b, "-----END %s-----\n", unreadable)
	}
	if r != nil {
		b.WriteString(Encode(r.DER))
	}
	return b.String()
}

type header struct {
	name   string
	text   *string
	number *int
}

func (p *Problem) headers() []header {
	return []header{{name: "Detected", text: &p.Detected}, {name: "Detail", text: &p.Detail}}
}

func (p *Problem) numbers() []header {
	return []header{{name: "Line", number: &p.Line}, {name: "Offset", number: &p.Offset}, {name: "Missing", number: &p.Missing}}
}

// recorded reads the block that record wrote, and nothing like it.
func recorded(text string) *Problem {
	body, ok := strings.CutPrefix(text, "-----BEGIN "+unreadable+"-----\n"+removedBy+"\nKind: ")
	if !ok {
		return nil
	}
	body, ok = strings.CutSuffix(body, "-----END "+unreadable+"-----\n")
	if !ok {
		return nil
	}
	kind, rest, _ := strings.Cut(body, "\n")
	p := &Problem{Kind: Kind(kind)}
	for line := range strings.Lines(rest) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		for _, h := range p.headers() {
			if h.name == name {
				*h.text = value
			}
		}
		for _, h := range p.numbers() {
			if h.name == name {
				*h.number, _ = strconv.Atoi(value)
			}
		}
	}
	// What is not exactly what record writes is somebody else's text.
	if p.Kind == KindPrivateKey || !known(p.Kind) || len(p.Detail) > maxDetail || record(nil, p) != text {
		return nil
	}
	return p
}

func known(k Kind) bool {
	switch k {
	case KindEmpty, KindTooLarge, KindCertificate, KindPublicKey, KindOther, KindSecondBlock, KindWrongLabel,
		KindMissingBegin, KindMissingEnd, KindWrongEnd, KindBase64, KindTruncated, KindTrailing, KindStructure,
		KindPath, KindNotRequest:
		return true
	}
	return false
}

// recordedKeyprint reads the headers of a private key that was removed before.
func recordedKeyprint(headers string) (print string, ok bool) {
	first, rest, _ := strings.Cut(headers, "\n")
	if first != removedBy {
		return "", false
	}
	print, _ = strings.CutPrefix(rest, "Keyprint: ")
	for _, c := range print {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return "", true
		}
	}
	if len(print) != 64 {
		print = ""
	}
	return print, true
}
