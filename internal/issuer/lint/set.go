package lint

import (
	"regexp"
	"slices"

	"github.com/zmap/zlint/v3/lint"
	_ "github.com/zmap/zlint/v3/lints/apple" // register lints, as the others
	_ "github.com/zmap/zlint/v3/lints/cabf_br"
	_ "github.com/zmap/zlint/v3/lints/cabf_ev"
	_ "github.com/zmap/zlint/v3/lints/community"
	_ "github.com/zmap/zlint/v3/lints/mozilla"
	_ "github.com/zmap/zlint/v3/lints/rfc"

	"assay/order"
)

// A set are the lints that certificates of one kind go through.
type set struct {
	lints  []*lint.CertificateLint
	config lint.Configuration
}

// rfc are the sources whose rules hold for every certificate, and forum those
// that hold on the public web besides. Rules for S/MIME, code signing and
// qualified certificates are none of a server certificate's; Chrome has a single
// lint, about client authentication, of whose date the profile's dated table
// (server_auth_only) knows better. They are not even linked into the program,
// which would pay for them whenever it starts.
var (
	rfc = lint.SourceList{
		lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6962, lint.RFC8813, lint.Community,
		lint.CABFBaselineRequirements,
	}
	forum = lint.SourceList{lint.MozillaRootStorePolicy, lint.AppleRootStorePolicy}
)

// elsewhere are lints about what a leaf of this issuer cannot hold: those of CA
// and OCSP certificates, of DSA keys, and of extensions that [Gate.Check] itself
// does not let pass (see leafExtensions). Most of them would find that they do
// not apply, which takes its time too.
const elsewhere = `^[enw]_(((old_)?(root|sub)_)?ca_|ocsp_|(ext_)?ian_|ext_ian|name_constraint|ext_name_constraints|policy_map|ext_policy_(map|constraints)|inhibit_any|dsa_|(br_)?prohibit_dsa|ext_freshest|ext_nc_|path_len|ext_subject_directory|subject_info_access|ext_subject_key_identifier_missing_ca)`

// settled are lints that a rule of ours replaces, by name, with the reason.
func settled() map[string]string {
	return map[string]string{
		"w_subject_common_name_included": "whether there is a common name is the order's choice",
		"n_subject_common_name_included": "the same",
		"n_multiple_subject_rdn":         "the subject is written here, one attribute an RDN",
		// The dated table of the profile says how long; these would have a day less.
		"w_server_cert_valid_time_longer_than_199_days":     "validity_days",
		"w_server_cert_valid_time_longer_than_99_days":      "validity_days",
		"w_server_cert_valid_time_longer_than_46_days":      "validity_days",
		"w_tls_server_cert_valid_time_longer_than_397_days": "validity_days",
	}
}

// public are the lints left out under a public profile besides: of two that
// contradict each other, the one of RFC 5280 (BR 7.1.2.7.6 decides).
func public() map[string]string {
	return map[string]string{"w_ext_subject_key_identifier_missing_sub_cert": "BR 7.1.2.7.6: not recommended"}
}

// private are the lints of the BR that call an error what is right for a name
// inside an organization or a CA of one's own.
const private = `^[enw]_(` +
	// names and addresses that only exist inside
	`dnsname_not_valid_tld|dnsname_contains_bare_iana_suffix|dnsname_wildcard_left_of_public_suffix|san_dns_name_onion|` +
	`ext_san_contains_reserved_ip|subject_contains_reserved_|subject_contains_malformed_arpa|arpa_domain|` +
	`sub_cert_aia_contains_internal_names|ext_tor|` +
	// underscores: the profile has a switch for them
	`(rfc_)?dnsname_underscore|underscore_|no_underscores|` +
	// validity: the dated table of the profile decides
	`server_cert_valid_time|sub_cert_valid_time|sub_cert_sha1|` +
	// what a CA of one's own need not have: policies of the forum, places of its files, a full address
	`sub_cert_certificate_policies_missing|sub_cert_cert_policy_empty|sub_cert_aia_|missing_crl_distrib_point|` +
	`sub_cert_.*_must_appear|sub_cert_.*_must_not_appear|sub_cert_street_address|` +
	// RFC 5280 4.2.1.2 asks for the identifier that BR 7.1.2.7.6 advises against
	`ext_subject_key_identifier_not_recommended)`

// choose makes the set for the certificates of a product.
func choose(isPublic bool, product order.Product) (*set, error) {
	sources := rfc
	if isPublic {
		sources = slices.Concat(rfc, forum)
		if product == order.EV {
			sources = append(sources, lint.CABFEVGuidelines)
		}
	}
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: sources})
	if err != nil {
		return nil, err
	}
	s := &set{config: registry.GetConfiguration()}
	settled, public := settled(), public()
	elsewhere, private := regexp.MustCompile(elsewhere), regexp.MustCompile(private)
	for _, l := range registry.CertificateLints().Lints() {
		_, done := settled[l.Name]
		_, differs := public[l.Name]
		if done || (isPublic && differs) || (!isPublic && private.MatchString(l.Name)) || elsewhere.MatchString(l.Name) {
			continue
		}
		s.lints = append(s.lints, l)
	}
	return s, nil
}
