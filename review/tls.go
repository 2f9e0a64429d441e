package review

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/internal/challenge"
)

// tlsRules are about tls-alpn-01: what port 443 of a name answers to the
// protocol acme-tls/1 (RFC 8737, for IP addresses RFC 8738).
var tlsRules = []rule{
	{
		causes: []cause.ID{
			cause.TLSPortClosed, cause.TLSALPNNotNegotiated, cause.TLSOrdinaryCertificate, cause.TLSChallengeCertificateWrong,
		},
		needs: needLook | needNames, run: challengeNotShown,
	},
}

func challengeNotShown(f *facts, s *sink) {
	for _, h := range f.handshakes() {
		o := f.shakeOf(h)
		if o == nil || o.TLS == nil || o.Unknown != "" || f.standingOf(h) != unproven {
			continue
		}
		list := f.decidingShakes(o.TLS)
		if allClosed(list) {
			f.portClosed(s, h, o, list)
			continue
		}
		if h.key != "" {
			f.wrongAnswers(s, h, o, list)
		}
	}
}

// allClosed reports whether there are addresses and none accepts a connection.
func allClosed(list []*evidence.Handshake) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(x *evidence.Handshake) bool { return !closed(x) })
}

// portClosed: no address that decides accepts a connection.
func (f *facts) portClosed(s *sink, h *handshake, o *evidence.Observation, list []*evidence.Handshake) {
	var conditions []string
	if !h.chosen {
		conditions = []string{"no-method"}
	}
	d := s.add(cause.TLSPortClosed, h.subject, conditions...).with("name", h.subject).seenBy(f.saw(o))
	problem := portWord(list[0].Dial.Error)
	var addresses []string
	for _, each := range list {
		addresses = append(addresses, each.Address)
		if portWord(each.Dial.Error) != problem {
			problem = "mixed"
		}
		if len(addresses) <= maxReproduce {
			d.reproduce(h.openssl(each.Address))
		}
	}
	d.with("addresses", addresses).with("problem", problem)
}

// portWord is why a connection failed, as texts name it.
func portWord(word string) string {
	switch word {
	case "refused", "timeout", "unreachable", "reset":
		return word
	}
	return "failed"
}

// wrongAnswers: addresses are connected to, and none shows the certificate. Those
// that do the same wrong are one finding.
func (f *facts) wrongAnswers(s *sink, h *handshake, o *evidence.Observation, list []*evidence.Handshake) {
	var rows []served
	addresses := map[served][]string{}
	for _, each := range list {
		if closed(each) {
			continue
		}
		row := f.readShake(h, each)
		row.Handshake = nil // addresses are listed
		if row.cause == cause.TLSOrdinaryCertificate {
			row.seen = each.Info.Certificates[0].SHA256
		}
		if addresses[row] == nil {
			rows = append(rows, row)
		}
		addresses[row] = append(addresses[row], each.Address)
	}
	for _, row := range rows {
		at := addresses[row]
		first := list[slices.IndexFunc(list, func(x *evidence.Handshake) bool { return x.Address == at[0] })]
		d := s.add(row.cause, h.subject).with("name", h.subject).with("addresses", at).seenBy(f.saw(o))
		switch row.cause {
		case cause.TLSOrdinaryCertificate:
			c := &first.Info.Certificates[0]
			d.with("subject", cmp.Or(c.Subject, "?")).with("issuer", cmp.Or(c.Issuer, "?")).with("names", shown(c.Names))
		case cause.TLSALPNNotNegotiated:
			d.with("problem", row.problem).with("seen", row.seen).with("alert", first.Alert)
			if row.problem == "version" {
				d.with("version", versionOf(first))
			}
		default:
			d.with("problem", row.problem).with("expected", row.expected).with("seen", row.seen)
		}
		d.reproduce(h.openssl(at[0]))
	}
}

// saw is an observation of the primary place as evidence.
func (f *facts) saw(o *evidence.Observation) *sight { return &sight{place: f.primary(), o: o} }

func versionOf(h *evidence.Handshake) string {
	if h.Info != nil && h.Info.Version != "" {
		return h.Info.Version
	}
	return "SSL 3.0"
}

// readShake says what is wrong with what an address that was connected to shows.
func (f *facts) readShake(h *handshake, x *evidence.Handshake) served {
	r := served{Handshake: x, cause: cause.TLSALPNNotNegotiated}
	switch {
	case closed(x):
		r.cause = cause.TLSPortClosed
		return r
	case x.Error == evidence.ErrorCertificate && (x.Info == nil || x.Info.ALPN == acmeTLS):
		// No CA's software reads it either; what can be read says why.
		return f.readCertificate(h, x, r)
	case x.Error == evidence.ErrorAlert:
		r.problem, r.seen = "alert", x.Alert
		return r
	case x.Error == evidence.ErrorVersion:
		r.problem, r.seen = "version", versionOf(x)
		return r
	case x.Error == evidence.ErrorPlainHTTP, x.Error == evidence.ErrorTimeout, x.Error == evidence.ErrorReset, x.Error == evidence.ErrorIncomplete:
		r.problem = x.Error
		return r
	case x.Error != "" && x.Error != evidence.ErrorCertificate, x.Info == nil:
		r.problem = "handshake"
		return r
	case x.Info.ALPN == "":
		r.problem = "none"
		return r
	case x.Info.ALPN != acmeTLS:
		r.problem, r.seen = "other", shorten(x.Info.ALPN)
		return r
	}
	return f.readCertificate(h, x, r)
}

// readCertificate judges the certificate that is shown where acme-tls/1 was
// agreed on. Only one that crypto/tls could read, too, is right.
func (f *facts) readCertificate(h *handshake, x *evidence.Handshake, r served) served {
	r.cause, r.problem = cause.TLSChallengeCertificateWrong, "unreadable"
	if x.Info == nil || len(x.Info.Certificates) == 0 || len(x.Info.Certificates[0].DER) == 0 {
		return r
	}
	c, err := challenge.Read(x.Info.Certificates[0].DER)
	if err != nil {
		return r
	}
	problem := f.certificateProblem(h, c)
	switch {
	case x.Error == "" && problem.problem == "":
		return served{Handshake: x}
	case problem.problem == "":
		return r
	case len(c.Identifiers) == 0 && !c.SelfSigned && x.Error == "":
		return served{Handshake: x, cause: cause.TLSOrdinaryCertificate}
	}
	problem.Handshake, problem.cause = x, r.cause
	return problem
}

// certificateProblem is what RFC 8737 3 asks for and the certificate has not.
func (f *facts) certificateProblem(h *handshake, c *challenge.Certificate) (r served) {
	want := h.digest()
	switch {
	case len(c.Names)+c.Others != 1:
		r.problem, r.expected, r.seen = "name-count", h.name, strconv.Itoa(len(c.Names)+c.Others)
		if len(c.Names) > 0 {
			r.seen = strings.Join(shown(namesIn(c)), ", ")
		}
	case len(c.Names) != 1 || !f.isName(h, c.Names[0]):
		r.problem, r.expected, r.seen = "name-other", h.name, strings.Join(shown(namesIn(c)), ", ")
	case len(c.Identifiers) == 0:
		r.problem = "extension-missing"
	case len(c.Identifiers) > 1:
		r.problem = "extension-repeated"
	case !c.Identifiers[0].Critical:
		r.problem = "not-critical"
	case len(c.Identifiers[0].Digest) != len(want):
		r.problem, r.expected, r.seen = "length", strconv.Itoa(len(want)), strconv.Itoa(len(c.Identifiers[0].Digest))
	case !bytes.Equal(c.Identifiers[0].Digest, want[:]):
		r.problem, r.expected, r.seen = "digest", hex.EncodeToString(want[:]), hex.EncodeToString(c.Identifiers[0].Digest)
	case !c.SelfSigned:
		r.problem = "not-self-signed"
	}
	return r
}

func namesIn(c *challenge.Certificate) []string {
	var list []string
	for _, n := range c.Names {
		list = append(list, n.String())
	}
	return list
}

// isName reports whether an entry of subjectAltName is the name validated: an
// iPAddress for an address (RFC 8738 6), a dNSName for a name, whose case does
// not matter (RFC 4343) unless the CA compares bytes.
func (f *facts) isName(h *handshake, n challenge.Name) bool {
	if h.ip.IsValid() {
		return n.IP == h.ip
	}
	if n.IP.IsValid() {
		return false
	}
	return n.DNS == h.name || !f.profile.Connect.ExactName && lowerASCII(n.DNS) == h.name
}

// lowerASCII folds the case of letters that names are made of, and no others.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// openssl is the command that shows what an address answers.
func (h *handshake) openssl(address string) string {
	a, err := netip.ParseAddr(address)
	if name := h.sni(); err == nil && plainName(name) && name != "" {
		return "openssl s_client -connect " + netip.AddrPortFrom(a, 443).String() + " -servername " + name + " -alpn " + acmeTLS + " </dev/null"
	}
	return ""
}

// blindToHandshakes: what decides could not be asked for a reason that lies with
// us.
func (f *facts) blindToHandshakes(s *sink) {
	place := f.primary()
	for _, h := range f.handshakes() {
		o := f.shakeOf(h)
		why := ""
		switch {
		case o == nil && f.wanted != nil:
			continue
		case o == nil:
			why = "not asked"
		case o.Unknown != "":
			why = o.Unknown
		case o.TLS == nil:
			why = "no answer"
		case f.standingOf(h) == blocked:
			why = f.blindWhy(h, o.TLS)
		}
		if why == "" || !s.once(cause.PerspectiveUnavailable, place.ID, why) {
			continue
		}
		problem := "self-test-failed"
		if strings.HasPrefix(why, "guard") {
			problem = "guard"
		}
		f.unavailable(s, problem, why).with("name", h.subject).seenBy(f.saw(o))
	}
}
