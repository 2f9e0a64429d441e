package review

import (
	"strings"
	"unicode"

	"assay/cause"
	"assay/internal/iso"
)

// subjectDiffers compares what the CSR says of the organization with what the
// order says: only the order's is verified, and only that is issued.
func subjectDiffers(f *facts, s *sink) {
	var differences, fillers []string
	for _, field := range f.subjectFields() {
		for _, value := range f.csr.Values(field.attribute) {
			switch {
			case strings.TrimSpace(value) == "":
			case isPlaceholder(value, false) || field.attribute == "C" && folded(value) == "xx":
				fillers = append(fillers, field.attribute+"="+value)
			case field.ordered == "" || folded(value) == folded(field.ordered):
			case field.attribute == "ST" && iso.SameProvince(strings.ToUpper(f.Order.Organization.Country), value, field.ordered):
			default:
				differences = append(differences, field.attribute+"="+value+" ≠ "+field.ordered)
			}
		}
	}
	if len(differences) == 0 && len(fillers) == 0 {
		return
	}
	rule := "both"
	switch {
	case len(fillers) == 0:
		rule = "differs"
	case len(differences) == 0:
		rule = "placeholder"
	}
	s.add(cause.CSRSubjectDiffersFromOrder, "csr").
		with("rule", rule).with("differences", differences).with("placeholders", fillers)
}

type subjectField struct{ attribute, ordered string }

func (f *facts) subjectFields() []subjectField {
	fields := []subjectField{{"O", ""}, {"C", ""}, {"ST", ""}, {"L", ""}, {"OU", ""}}
	if o := f.Order.Organization; o != nil {
		for i, ordered := range []string{o.Name, o.Country, o.Province, o.City, o.Department} {
			fields[i].ordered = ordered
		}
	}
	return fields
}

// folded compares without case and with white space as one blank.
func folded(s string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(s, unicode.IsSpace), " "))
}
