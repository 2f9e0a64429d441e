package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"assay/data"
	"assay/evidence"
	"assay/perspective"
	"assay/probe/dial"
)

// A Network is what the settings come to: how to look, from where, and what of
// that is not the public internet's.
type Network struct {
	Dialer  *dial.Dialer
	Hints   []data.RootServer
	Anchors []data.Anchor
	// Resolver decides instead of the name servers; "" for none. Public are
	// asked to explain.
	Resolver string
	Public   []string
	// Timeout of one try; 0 for the defaults.
	Timeout time.Duration
	// Region and Location are where this machine's network is, as far as known.
	Region   string
	Location *evidence.Location
	// Options are the settings that are not the internet's; nil where all are.
	Options *evidence.NetworkOptions
}

// maxHintBytes bounds the files of root hints and trust anchors.
const maxHintBytes = 64 << 10

// Network reads the files that the settings name and checks what can only be
// checked here. All errors are returned at once, each an [*Error].
func (c *Config) Network(set *data.Set, now time.Time) (*Network, error) {
	n := &Network{
		Dialer: &dial.Dialer{
			Data: set, DNSPort: c.DNSPort, HTTPPort: c.HTTPPort, HTTPSPort: c.HTTPSPort,
			Source: c.SourceAddress.Addr, Timeout: c.Timeout.Duration,
		},
		Hints: set.RootServers(), Anchors: set.Anchors(),
		Resolver: c.Resolver.String(), Timeout: c.Timeout.Duration, Region: c.Region, Location: c.Location.Location,
	}
	for _, r := range c.PublicResolvers {
		n.Public = append(n.Public, r.String())
	}
	for _, p := range c.AllowAddresses {
		n.Dialer.Allow = append(n.Dialer.Allow, p.Prefix)
	}
	o := &evidence.NetworkOptions{
		Ports: c.ports(), Exempt: c.exempt(), Resolver: n.Resolver,
		RootHints: foreignSnapshot(set, data.RootHints), Anchors: foreignSnapshot(set, data.RootAnchors),
	}
	var faults []error
	faults = append(faults, c.readHints(n, o, set), c.readAnchors(n, o, set, now), c.readDialMap(n, o), c.checkSource(), c.checkPlace())
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if *o != (evidence.NetworkOptions{}) {
		// A machine with two addresses is no laboratory: the source address is
		// noted beside other settings, and is none by itself.
		o.Source = c.source()
		n.Options = o
	}
	return n, nil
}

// readHints reads --root-hints. Hints that are the internet's by another path
// are no sign of a laboratory.
func (c *Config) readHints(n *Network, o *evidence.NetworkOptions, set *data.Set) error {
	if c.RootHints == "" {
		return nil
	}
	text, err := readFile(c.RootHints, maxHintBytes)
	if err == nil {
		n.Hints, err = data.ParseRootHints(text)
	}
	if err != nil {
		return &Error{Where: c.RootHints, Key: "root-hints", What: reason(err)}
	}
	o.RootHints = ""
	if !sameServers(n.Hints, set.RootServers()) {
		o.RootHints = serversDigest(n.Hints)
	}
	return nil
}

func (c *Config) readAnchors(n *Network, o *evidence.NetworkOptions, set *data.Set, now time.Time) error {
	if c.TrustAnchors == "" {
		return nil
	}
	text, err := readFile(c.TrustAnchors, maxHintBytes)
	if err == nil {
		n.Anchors, err = data.ParseAnchors(text, now)
	}
	if err != nil {
		return &Error{Where: c.TrustAnchors, Key: "trust-anchors", What: reason(err)}
	}
	o.Anchors = ""
	for _, a := range n.Anchors {
		if !slices.ContainsFunc(set.Anchors(), func(b data.Anchor) bool { return a.DS() == b.DS() }) {
			o.Anchors = anchorsDigest(n.Anchors)
		}
	}
	return nil
}

func (c *Config) readDialMap(n *Network, o *evidence.NetworkOptions) error {
	if c.DialMap == "" {
		return nil
	}
	text, err := readFile(c.DialMap, dial.MaxMapBytes)
	if err == nil {
		n.Dialer.Map, err = dial.ParseMap(text)
	}
	if err != nil {
		return &Error{Where: c.DialMap, Key: "dial-map", What: reason(err)}
	}
	o.DialMap = n.Dialer.Map.Digest()
	return nil
}

// checkSource tells an address of another machine before every dial fails.
func (c *Config) checkSource() error {
	if !c.SourceAddress.IsValid() {
		return nil
	}
	l, err := net.ListenPacket("udp", netip.AddrPortFrom(c.SourceAddress.Addr, 0).String())
	if err != nil {
		return &Error{Where: "--source-address", Key: "source-address", What: fmt.Sprintf("%s is not an address of this machine", c.SourceAddress)}
	}
	return l.Close()
}

func (c *Config) checkPlace() error {
	if err := perspective.CheckPlace(c.Region, nil); err != nil {
		return &Error{Where: "--region", Key: "region", What: err.Error()}
	}
	return nil
}

func (c *Config) ports() string {
	var parts []string
	for _, p := range []struct {
		name       string
		port, rule uint16
	}{{"dns", c.DNSPort, 53}, {"http", c.HTTPPort, 80}, {"https", c.HTTPSPort, 443}} {
		if p.port != 0 && p.port != p.rule {
			parts = append(parts, fmt.Sprintf("%s=%d", p.name, p.port))
		}
	}
	return strings.Join(parts, " ")
}

func (c *Config) exempt() string {
	text, _ := c.AllowAddresses.MarshalText() // cannot fail: prefixes are text
	return string(text)
}

func (c *Config) source() string {
	if !c.SourceAddress.IsValid() {
		return ""
	}
	return c.SourceAddress.String()
}

// foreignSnapshot is the digest of an imported snapshot of the root that neither
// is the embedded one nor comes from IANA by `assay data update`.
func foreignSnapshot(set *data.Set, name string) string {
	s, _ := set.Snapshot(name)
	built, _ := data.Embedded().Snapshot(name)
	if s.SHA256 == built.SHA256 || s.Source == strings.Join(data.URLs(name), " ") {
		return ""
	}
	return "sha256:" + s.SHA256
}

func sameServers(a, b []data.RootServer) bool {
	return serversDigest(a) == serversDigest(b)
}

func serversDigest(servers []data.RootServer) string {
	var lines []string
	for _, s := range servers {
		for _, a := range s.Addresses {
			lines = append(lines, s.Name+" "+a.String())
		}
	}
	return digest(lines)
}

func anchorsDigest(anchors []data.Anchor) string {
	var lines []string
	for _, a := range anchors {
		lines = append(lines, a.DS())
	}
	return digest(lines)
}

// digest identifies a set of lines.
func digest(lines []string) string {
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func readFile(path string, limit int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(raw)) > limit {
		return "", fmt.Errorf("larger than %d bytes", limit)
	}
	return string(raw), nil
}

// reason is an error without the path, which is named already.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
