package dial

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"
)

// MaxMapBytes is the largest dial map that [ParseMap] reads.
const MaxMapBytes = 4 << 20

// ParseMap reads a dial map, one entry a line:
//
//	# what rules call it        where it really is
//	udp 45.155.10.11:53         127.0.0.1:40111
//	tcp [2a10:50c0::53]:53      127.0.0.1:40112
//	tcp 45.155.10.21:80         drop              # no answer ever comes
//
// A number sign begins a comment. An entry given twice with two targets is an
// error, as is an empty map: with it nothing could be reached. Errors name the line.
func ParseMap(text string) (Map, error) {
	if len(text) > MaxMapBytes {
		return nil, fmt.Errorf("larger than %d bytes", MaxMapBytes)
	}
	m := Map{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		from, to, err := mapEntry(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if have, ok := m[from]; ok && have != to {
			return nil, fmt.Errorf("line %d: %s %s is already sent to %s", number, from.Network, from.AddrPort, have)
		}
		m[from] = to
	}
	if len(m) == 0 {
		return nil, fmt.Errorf("has no entry such as \"udp 45.155.10.11:53 127.0.0.1:40111\": nothing could be reached")
	}
	return m, nil
}

// drop stands for the zero AddrPort.
const drop = "drop"

func mapEntry(fields []string) (from Endpoint, to netip.AddrPort, err error) {
	if len(fields) != 3 || fields[0] != "udp" && fields[0] != "tcp" {
		return from, to, fmt.Errorf("want udp or tcp, an address and port, and where it really is: \"udp 45.155.10.11:53 127.0.0.1:40111\"")
	}
	from.Network = fields[0]
	if from.AddrPort, err = mapAddress(fields[1]); err != nil {
		return from, to, err
	}
	if fields[2] == drop {
		return from, to, nil
	}
	to, err = mapAddress(fields[2])
	return from, to, err
}

func mapAddress(text string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Port() == 0 || a.Addr().Zone() != "" {
		return a, fmt.Errorf("%.80q is no address with a port (45.155.10.11:53, [2a10:50c0::53]:53)", text)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

// String writes the map as [ParseMap] reads it, sorted.
func (m Map) String() string {
	keys := make([]Endpoint, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if c := keys[i].AddrPort.Compare(keys[j].AddrPort); c != 0 {
			return c < 0
		}
		return keys[i].Network > keys[j].Network // udp first
	})
	var b strings.Builder
	for _, k := range keys {
		to := drop
		if m[k].IsValid() {
			to = m[k].String()
		}
		fmt.Fprintf(&b, "%s %s %s\n", k.Network, k.AddrPort, to)
	}
	return b.String()
}
