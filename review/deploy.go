package review

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/profile"
)

var deployRules = []rule{
	{causes: []cause.ID{cause.DeployOldCertificateServed}, scope: ScopeDeployment, run: oldCertificateServed},
	{causes: []cause.ID{cause.DeployChainMissing}, scope: ScopeDeployment, run: chainMissing},
	{causes: []cause.ID{cause.IssuanceTLSAMismatch}, scope: ScopeDeployment, run: tlsaMismatch},
}

// deployed is a deployment with what was seen of it.
type deployed struct {
	names      []string
	newer      string
	leaf       *x509.Certificate
	fact       evidence.Certificate
	chain      []*x509.Certificate
	root       *x509.Certificate
	seen       []evidence.Observation
	handshakes []servedAt
}

// servedAt is a handshake that showed a certificate.
type servedAt struct {
	name, place, id string
	*evidence.Handshake
}

// JudgeDeployment judges what servers show in place of a certificate, and what
// TLSA records say of it. seen are answers to [evidence.ServedQuestion] and
// [evidence.TLSAQuestion], from any places; what could not be seen is no finding.
// The error is for DER that is no certificate.
func JudgeDeployment(d *evidence.Deployment, seen []evidence.Observation, p *profile.Profile, at time.Time) (*Judgement, error) {
	f := &deployed{names: d.Names, newer: d.Newer, seen: seen}
	var err error
	if f.leaf, err = x509.ParseCertificate(d.Leaf); err != nil {
		return nil, fmt.Errorf("the certificate deployed: %w", err)
	}
	for _, raw := range d.Chain {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("the chain of the certificate deployed: %w", err)
		}
		f.chain = append(f.chain, c)
	}
	if d.Root != nil {
		if f.root, err = x509.ParseCertificate(d.Root); err != nil {
			return nil, fmt.Errorf("the root of the certificate deployed: %w", err)
		}
	}
	f.fact = evidence.Certificate{SHA256: hexSHA256(f.leaf.Raw), NotBefore: f.leaf.NotBefore}
	f.gather()
	j := beside(&facts{deployed: f}, ScopeDeployment, p, at)
	var r Report
	r.keepSeen(seen)
	j.Observations, j.Lab = r.Observations, r.Lab
	return j, nil
}

// gather collects the handshakes that are about the names.
func (f *deployed) gather() {
	for i := range f.seen {
		o := &f.seen[i]
		q := o.Question.TLS
		if q == nil || o.TLS == nil || o.Unknown != "" || q.Port != evidence.PortHTTPS || !slices.Contains(f.names, q.Name) {
			continue
		}
		for k := range o.TLS.Handshakes {
			h := &o.TLS.Handshakes[k]
			if h.Info != nil && len(h.Info.Certificates) > 0 {
				f.handshakes = append(f.handshakes, servedAt{q.Name, o.Question.Perspective, idOf(o), h})
			}
		}
	}
}

func idOf(o *evidence.Observation) string {
	if o.ID != "" {
		return o.ID
	}
	return o.Identify().ID
}

func hexSHA256(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// superseded reports whether a certificate seen on a server is one that came after
// the one deployed: then that is not what should be there any more.
func (f *deployed) superseded(c *evidence.Certificate) bool {
	return c.NotBefore.After(f.fact.NotBefore) || f.newer != "" && c.SHA256 == f.newer
}

// oldCertificateServed: of each name, a finding for each other certificate that is
// not a later one, with every address that shows it.
func oldCertificateServed(f *facts, s *sink) {
	f.deployed.each(s, cause.DeployOldCertificateServed, func(h *servedAt) (string, bool) {
		c := &h.Info.Certificates[0]
		return c.SHA256, c.SHA256 != f.deployed.fact.SHA256 && !f.deployed.superseded(c)
	}, func(d *draft, h *servedAt) {
		c := &h.Info.Certificates[0]
		d.with("expected", f.deployed.leaf.SerialNumber.Text(16)).with("not_after", c.NotAfter)
		if old, err := x509.ParseCertificate(c.DER); err == nil {
			d.with("serial", old.SerialNumber.Text(16))
		}
	})
}

// chainMissing: the certificate is the one deployed, and those above it are not
// sent. One with the same subject serves as well: a CA has certificates of itself
// from several roots.
func chainMissing(f *facts, s *sink) {
	d := f.deployed
	needed := func(h *servedAt) (given, missing []string) {
		sent := h.Info.Certificates[1:]
		for i := range sent {
			given = append(given, sent[i].Subject)
		}
		for _, c := range d.chain[:min(len(d.chain), maxSent)] {
			if !slices.Contains(given, clippedSubject(c)) {
				missing = append(missing, clippedSubject(c))
			}
		}
		return given, missing
	}
	d.each(s, cause.DeployChainMissing, func(h *servedAt) (string, bool) {
		if h.Info.Certificates[0].SHA256 != d.fact.SHA256 {
			return "", false
		}
		given, missing := needed(h)
		return strings.Join(given, "\n"), len(missing) > 0
	}, func(draft *draft, h *servedAt) {
		given, missing := needed(h)
		draft.with("given", append([]string{clippedSubject(d.leaf)}, given...)).with("needed", missing)
	})
}

// maxSent is how many certificates above the leaf an observation holds
// (evidence.TLSInfo).
const maxSent = 4

// clippedSubject is a subject as observations hold it: at most 300 bytes.
func clippedSubject(c *x509.Certificate) string {
	const most = 300
	text := c.Subject.String()
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// each raises a cause once for a name and whatever sets the cases apart, with the
// addresses and places that show it.
func (d *deployed) each(s *sink, id cause.ID, shows func(h *servedAt) (apart string, ok bool), fill func(*draft, *servedAt)) {
	type group struct {
		first     *servedAt
		addresses []string
		places    []string
		evidence  []string
	}
	for _, name := range d.names {
		var order []string
		groups := map[string]*group{}
		for i := range d.handshakes {
			h := &d.handshakes[i]
			if h.name != name {
				continue
			}
			apart, ok := shows(h)
			if !ok {
				continue
			}
			g := groups[apart]
			if g == nil {
				g = &group{first: h}
				groups[apart] = g
				order = append(order, apart)
			}
			g.addresses, g.places, g.evidence = adding(g.addresses, h.Address), adding(g.places, h.place), adding(g.evidence, h.id)
		}
		for _, apart := range order {
			g := groups[apart]
			draft := s.add(id, name).with("name", name).with("addresses", g.addresses)
			if draft == nil {
				continue
			}
			draft.Perspectives, draft.Evidence = g.places, g.evidence
			fill(draft, g.first)
			draft.reproduce(showServed(g.addresses[0], name))
		}
	}
}

// adding adds what is not there yet.
func adding(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// showServed shows the certificates that an address sends for a name.
func showServed(address, name string) string {
	if !plainName(address) || !plainName(name) {
		return ""
	}
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return fmt.Sprintf("openssl s_client -connect %s:%d -servername %s -showcerts </dev/null", address, evidence.PortHTTPS, name)
}

// tlsaMismatch: TLSA records of a name that DNSSEC secures, of which at least one
// can be used and none names the certificate or its chain (RFC 6698 2.1, RFC 7671
// 4.1). Records that are not secured count for nothing (RFC 6698 4.1).
func tlsaMismatch(f *facts, s *sink) {
	d := f.deployed
	for _, name := range d.names {
		var draft *draft
		for i := range d.seen {
			o := &d.seen[i]
			if q := o.Question.DNS; q == nil || q.Type != "TLSA" || q.Name != evidence.TLSAOwner(name) || o.DNS == nil || o.Unknown != "" ||
				o.DNS.Status != "NOERROR" || o.DNS.Security != "secure" {
				continue
			}
			records, matches := d.pinned(o.DNS.Answer)
			if len(records) == 0 || matches {
				continue
			}
			if draft == nil {
				draft = s.add(cause.IssuanceTLSAMismatch, name).with("owner", evidence.TLSAOwner(name)).with("records", records).
					with("expected", hexSHA256(d.leaf.RawSubjectPublicKeyInfo)).reproduce(dig("", evidence.TLSAOwner(name), "TLSA", "+dnssec"))
			}
			if draft != nil {
				draft.Perspectives, draft.Evidence = adding(draft.Perspectives, o.Question.Perspective), adding(draft.Evidence, idOf(o))
			}
		}
	}
}

// maxPinned is how much of a record stands in a finding, in bytes: one that holds a
// whole certificate is long.
const maxPinned = 160

// pinned returns the records that can be used, and whether one of them names the
// certificate (usages 1 and 3) or one above it (0 and 2).
func (d *deployed) pinned(answer []evidence.Record) (records []string, matches bool) {
	for i := range answer {
		r := &answer[i]
		var usage, selector, matching int
		var data string
		if r.Type != "TLSA" {
			continue
		}
		if n, _ := fmt.Sscanf(r.Data, "%d %d %d %s", &usage, &selector, &matching, &data); n != 4 ||
			usage < 0 || usage > 3 || selector < 0 || selector > 1 || matching < 0 || matching > 2 {
			continue
		}
		records = append(records, r.Data[:min(len(r.Data), maxPinned)])
		above := []*x509.Certificate{d.leaf}
		if usage == 0 || usage == 2 {
			above = slices.Clone(d.chain)
			if d.root != nil {
				above = append(above, d.root)
			}
		}
		data = strings.ToLower(strings.Join(strings.Fields(r.Data)[3:], ""))
		for _, c := range above {
			matches = matches || associated(c, selector, matching) == data
		}
	}
	return records, matches
}

// associated is the certificate association data of a certificate (RFC 6698 2.1),
// in hexadecimal.
func associated(c *x509.Certificate, selector, matching int) string {
	raw := c.Raw
	if selector == 1 {
		raw = c.RawSubjectPublicKeyInfo
	}
	switch matching {
	case 1:
		return hexSHA256(raw)
	case 2:
		sum := sha512.Sum512(raw)
		return hex.EncodeToString(sum[:])
	}
	return hex.EncodeToString(raw)
}
