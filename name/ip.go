package name

import (
	"net/netip"
	"strconv"
	"strings"
)

// parseIP reads an IPv6 address, with brackets and zone if it has them. It
// reports false where the text is none, and changes nothing then.
func (p *parser) parseIP(host string, offset int) bool {
	text, rule := host, ""
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text, rule = strings.TrimSuffix(inner, "]"), "bracket"
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() {
		return false
	}
	switch {
	case addr.Zone() != "":
		rule = "zone"
		addr = addr.WithZone("")
	case addr.Is4In6():
		rule = "mapped"
	case rule == "" && text != addr.String():
		rule = "spelling"
	}
	p.setIP(addr.Unmap(), rule, host, offset, true)
	return true
}

// parseNumbers reads an IPv4 address in any notation a resolver takes (as BSD's
// inet_aton: one to four numbers, decimal, octal after a leading zero,
// hexadecimal after 0x). It reports whether the name is one. A name of numbers
// that is no address is a problem, and stays a name.
func (p *parser) parseNumbers(host string, offset int) bool {
	numbers := len(p.Labels) > 0
	for _, l := range p.Labels {
		numbers = numbers && isNumber(l)
	}
	if !numbers {
		return false
	}
	addr, rule, sure := fromNumbers(p.Labels)
	if p.Wildcard && addr.IsValid() {
		// An address has no names below it, and no field holds this.
		p.problem(Problem{Kind: IPNotation, Offset: offset, Label: -1, Rule: "wildcard", Detail: host})
		return false
	}
	if !addr.IsValid() {
		p.problem(Problem{Kind: IPNotation, Offset: offset, Label: -1, Rule: "not-address", Detail: host})
		return false
	}
	if rule == "" && host != addr.String() && p.unicodeAt == 0 && !p.Has(Character) {
		rule = "spelling" // a final dot
	}
	if p.unicodeAt > 0 {
		rule = "spelling" // digits of other scripts
	}
	p.setIP(addr, rule, host, offset, sure)
	return true
}

func (p *parser) setIP(addr netip.Addr, rule, host string, offset int, sure bool) {
	p.IP, p.Canonical = addr, addr.String()
	p.Clean, p.Base, p.Unicode, p.Labels = p.Canonical, p.Canonical, p.Canonical, nil
	if rule != "" {
		p.problem(Problem{Kind: IPNotation, Offset: offset, Label: -1, Rule: rule, Detail: host})
	}
	for i := range p.Problems {
		if sure {
			p.Problems[i].Suggestion = p.Canonical
		}
	}
}

func isNumber(s string) bool {
	if s == "" {
		return false
	}
	digits := "0123456789"
	if len(s) > 2 && s[0] == '0' && s[1] == 'x' {
		s, digits = s[2:], "0123456789abcdef"
	}
	return strings.Trim(s, digits) == ""
}

// fromNumbers reads an address as inet_aton does: the last number fills the
// bytes that are left. rule names the first thing that is not a dotted quad;
// sure is false where a person means another address than a resolver reads
// ("010.0.0.1").
func fromNumbers(parts []string) (addr netip.Addr, rule string, sure bool) {
	if len(parts) > 4 {
		return netip.Addr{}, "", false
	}
	sure = true
	var value uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		switch {
		case len(part) > 1 && part[0] == '0' && part[1] != 'x':
			// A digit 8 or 9 after a leading zero is no octal number anywhere,
			// but it is plain what is meant.
			decimal, decErr := strconv.ParseUint(part, 10, 32)
			if err != nil {
				n, err = decimal, decErr
			}
			sure = sure && n == decimal
			rule = "octal"
		case part[0] == '0' && len(part) > 1:
			if rule == "" {
				rule = "hex"
			}
		}
		left := uint(8 * (4 - i))
		last := i == len(parts)-1
		if err != nil || !last && n > 255 || last && n >= 1<<left {
			return netip.Addr{}, "", false
		}
		if last {
			value |= n
		} else {
			value |= n << (left - 8)
		}
	}
	if rule == "" && len(parts) < 4 {
		rule = "short"
		if len(parts) == 1 {
			rule = "number"
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), rule, sure
}
