package review

import (
	"slices"
	"strings"

	"assay/caa"
	"assay/name"
	"assay/order"
)

// A permission is what a CAA record set says to this CA.
type permission struct {
	permitted bool
	// open is set where it depends on which account will order.
	open bool
	// property decides: "issue", or "issuewild" for a wildcard where there is one.
	property string
	// record is the one at fault. parameter names the parameter that excludes
	// the order (RFC 8657); without it problem says how the value is broken, at
	// offset; without a problem nobody meant this CA.
	record    caa.Record
	parameter string
	problem   string
	offset    int
	seen      []string
	expected  string
}

// permission judges a set (RFC 8659 4.2, 4.3): only issue decides, for wildcards
// issuewild where there is one; without such properties there is no restriction.
func (f *facts) permission(records []caa.Record, wildcard bool, method order.Method) permission {
	p := permission{property: "issue"}
	if wildcard && slices.ContainsFunc(records, func(r caa.Record) bool { return r.Is("issuewild") }) {
		p.property = "issuewild"
	}
	var broken permission
	restricted := false
	for _, r := range records {
		if !r.Is(p.property) {
			continue
		}
		restricted = true
		issue := f.dialect().ParseIssue(r.Value)
		if issue.Fault == "" && f.ours(issue.Domain) {
			parameter, problem, seen, expected := f.excluded(issue, method)
			if parameter == "" {
				return permission{permitted: true, property: p.property, open: f.accountOpen(issue)}
			}
			if p.parameter == "" {
				p.record, p.parameter, p.problem, p.seen, p.expected = r, parameter, problem, seen, expected
			}
			continue
		}
		problem := string(issue.Fault)
		if problem == "" && f.nearlyOurs(issue.Domain) {
			problem = "near-miss"
		}
		if problem != "" && broken.problem == "" {
			broken = permission{record: r, problem: problem, offset: issue.Offset}
		}
	}
	switch {
	case !restricted:
		p.permitted = true
	case p.parameter == "" && broken.problem != "":
		p.record, p.problem, p.offset = broken.record, broken.problem, broken.offset
	}
	return p
}

// ours reports whether an issuer domain stands for this CA.
func (f *facts) ours(domain string) bool {
	return slices.ContainsFunc(f.profile.CAA.Issuers, func(issuer string) bool {
		return domain == issuer || !f.profile.CAA.CaseSensitive && strings.EqualFold(domain, issuer)
	})
}

// nearlyOurs reports whether an issuer domain is a misspelling of ours: at most
// two slips of the pen, or the right name in another case or with a host before it.
func (f *facts) nearlyOurs(domain string) bool {
	d := strings.ToLower(domain)
	return d != "" && slices.ContainsFunc(f.profile.CAA.Issuers, func(issuer string) bool {
		limit := min(2, len(issuer)/4)
		return caa.Distance(d, strings.ToLower(issuer), limit) <= limit || strings.HasSuffix(d, "."+strings.ToLower(issuer))
	})
}

// excluded says which parameter keeps the order out (RFC 8657), "" where none
// does. Parameters that are not known do not count.
func (f *facts) excluded(issue caa.Issue, method order.Method) (parameter, problem string, seen []string, expected string) {
	var uris, methods []string
	for _, p := range issue.Parameters {
		switch strings.ToLower(p.Tag) {
		case "accounturi":
			uris = append(uris, p.Value)
		case "validationmethods":
			methods = append(methods, p.Value)
		}
	}
	ours := f.accountURI()
	switch {
	case len(uris) > 1:
		return "accounturi", "repeated", uris, ours
	case len(uris) == 1 && uris[0] == ours:
	case f.accountOpen(issue):
	case len(uris) == 1:
		return "accounturi", "other-account", uris, ours
	}
	labels := methodLabels(method)
	if len(labels) > 0 {
		expected = labels[0]
	}
	switch {
	case len(methods) > 1:
		return "validationmethods", "repeated", methods, expected
	case len(methods) == 0 || method == "" && f.mode == Precheck:
		return "", "", nil, ""
	}
	listed := strings.Split(methods[0], ",")
	for _, l := range listed {
		l = strings.TrimSpace(l)
		if !f.profile.CAA.CaseSensitive {
			l = strings.ToLower(l)
		}
		if slices.Contains(labels, l) {
			return "", "", nil, ""
		}
	}
	return "validationmethods", "other-method", listed, expected
}

// accountOpen reports whether a value asks for an account before it is known
// which one will order: then the report lists it as not asked.
func (f *facts) accountOpen(issue caa.Issue) bool {
	return f.Order.Account == "" && f.mode == Precheck && slices.ContainsFunc(issue.Parameters, func(p caa.Parameter) bool {
		return strings.EqualFold(p.Tag, "accounturi")
	})
}

// methodLabels are the names of a method in validationmethods: the ACME name
// where it has one, and "ca-tbr-" with the number of its section (BR 4.2.2.1.2).
func methodLabels(m order.Method) []string {
	switch m {
	case order.MethodDNS, order.MethodDNSCNAME, order.MethodDNSAuto, order.MethodDNSProxy:
		return []string{"ca-tbr-7"}
	case order.MethodDNS01:
		return []string{"dns-01", "ca-tbr-7"}
	case order.MethodFile, order.MethodFileProxy:
		return []string{"ca-tbr-18"}
	case order.MethodHTTP01:
		return []string{"http-01", "ca-tbr-19"}
	case order.MethodTLSALPN01:
		return []string{"tls-alpn-01", "ca-tbr-20"}
	case order.MethodDNSAccount:
		return []string{"dns-account-01", "ca-tbr-21"}
	case order.MethodDNSPersist:
		return []string{"dns-persist-01", "ca-tbr-22"}
	case order.MethodEmail:
		return []string{"ca-tbr-4"}
	case order.MethodWHOISDirect:
		return []string{"ca-tbr-12"}
	case order.MethodEmailCAA:
		return []string{"ca-tbr-13"}
	case order.MethodEmailTXT:
		return []string{"ca-tbr-14"}
	case order.MethodPhoneTXT:
		return []string{"ca-tbr-16"}
	case order.MethodPhoneCAA:
		return []string{"ca-tbr-17"}
	}
	return nil
}

// methodFor is the method that validates a name, "" where none is chosen.
func (f *facts) methodFor(n *nameFact) order.Method {
	for i := range f.Order.Challenges {
		c := &f.Order.Challenges[i]
		if c.Method != "" && (c.Name == n.Text || name.Parse(c.Name).Base == n.Base) {
			return c.Method
		}
	}
	for i := range f.Order.Challenges {
		c := &f.Order.Challenges[i]
		if base := name.Parse(c.Name).Base; c.Method != "" && base != "" && n.Below(base) {
			return c.Method
		}
	}
	return f.Order.Method
}
