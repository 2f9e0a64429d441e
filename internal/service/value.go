package service

import (
	"slices"
	"strings"
	"time"

	"assay/name"
	"assay/order"
	"assay/profile"
)

// filePath is where the file methods look (BR 3.2.2.4.18, catalogue B12).
const filePath = "/.well-known/pki-validation/"

// challenges makes what the applicant has to publish: one value for the whole
// order where the profile's CA shows one (catalogue, methods of the cloud), one
// for each name elsewhere. It is made once; nothing recomputes it. Names that no
// challenge can be made for are left out: the review says why.
func (s *Service) challenges(o *order.Order, p *profile.Profile, now time.Time) ([]order.Challenge, error) {
	terms := methodTerms(p, o.Method)
	if terms == nil {
		return nil, nil
	}
	var list []order.Challenge
	value, file := "", ""
	expires := time.Time{}
	if p.Deadline.TokenHours > 0 {
		expires = now.Add(time.Duration(p.Deadline.TokenHours) * time.Hour)
	}
	for _, adn := range s.challengeNames(o, terms) {
		if value == "" || p.Name != cloudProfile && p.Inherits != cloudProfile {
			var err error
			if value, err = order.NewValue(s.Rand); err != nil {
				return nil, err
			}
			if file, err = order.NewValue(s.Rand); err != nil {
				return nil, err
			}
		}
		c := order.Challenge{Name: adn, Method: o.Method, Value: value, Origin: "own", Created: now, Expires: expires}
		if !place(&c, p, file) {
			continue
		}
		list = append(list, c)
	}
	return list, nil
}

// cloudProfile is the profile whose orders have one value.
const cloudProfile = "cloud"

// place fills in where a challenge's value goes; false for a method whose value
// this service does not make.
func place(c *order.Challenge, p *profile.Profile, file string) bool {
	base := strings.TrimPrefix(c.Name, "*.")
	switch c.Method {
	case order.MethodDNS, order.MethodDNSAuto:
		c.Type, c.Owner = "TXT", p.DNS.Label+"."+base
	case order.MethodDNSCNAME, order.MethodDNSProxy:
		c.Type, c.Owner = "CNAME", p.DNS.Label+"."+base
	case order.MethodDNS01:
		c.Type, c.Owner = "TXT", "_acme-challenge."+base
	case order.MethodFile, order.MethodFileProxy:
		c.URL = "http://" + hostOf(base) + filePath + file + ".txt"
	case order.MethodHTTP01:
		c.URL = "http://" + hostOf(base) + "/.well-known/acme-challenge/" + file
		c.Value = file + "." + c.Value // as a key authorization (RFC 8555 8.1)
	case order.MethodTLSALPN01:
		c.Value = file + "." + c.Value
	default:
		return false
	}
	return true
}

// hostOf is a name in a URL.
func hostOf(n string) string {
	if strings.Contains(n, ":") {
		return "[" + n + "]"
	}
	return n
}

// challengeNames are the authorization domain names that are asked to be
// validated: of names where one lies below the other by a method that covers
// what lies below, the upper one (BR 3.2.2.4, catalogue B14).
func (s *Service) challengeNames(o *order.Order, terms *profile.Method) []string {
	var bases []string
	for _, text := range o.Names {
		n := name.Parse(text)
		if n.Base == "" || n.Wildcard && !terms.Wildcard || slices.Contains(bases, n.Base) {
			continue
		}
		bases = append(bases, n.Base)
	}
	var adns []string
	for _, b := range bases {
		below := false
		for _, other := range bases {
			below = below || terms.Parent && other != b && strings.HasSuffix(b, "."+other) && s.sameDomain(b, other)
		}
		if !below {
			adns = append(adns, b)
		}
	}
	return adns
}

func (s *Service) sameDomain(a, b string) bool {
	d := s.Data.Suffix(a, true).Registrable
	return d != "" && d == s.Data.Suffix(b, true).Registrable
}

func methodTerms(p *profile.Profile, m order.Method) *profile.Method {
	for i := range p.Methods {
		if p.Methods[i].Name == m {
			return &p.Methods[i]
		}
	}
	return nil
}
