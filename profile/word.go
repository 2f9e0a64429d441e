package profile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"assay/order"
)

// Switches lists the switches a profile may turn on.
func Switches() []string {
	return []string{"strict", "token", "server-keys", "underscore", "search-tld", "fixed-file-name"}
}

// values lists the dated values.
var values = []Value{
	ValidityDays, ValidityHours, DCVReuseDays, DCVReuseHours, IdentityReuseDays, RemotesMin, RegionsMin,
	QuorumBlocks, DNSSECRequired, LintRequired, PrecertFirst, ServerAuthOnly, CAAParameters, ReverseForbidden,
	SHA1Forbidden, EVCanonicalDate, ShortLivedDays, AIARequired, OneADN,
}

// checkWords refuses a word that no rule knows: a test misspelt would be a test
// not made, and nobody would see it.
func (p *Profile) checkWords() error {
	products := []order.Product{order.DV, order.OV, order.EV}
	methods := make([]order.Method, len(p.Methods))
	for i := range p.Methods {
		methods[i] = p.Methods[i].Name
	}
	err := firstError(
		known("switches", p.Switches, Switches()),
		known("request.products", p.Request.Products, products),
		known("request.personal_products", p.Request.PersonalProducts, products),
		known("request.wildcard_products", p.Request.WildcardProducts, products),
		known("request.ip_products", p.Request.IPProducts, products),
		known("request.contact_email", []string{p.Request.ContactEmail}, []string{"organization", "optional", ""}),
		known("request.email_form", []string{p.Request.EmailForm}, []string{"full", "form", ""}),
		known("keys.modulus_tests", p.Keys.ModulusTests, []string{"factors", "prime", "power", "shared", "small-exponent", "pattern"}),
		known("csr.unsupported_decides", p.CSR.UnsupportedDecides, []string{"san-type", "cn-ip", "ca", "critical-extension", "eku", "challenge-password"}),
		known("methods.name", methods, order.Methods()),
	)
	for i := range p.Dated {
		err = firstError(err, known("dated.set", slices.Sorted(maps.Keys(p.Dated[i].Set)), values))
	}
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func known[T ~string](field string, given, allowed []T) error {
	for _, word := range given {
		if !slices.Contains(allowed, word) {
			words := make([]string, 0, len(allowed))
			for _, a := range allowed {
				if a != "" {
					words = append(words, string(a))
				}
			}
			return fmt.Errorf("%s: %q must be one of %s", field, word, strings.Join(words, ", "))
		}
	}
	return nil
}

// conditions are the words that may stand in brackets in a level: those of the
// embedded profiles, and switches.
func conditions() ([]string, error) {
	words := Switches()
	for _, name := range Embedded() {
		p, err := named(name)
		if err != nil {
			return nil, err
		}
		for _, cell := range p.cells {
			for _, w := range slices.Concat(cell.DV.When, cell.OV.When) {
				words = append(words, w.Condition)
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words), nil
}

// checkConditions refuses a condition that no rule states.
func (p *Profile) checkConditions() error {
	words, err := conditions()
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(p.cells)) {
		cell := p.cells[id]
		for _, w := range slices.Concat(cell.DV.When, cell.OV.When) {
			if err := known("levels: "+string(id)+": condition", []string{w.Condition}, words); err != nil {
				return err
			}
		}
	}
	return nil
}
