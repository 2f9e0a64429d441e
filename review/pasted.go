package review

import (
	"slices"

	"assay/cause"
	"assay/key"
)

// prepareFields takes private keys out of every field but the CSR, which
// prepareCSR reads. People paste into the wrong field, too: nothing of the key
// may reach a finding, a report or a store.
func (c *Case) prepareFields() {
	pasted := false
	c.Order.Texts(func(_ string, text *string) { pasted = pasted || key.InText(*text) })
	if !pasted {
		return
	}
	c.Order = c.Order.Clone()
	c.Order.Texts(func(field string, text *string) {
		if !key.InText(*text) {
			return
		}
		// Not only the key is replaced: what stands around it has no meaning in
		// a field of a form.
		*text = key.Removed
		if !slices.Contains(c.pastedFields, field) {
			c.pastedFields = append(c.pastedFields, field)
		}
	})
}

// privateKeyInField names each field that held a private key.
func privateKeyInField(f *facts, s *sink) {
	for _, field := range f.pastedFields {
		s.add(cause.CSRPrivateKeyPasted, field).with("rule", "field").with("field", field)
	}
}
