package review_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// TestRedact: no personal value of an OV order, and nothing that kept records
// answered about people, is left anywhere in the JSON of a redacted report.
func TestRedact(t *testing.T) {
	t.Parallel()
	personal := []string{
		"Orchard Fruit", "Research Dept", "Guangdong", "Shenzhen", "Keyuan", "86013388", "0755", "518057",
		"91440300708461136T", "Wei", "Zhang", "wei.zhang", "orchard-mail", "13800138000", "Chief", "acct-7731", "tenant-88", "prof-55", "adm-66",
		"tok3n-v4lue-secret", "UNREADABLE REQUEST",
	}
	o := &order.Order{
		ID: "A18", Product: order.OV, Names: []string{"www.orchard.net", "orchard.net"}, Method: order.MethodFile,
		Account: "acct-7731", Tenant: "tenant-88",
		CSR:        "-----BEGIN CERTIFICATE REQUEST-----\nWeiZhang\n-----END CERTIFICATE REQUEST-----\n",
		Challenges: []order.Challenge{{Name: "orchard.net", Method: order.MethodFile, URL: "http://orchard.net/.well-known/pki-validation/tok3n-v4lue-secret.txt", Value: "tok3n-v4lue-secret"}},
		Organization: &order.Organization{
			Name: "Orchard Fruit Co", Department: "Research Dept", Country: "CN", Province: "Guangdong", City: "Shenzhen",
			Address: "1 Keyuan Road", PostalCode: "518057", Phone: order.Phone{Country: "86", Area: "0755", Number: "86013388"},
			RegistrationNumber: "91440300708461136T", ProfileID: "prof-55",
		},
		Contacts: &order.Contacts{
			AdministratorID: "adm-66",
			Administrator:   &order.Contact{FirstName: "Wei", LastName: "Zhang", Title: "Chief", Email: "wei.zhang@orchard-mail", Phone: "13800138000"},
			Technical:       &order.Contact{FirstName: "Wei", LastName: "Zhang", Title: "Chief", Email: "not an address of wei.zhang", Phone: "123"},
		},
	}
	for _, name := range profile.Embedded() {
		for _, lang := range cause.Languages() {
			t.Run(name+"/"+string(lang), func(t *testing.T) {
				t.Parallel()
				r := redactedReport(t, name, o)
				verdict, found := r.Verdict, len(r.Findings)
				before := plainJSON(t, r)
				r.Localize(lang)
				r.Redact()
				text := plainJSON(t, r)
				for _, v := range append(personal, recordMark) {
					if strings.Contains(text, v) {
						t.Errorf("%q is left: %s", v, around(text, v))
					}
				}
				if !r.Redacted || r.Verdict != verdict || len(r.Findings) != found {
					t.Errorf("redacted %v, verdict %s, %d findings; want true, %s, %d", r.Redacted, r.Verdict, len(r.Findings), verdict, found)
				}
				if !strings.Contains(text, "www.orchard.net") {
					t.Error("the names of the order are gone")
				}
				if !strings.Contains(before, "wei.zhang") || o.Organization.Name != "Orchard Fruit Co" {
					t.Error("the test shows nothing, or the caller's order was changed")
				}
				for _, f := range r.Findings {
					if f.Explanation == "" || strings.ContainsAny(f.Explanation, "‹›") {
						t.Errorf("%s: text: %q", f.ID, f.Explanation)
					}
				}
			})
		}
	}
}

// recordMark stands in every text of the answers of kept records.
const recordMark = "PRIVATEMARK"

func redactedReport(t *testing.T, name string, o *order.Order) *review.Report {
	t.Helper()
	p, err := profile.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	c := review.Prepare(o, data.Embedded())
	in := review.Input{Profile: p, At: caseTime, Mode: review.Precheck, Scope: review.ScopeOrder}
	for range 8 {
		questions := c.Ask(in)
		if len(questions) == 0 {
			break
		}
		for _, q := range questions {
			a := marked()
			if q.Lookup.Topic == evidence.TopicInputs {
				a = freshInputs(caseTime)
			}
			in.Seen = append(in.Seen, evidence.Observation{Question: q, At: caseTime, Lookup: &a})
		}
	}
	return c.Judge(in)
}

// marked is an answer with every text of it set.
func marked() evidence.LookupAnswer {
	var a evidence.LookupAnswer
	n := 0
	fill(reflect.ValueOf(&a).Elem(), &n)
	a.Absent = false
	return a
}

func fill(v reflect.Value, n *int) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(caseTime.Add(-time.Hour)))
	case v.Kind() == reflect.String:
		*n++
		v.SetString(fmt.Sprintf("%s%d", recordMark, *n))
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

func plainJSON(t *testing.T, r *review.Report) string {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func around(text, part string) string {
	m := regexp.MustCompile(".{0,80}" + regexp.QuoteMeta(part) + ".{0,40}").FindString(text)
	return m
}
