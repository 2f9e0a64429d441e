package review_test

import (
	"slices"
	"testing"

	"assay/data"
	"assay/evidence"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// TestAsksOnlyWhatIsUsed: a topic is asked where a rule of the profile reads it
// for this order, once, and for the other profiles whose verdict is wanted.
func TestAsksOnlyWhatIsUsed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, profile, also string
		order               order.Order
		asked, unasked      []evidence.Topic
	}{
		{
			"an order without account", "cloud", "",
			order.Order{},
			[]evidence.Topic{evidence.TopicInputs, evidence.TopicOrders, evidence.TopicChecks},
			[]evidence.Topic{evidence.TopicAccount, evidence.TopicCertificate, evidence.TopicCalls, evidence.TopicLetters},
		},
		{
			"an order of an account", "cloud", "",
			order.Order{Account: "a1"},
			[]evidence.Topic{evidence.TopicAccount},
			[]evidence.Topic{evidence.TopicCertificate},
		},
		{
			"a renewal", "cloud", "",
			order.Order{Kind: order.Renewal},
			[]evidence.Topic{evidence.TopicCertificate},
			nil,
		},
		{
			"a renewal where it is always open", "baseline", "",
			order.Order{Kind: order.Renewal},
			nil,
			[]evidence.Topic{evidence.TopicCertificate},
		},
		{
			"the same for the verdict of another profile", "baseline", "cloud",
			order.Order{Kind: order.Renewal},
			[]evidence.Topic{evidence.TopicCertificate},
			nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.order.Product, c.order.Names = order.DV, []string{"www.orchard.net"}
			in := review.Input{Profile: named(t, c.profile), At: caseTime, Mode: review.Precheck, Scope: review.ScopeOrder}
			if c.also != "" {
				in.Also = []*profile.Profile{named(t, c.also)}
			}
			var asked []evidence.Topic
			for _, q := range review.Prepare(&c.order, data.Embedded()).Ask(in) {
				if slices.Contains(asked, q.Lookup.Topic) {
					t.Errorf("%s is asked twice", q.Lookup.Topic)
				}
				asked = append(asked, q.Lookup.Topic)
			}
			for _, topic := range c.asked {
				if !slices.Contains(asked, topic) {
					t.Errorf("%s is not asked: %v", topic, asked)
				}
			}
			for _, topic := range c.unasked {
				if slices.Contains(asked, topic) {
					t.Errorf("%s is asked for nothing", topic)
				}
			}
		})
	}
}

func named(t *testing.T, name string) *profile.Profile {
	t.Helper()
	p, err := profile.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
