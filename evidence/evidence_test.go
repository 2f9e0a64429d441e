package evidence

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestLookupForm: the short form of a lookup has every field that it can have,
// in the order of the whole form.
func TestLookupForm(t *testing.T) {
	t.Parallel()
	fields := func(v any, without ...string) (list []string) {
		for f := range reflect.TypeOf(v).Fields() {
			if !slices.Contains(without, f.Name) {
				list = append(list, f.Name+" "+string(f.Tag))
			}
		}
		return list
	}
	network := []string{"DNS", "HTTP", "TLS", "Attestation"}
	if a, b := fields(Observation{}, network...), fields(lookup{}); !slices.Equal(a, b) {
		t.Errorf("observation %v\nlookup %v", a, b)
	}
	if a, b := fields(Question{}, network...), fields(lookupQuestion{}); !slices.Equal(a, b) {
		t.Errorf("question %v\nof a lookup %v", a, b)
	}
}

// TestLookupDigest: its id is that of the whole form.
func TestLookupDigest(t *testing.T) {
	t.Parallel()
	question := Question{Kind: KindLookup, Perspective: "P0", Lookup: &LookupQuestion{Topic: TopicOrders}}
	for _, o := range []Observation{
		{Question: question},
		{Question: question, Lookup: &LookupAnswer{Absent: true}},
		{Question: question, Unknown: "not readable", Network: &NetworkOptions{DialMap: "x"}, ID: "o-1", Millis: 2, At: time.Unix(1, 0).UTC()},
		{Question: question, Lookup: &LookupAnswer{Inputs: []Input{{Name: "psl", Configured: true, SHA256: "00"}}}},
		{Question: question, DNS: &DNSAnswer{}},
		{Question: Question{Kind: KindDNS, DNS: &DNSQuestion{Name: "orchard.net"}, Lookup: question.Lookup}},
	} {
		if a, b := o.digest(), digest(o); a != b {
			t.Errorf("%+v: %s, as a whole %s", o, a, b)
		}
	}
}
