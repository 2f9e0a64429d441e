package data

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A RootServer is a name server of the root zone, as the root hints list it.
type RootServer struct {
	Name      string // lower case, no trailing dot
	Addresses []netip.Addr
}

// maxRootServers is how many name servers root hints may list. There are 13.
const maxRootServers = 26

// ParseRootHints reads root hints (named.root): NS records of the root and the
// addresses of what they name, in the order of the NS records. A server without
// an address, or an address without a server, is an error.
func ParseRootHints(text string) ([]RootServer, error) {
	records, err := masterRecords(text)
	if err != nil {
		return nil, err
	}
	var servers []RootServer
	find := func(name string) int {
		return slices.IndexFunc(servers, func(s RootServer) bool { return s.Name == name })
	}
	for _, r := range records {
		if r.typ != "NS" {
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(r.data[0], "."))
		if r.owner != "" {
			return nil, fmt.Errorf("line %d: NS of %q: hints name the servers of the root zone only", r.line, r.owner)
		}
		if find(name) < 0 {
			servers = append(servers, RootServer{Name: name})
		}
	}
	if len(servers) == 0 {
		return nil, errors.New("names no server: there is no line like \". 3600000 NS a.root-servers.net.\"")
	}
	if len(servers) > maxRootServers {
		return nil, fmt.Errorf("names %d servers, at most %d are taken", len(servers), maxRootServers)
	}
	for _, r := range records {
		if r.typ == "NS" {
			continue
		}
		a, err := netip.ParseAddr(r.data[0])
		if r.typ != "A" && r.typ != "AAAA" || err != nil || a.Zone() != "" || a.Is4() != (r.typ == "A") {
			return nil, fmt.Errorf("line %d: %.80q is no address of type %.20s", r.line, r.data[0], r.typ)
		}
		i := find(r.owner)
		if i < 0 {
			return nil, fmt.Errorf("line %d: the address of %.80q, which no NS record names", r.line, r.owner)
		}
		if !slices.Contains(servers[i].Addresses, a) {
			servers[i].Addresses = append(servers[i].Addresses, a)
		}
	}
	for _, s := range servers {
		if len(s.Addresses) == 0 {
			return nil, fmt.Errorf("gives no address of %s", s.Name)
		}
	}
	return servers, nil
}

// RootServers returns the root hints. The slice is shared and must not be changed.
func (s *Set) RootServers() []RootServer { return s.rootServers() }

// canonicalHints writes hints without comments. IANA's file has 13 servers; one
// cut short is refused.
func canonicalHints(text string, _ time.Time) (string, int, error) {
	servers, err := ParseRootHints(text)
	if err != nil {
		return "", 0, err
	}
	if err := enough(len(servers), 13, "servers"); err != nil {
		return "", 0, err
	}
	var b strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&b, ". 3600000 NS %s.\n", s.Name)
	}
	for _, s := range servers {
		for _, a := range s.Addresses {
			typ := "AAAA"
			if a.Is4() {
				typ = "A"
			}
			fmt.Fprintf(&b, "%s. 3600000 %s %s\n", s.Name, typ, a)
		}
	}
	return b.String(), len(servers), nil
}

// hintsDate reads ";       last update:     April 18, 2024".
func hintsDate(text string) time.Time {
	day, err := time.Parse("January 2, 2006", comment(text, ";       last update:"))
	if err != nil {
		return time.Time{}
	}
	return day
}
