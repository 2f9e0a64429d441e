package review

import (
	"slices"
	"strings"
	"unicode/utf8"

	"assay/cause"
	"assay/csr"
	"assay/evidence"
	"assay/name"
	"assay/profile"
)

var csrRules = []rule{
	{causes: []cause.ID{cause.CSRUnreadable}, needs: needCSR, run: csrUnreadable},
	{causes: []cause.ID{cause.CSRPrivateKeyPasted}, needs: needCSR, run: privateKeyPasted},
	{causes: []cause.ID{cause.CSRPrivateKeyPasted}, run: privateKeyInField},
	{causes: []cause.ID{cause.CSRSignatureRefused}, needs: needParsedCSR, run: signatureRefused},
	{causes: []cause.ID{cause.CSRCommonNameEmpty}, needs: needParsedCSR, run: commonNameEmpty},
	{causes: []cause.ID{cause.CSRCommonNameNotListed}, needs: needParsedCSR | needNames, run: commonNameNotListed},
	{causes: []cause.ID{cause.CSRCommonNameTooLong}, needs: needParsedCSR, run: commonNameTooLong},
	{causes: []cause.ID{cause.CSRNamesDifferFromOrder}, needs: needParsedCSR | needNames, run: namesDiffer},
	{causes: []cause.ID{cause.CSRUnsupportedRequest}, needs: needParsedCSR, run: unsupportedRequest},
	{causes: []cause.ID{cause.CSRMustStaple}, needs: needParsedCSR, run: mustStaple},
	{causes: []cause.ID{cause.CSRClientAuthNotIssued}, run: clientAuth},
	{causes: []cause.ID{cause.CSRSubjectDiffersFromOrder}, needs: needParsedCSR, run: subjectDiffers},
	{causes: []cause.ID{cause.CSRReused}, needs: needParsedCSR, topic: evidence.TopicOrders, run: csrReused},
}

// showRequest is the command with which a person sees what OpenSSL makes of a
// request.
const showRequest = "openssl req -in request.csr -noout -verify -text"

// csrUnreadable runs without a CSR only when an order is decided: then none
// given is none that can be read, unless the service is to make it.
func csrUnreadable(f *facts, s *sink) {
	p := f.csrProblem
	switch {
	case p == nil && f.csr == nil && f.Order.CSROrigin != "service":
		s.add(cause.CSRUnreadable, "csr").with("rule", "none")
		return
	case p == nil || p.Kind == csr.KindPrivateKey:
		return
	}
	d := s.add(cause.CSRUnreadable, "csr").with("rule", string(p.Kind)).with("detected", p.Detected).with("error", p.Detail)
	if p.Line > 0 {
		d.with("line", p.Line)
	}
	if p.Offset > 0 {
		d.with("offset", p.Offset)
	}
	if p.Missing > 0 {
		d.with("missing", p.Missing)
	}
	switch p.Kind {
	case csr.KindTooLarge:
		d.with("limit", csr.MaxBytes)
	case csr.KindStructure, csr.KindTruncated, csr.KindBase64, csr.KindTrailing:
		d.reproduce(showRequest)
	}
}

// privateKeyPasted shows nothing of the key but its label and the hash of its
// public half, under which it is blocked from now on.
func privateKeyPasted(f *facts, s *sink) {
	p := f.csrProblem
	if p == nil || p.Kind != csr.KindPrivateKey {
		return
	}
	rule := "alone"
	switch {
	case f.csr != nil && p.Keyprint != "" && p.Keyprint == f.keyprint():
		rule = "same"
	case f.csr != nil:
		rule = "beside"
	}
	s.add(cause.CSRPrivateKeyPasted, "csr").with("rule", rule).with("label", p.Detected).with("keyprint", p.Keyprint)
}

// signatureRefused: who signs a request proves that the private key is theirs
// (RFC 2986 4.2), if the hash cannot be forged.
func signatureRefused(f *facts, s *sink) {
	a := f.csr.Signature
	add := func(rule string) {
		s.add(cause.CSRSignatureRefused, "csr").
			with("rule", rule).with("algorithm", a.Name).with("oid", a.OID).
			with("allowed", f.profile.CSR.SignatureAlgorithms).reproduce(showRequest)
	}
	switch v := f.csr.Verify(); v.Reason {
	case "wrong", "mismatch":
		add(v.Reason)
	case "algorithm":
		if !a.Weak {
			add("unverifiable")
		}
	case "key":
		// With a key that nothing can be verified with, the key is what is
		// wrong; only where a profile lets such a key pass is this.
		if f.level(cause.KeyTypeNotAllowed) == cause.Pass || f.level(cause.KeyEncodingInvalid) == cause.Pass || f.level(cause.KeyRSASizeNotAllowed) == cause.Pass {
			add("unverifiable")
		}
	}
	allowed := f.profile.CSR.SignatureAlgorithms
	switch {
	case a.Weak:
		add("weak")
	case len(allowed) > 0 && !slices.Contains(allowed, a.Name) && f.csr.Verify().OK:
		add("not-accepted")
	}
}

func commonNameEmpty(f *facts, s *sink) {
	if !f.profile.CSR.CommonNameRequired {
		return
	}
	names := f.csr.CommonNames()
	if slices.ContainsFunc(names, func(cn string) bool { return strings.TrimSpace(cn) != "" }) {
		return
	}
	rule := "none"
	if len(names) > 0 {
		rule = "blank"
	}
	s.add(cause.CSRCommonNameEmpty, "csr").with("rule", rule).with("subject", subjectText(f.csr))
}

// subjectText writes a subject as "O=Orchard Ltd, C=GB".
func subjectText(r *csr.Request) string {
	parts := make([]string, len(r.Subject))
	for i, a := range r.Subject {
		parts[i] = a.Name + "=" + a.Value
	}
	return strings.Join(parts, ", ")
}

// blank is set for a CN that is no name at all.
func (n *csrName) blank() bool { return n.commonName && strings.TrimSpace(n.Text) == "" }

// ordered reports whether a name of the CSR is one of the order.
func (f *facts) ordered(n *csrName) bool {
	return slices.ContainsFunc(f.names, func(o nameFact) bool { return o.Clean == n.Clean })
}

// onlyCommonName is what the narrower finding about a foreign CN and the wider
// one about different names both concern.
const onlyCommonName = "csr#common-name"

func commonNameNotListed(f *facts, s *sink) {
	names := f.csrNames()
	for i := range names {
		n := &names[i]
		if !n.commonName || n.blank() || slices.ContainsFunc(names[:i], func(m csrName) bool { return m.Clean == n.Clean }) {
			continue
		}
		chosen := f.Order.CommonName
		switch {
		case !f.ordered(n):
			s.add(cause.CSRCommonNameNotListed, "csr").
				with("rule", "foreign").with("name", n.Text).with("names", f.Order.Names).
				with("nearest", f.nearest(n.Clean)).concerning(onlyCommonName)
		case f.profile.CSR.CommonNameRequired && chosen != "" && name.Parse(chosen).Clean != n.Clean:
			s.add(cause.CSRCommonNameNotListed, "csr").
				with("rule", "chosen").with("name", n.Text).with("chosen", chosen).with("names", f.Order.Names)
		}
	}
}

// nearest is the name of the order that a foreign one was probably meant to be:
// the same but for "www.", a wildcard or a parent, or a slip of the pen.
func (f *facts) nearest(foreign string) string {
	best, least := "", 3
	for i := range f.names {
		clean := f.names[i].Clean
		distance := editDistance(foreign, clean, least)
		if strings.HasSuffix(foreign, "."+clean) || strings.HasSuffix(clean, "."+foreign) {
			distance = min(distance, 1)
		}
		if distance < least {
			best, least = f.names[i].Text, distance
		}
	}
	return best
}

// editDistance is the number of characters to insert, remove or replace, at
// most limit.
func editDistance(a, b string, limit int) int {
	if len(a) > 253 || len(b) > 253 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			step := diagonal
			if a[i] != b[j] {
				step = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], step
		}
	}
	return min(row[len(b)], limit)
}

// maxCommonName is the bound of X.520 (RFC 5280 A.1, ub-common-name). It is
// part of the syntax, not of a profile.
const maxCommonName = 64

func commonNameTooLong(f *facts, s *sink) {
	for _, cn := range f.csr.CommonNames() {
		if length := utf8.RuneCountInString(cn); length > maxCommonName {
			s.add(cause.CSRCommonNameTooLong, "csr").with("name", cn).with("length", length).with("limit", maxCommonName)
		}
	}
}

// namesDiffer compares both ways. An ACME CA demands equal sets (RFC 8555 7.4);
// elsewhere the CSR must only not name what the order does not.
func namesDiffer(f *facts, s *sink) {
	var extra, missing []string
	onlyCN := true
	names := f.csrNames()
	for i := range names {
		n := &names[i]
		if n.blank() || f.ordered(n) || slices.ContainsFunc(names[:i], func(m csrName) bool { return m.Clean == n.Clean && !m.blank() }) {
			if !n.commonName && !f.ordered(n) {
				onlyCN = false
			}
			continue
		}
		onlyCN = onlyCN && n.commonName
		extra = append(extra, n.Text)
	}
	if f.profile.CSR.NamesExact {
		for i := range f.names {
			o := &f.names[i]
			if o.same == i && !slices.ContainsFunc(names, func(n csrName) bool { return n.Clean == o.Clean }) {
				missing = append(missing, o.Text)
			}
		}
	}
	if len(extra) == 0 && len(missing) == 0 {
		return
	}
	rule := "both"
	switch {
	case len(missing) == 0:
		rule = "extra"
	case len(extra) == 0:
		rule = "missing"
	}
	d := s.add(cause.CSRNamesDifferFromOrder, "csr").with("rule", rule).with("extra", extra).with("missing", missing)
	if onlyCN && rule == "extra" {
		d.concerning(onlyCommonName)
	}
}

// unsupportedRequest lists what the CSR asks for and no TLS certificate holds,
// as far as the profile cares.
func unsupportedRequest(f *facts, s *sink) {
	r := f.csr
	var items, types []string
	check := func(item string, found bool) {
		if found && slices.Contains(f.profile.CSR.UnsupportedDecides, item) {
			items = append(items, item)
		}
	}
	for _, san := range r.SANs {
		if san.Kind != "dns" && san.Kind != "ip" && !slices.Contains(types, san.Kind) {
			types = append(types, san.Kind)
		}
	}
	critical := r.UnknownCritical()
	check("san-type", len(types) > 0)
	check("cn-ip", slices.ContainsFunc(f.csrNames(), func(n csrName) bool { return n.commonName && n.IP.IsValid() }))
	check("ca", r.CA)
	check("critical-extension", len(critical) > 0)
	check("eku", len(r.EKUs) > 0 && !slices.Contains(r.EKUs, csr.OIDServerAuth) && !slices.Contains(r.EKUs, csr.OIDAnyEKU))
	check("challenge-password", r.ChallengePassword)
	if len(items) == 0 {
		return
	}
	d := s.add(cause.CSRUnsupportedRequest, "csr").with("items", items)
	if slices.Contains(items, "san-type") {
		d.with("types", types)
	}
	if slices.Contains(items, "critical-extension") {
		d.with("oids", critical)
	}
	if slices.Contains(items, "eku") {
		d.with("usages", r.EKUs)
	}
}

func mustStaple(f *facts, s *sink) {
	if f.csr.MustStaple {
		s.add(cause.CSRMustStaple, "csr").with("oid", csr.OIDTLSFeature)
	}
}

// clientAuth needs no CSR: an order can ask for client authentication too.
func clientAuth(f *facts, s *sink) {
	only, row, known := f.on(profile.ServerAuthOnly)
	if !known || only == 0 {
		return
	}
	add := func(subject, rule string) {
		s.add(cause.CSRClientAuthNotIssued, subject).
			with("rule", rule).with("oid", csr.OIDClientAuth).with("since", row.From).with("source", row.Source)
	}
	if f.csr != nil && slices.Contains(f.csr.EKUs, csr.OIDClientAuth) {
		add("csr", "csr")
	}
	if f.Order.ClientAuth {
		add("order", "order")
	}
}
