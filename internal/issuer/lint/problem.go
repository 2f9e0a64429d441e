package lint

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3/lint"

	"assay/cause"
	"assay/internal/issuer"
)

// A result is what one lint found.
type result struct {
	status lint.LintStatus
	// word is the phrase of issuance.lint-error: "error", "fatal", "warning".
	word, lint, field, detail string
	// ours is set where the fault cannot come from what was ordered.
	ours bool
}

// fields tell from the name of a lint which part of the certificate it is about,
// and whether what stands there came from the order. The first that fits holds.
// They are compiled when a lint first finds something.
var fields = sync.OnceValue(func() []field {
	return []field{
		{regexp.MustCompile(`_dnsname|_dns_name|_san_|arpa|underscore|international_dns|redacted`), "subjectAltName", true},
		{regexp.MustCompile(`rsa_(mod|public|exp|fermat|no_public)|_mp_(modulus|exponent|ecdsa_pub)|improper_curves|public_key_type|spki`), "subjectPublicKeyInfo", true},
		{regexp.MustCompile(`subject_key_identifier`), "subjectKeyIdentifier", false},
		{regexp.MustCompile(`^._(subject|subj|ev|cab_[dio]v|cert_policy_[io]v|sub_cert_.*_appear|organization|utf8|state|duplicate_subject)`), "subject", true},
		{regexp.MustCompile(`valid_time|validity|backdated|time_`), "validity", false},
		{regexp.MustCompile(`_ku|key_usage_`), "keyUsage", false},
		{regexp.MustCompile(`eku`), "extKeyUsage", false},
		{regexp.MustCompile(`aia`), "authorityInfoAccess", false},
		{regexp.MustCompile(`crl|distribution_point`), "cRLDistributionPoints", false},
		{regexp.MustCompile(`polic`), "certificatePolicies", false},
		{regexp.MustCompile(`issuer`), "issuer", false},
		{regexp.MustCompile(`serial_number`), "serialNumber", false},
	}
})

type field struct {
	name  *regexp.Regexp
	field string
	order bool
}

// finding is what a lint's result says; nil where it found nothing.
func finding(l *lint.CertificateLint, r *lint.LintResult) *result {
	found := &result{status: r.Status, lint: l.Name, detail: r.Details, ours: true}
	switch r.Status {
	case lint.Warn:
		found.word = "warning"
	case lint.Error:
		found.word = "error"
	case lint.Fatal:
		found.word = "fatal"
	default:
		return nil
	}
	if found.detail == "" {
		found.detail = l.Description
	}
	for _, f := range fields() {
		if f.name.MatchString(l.Name) {
			found.field, found.ours = f.field, !f.order
			break
		}
	}
	return found
}

// problem is issuance.lint-error.
func problem(word, lint, field, detail string, ours bool) issuer.Problem {
	p := issuer.Problem{Cause: cause.IssuanceLintError, Subject: "certificate", Parameters: map[string]any{"problem": word}}
	if ours {
		p.Condition = "profile"
	}
	for name, value := range map[string]string{"lint": lint, "field": field, "detail": detail} {
		if value != "" {
			p.Parameters[name] = value
		}
	}
	return p
}

// leafExtensions are what a certificate of a server may hold here (BR 7.1.2.7.6).
// The lints about others are left out, so others are an error themselves.
var leafExtensions = map[string]bool{
	"2.5.29.14": true, "2.5.29.15": true, "2.5.29.17": true, "2.5.29.19": true, "2.5.29.31": true, "2.5.29.32": true,
	"2.5.29.35": true, "2.5.29.37": true, "1.3.6.1.5.5.7.1.1": true,
	"1.3.6.1.4.1.11129.2.4.2": true, "1.3.6.1.4.1.11129.2.4.3": true, // transparency
}

// structure looks for what the lints left out take for granted: that this is the
// certificate of a server, and no CA. zlint would see a CA and be content.
func structure(c *x509.Certificate) []result {
	var found []result
	add := func(name, field, detail string) {
		found = append(found, result{status: lint.Error, word: "error", lint: name, field: field, detail: detail, ours: true})
	}
	if c.IsCA || c.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		add("e_leaf_is_ca", "basicConstraints", "a certificate for a server must not be able to sign others")
	}
	if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		add("e_leaf_not_for_servers", "extKeyUsage", "a certificate for a server needs the usage serverAuth")
	}
	if c.Version != 3 {
		add("e_leaf_version", "version", "certificates are of version 3")
	}
	if k := c.PublicKeyAlgorithm; k != x509.RSA && k != x509.ECDSA {
		add("e_leaf_key", "subjectPublicKeyInfo", "keys are RSA or ECDSA")
	}
	for _, e := range c.Extensions {
		if !leafExtensions[e.Id.String()] {
			add("e_leaf_extension", "extensions", "the extension "+e.Id.String()+" has no place in the certificate of a server")
		}
	}
	return found
}

// passes reports whether a lint is certain to find nothing, at a fraction of
// what it costs to run it: those that compile an expression every time.
func passes(name string, c *x509.Certificate) bool {
	switch name {
	case "e_dnsname_bad_character_in_label":
		for _, n := range c.DNSNames {
			if !plain(n) {
				return false
			}
		}
		return plain(c.Subject.CommonName)
	case "e_ext_san_uri_format_invalid", "e_ext_san_uri_host_not_fqdn_or_ip", "e_ext_san_uri_relative", "e_ext_san_uri_not_ia5":
		return len(c.URIs) == 0
	}
	return false
}

// plain reports whether a name holds nothing but letters, digits, hyphens and
// dots, after "*." where it begins with that.
func plain(name string) bool {
	name = strings.TrimPrefix(name, "*.")
	if strings.HasPrefix(name, ".") || strings.Contains(name, "..") {
		return false
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' {
			return false
		}
	}
	return true
}
