package data

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// parseBlocks reads the CSV files of the IANA special-purpose address
// registries, both families one after the other. Every row counts, whatever it
// says about reachability and termination (BR 1.6.1, Reserved IP Address). The
// result is sorted: most specific first.
func parseBlocks(text string) ([]Block, error) {
	reader := csv.NewReader(strings.NewReader(text))
	reader.FieldsPerRecord = -1
	reader.ReuseRecord = true
	var blocks []Block
	header := false
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := reader.FieldPos(0)
		if len(row) < 3 {
			return nil, fmt.Errorf("line %d: want at least the columns Address Block, Name, RFC", line)
		}
		if row[0] == "Address Block" {
			if row[1] != "Name" || row[2] != "RFC" {
				return nil, fmt.Errorf("line %d: the header must begin with Address Block, Name, RFC", line)
			}
			header = true
			continue
		}
		if !header {
			return nil, fmt.Errorf("line %d: the first line must be the header Address Block, Name, RFC, …", line)
		}
		for prefix := range strings.SplitSeq(footnote.ReplaceAllString(row[0], ""), ",") {
			p, err := netip.ParsePrefix(strings.TrimSpace(prefix))
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			blocks = append(blocks, Block{Prefix: p.Masked(), Name: strings.Trim(row[1], `"`), RFC: readRFC(row[2])})
		}
	}
	slices.SortStableFunc(blocks, func(a, b Block) int { return b.Prefix.Bits() - a.Prefix.Bits() })
	return blocks, nil
}

var (
	footnote = regexp.MustCompile(`\s*\[\d+\]`)
	rfcName  = regexp.MustCompile(`RFC\s?(\d+)`)
)

// readRFC turns "[RFC1122], Section 3.2.1.3" into "RFC 1122, Section 3.2.1.3".
func readRFC(cell string) string {
	cell = strings.NewReplacer("][", ", ", "]\n", ", ", "[", "", "]", "").Replace(cell)
	return rfcName.ReplaceAllString(strings.Join(strings.Fields(cell), " "), "RFC $1")
}

// Address forms that hold an IPv4 address: NAT64 (RFC 6052 2.1, the well-known
// prefix) in the last four bytes, 6to4 (RFC 3056 2) in bytes 2 to 5.
var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// Reserved returns the most specific row of the special-purpose registries that
// holds an address. A v4-mapped, NAT64 or 6to4 address is judged by the IPv4
// address inside first, since that row says more, and then as it stands.
// Multicast addresses are reserved too, and IPv6 addresses that are not global
// unicast: the deprecated forms that hold an IPv4 address are among them
// (::127.0.0.1, ::ffff:0:127.0.0.1).
func (s *Set) Reserved(a netip.Addr) (Block, bool) {
	a = a.WithZone("")
	if inner, ok := inside(a); ok {
		if b, ok := s.block(inner); ok {
			return b, true
		}
	}
	return s.block(a)
}

func inside(a netip.Addr) (netip.Addr, bool) {
	raw := a.As16()
	switch {
	case a.Is4In6():
		return a.Unmap(), true
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(raw[12:16])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(raw[2:6])), true
	}
	return netip.Addr{}, false
}

func (s *Set) block(a netip.Addr) (Block, bool) {
	for _, list := range [2][]Block{s.blocks(), multicast} {
		for i := range list { // by index: every dial comes here, and a row is large
			if list[i].Prefix.Contains(a) {
				return list[i], true
			}
		}
	}
	if a.Is6() && !a.Is4In6() && !globalUnicast.Contains(a) {
		return Block{netip.MustParsePrefix("::/0"), "Not global unicast", "RFC 4291, Section 2.4"}, true
	}
	return Block{}, false
}

// globalUnicast is all of IPv6 that IANA allocates from (IPv6 address space
// registry).
var globalUnicast = netip.MustParsePrefix("2000::/3")

// multicast addresses have registries of their own; no single host holds one.
var multicast = []Block{
	{netip.MustParsePrefix("224.0.0.0/4"), "Multicast", "RFC 5771"},
	{netip.MustParsePrefix("ff00::/8"), "Multicast", "RFC 4291, Section 2.7"},
}
