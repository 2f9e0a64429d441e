package assay_test

import (
	"context"
	"fmt"
	"time"

	"assay"
	"assay/cause"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/profile"
)

var clock = func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }

// Review an order as an order file says it.
func Example() {
	file, err := order.Parse([]byte(`
product: dv
names: [www.qq.pw]
method: dns
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := (&assay.Reviewer{Now: clock}).Review(context.Background(), file.Resolve())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Verdict)
	for _, f := range report.Findings {
		if f.Level.Blocks() {
			fmt.Println(f.Level, f.Cause, f.Subject)
		}
	}
	// Output:
	// refuse
	// refuse policy.rare-root-domain www.qq.pw
}

// One order under several CAs: the facts are read once, the verdict differs.
func ExampleReviewer_also() {
	var also []*profile.Profile
	for _, name := range []string{"baseline", "letsencrypt", "private"} {
		p, err := profile.Named(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		also = append(also, p)
	}
	r := &assay.Reviewer{Also: also, Now: clock, Lang: cause.Chinese}
	report, err := r.Review(context.Background(), &order.Order{Product: order.DV, Names: []string{"printer.corp"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Profile.Name, report.Verdict)
	for _, o := range report.Also {
		fmt.Println(o.Profile, o.Verdict)
	}
	// Output:
	// cloud refuse
	// baseline refuse
	// letsencrypt refuse
	// private pass
}

// A live review, here of the small internet of package lab; on the real one
// assay.Here gives the place to look from.
func ExampleReviewer_live() {
	ctx := context.Background()
	world, err := lab.New(lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {
		ZoneCopy: lab.ZoneCopy{Remove: []string{"_dnsauth TXT"}, Add: []string{`_dnsauth TXT "$VALUE."`}},
	}}}, lab.Options{})
	if err == nil {
		err = world.Start()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	places, err := trial.Places(ctx, world)
	if err != nil {
		fmt.Println(err)
		return
	}
	o := &order.File{
		Order:  order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: order.MethodDNS},
		Expect: map[string]order.Expectation{"orchard.net": {Value: lab.Value}},
	}
	r := &assay.Reviewer{Places: places, Now: func() time.Time { return lab.Clock }}
	report, err := r.Review(ctx, o.Resolve())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Scope, report.Verdict)
	for _, f := range report.Findings {
		if f.Level.Blocks() {
			fmt.Println(f.Cause, f.Subject, f.Parameters["seen"])
		}
	}
	// Output:
	// network wait
	// dns.value-altered orchard.net [20261125a7k2m9x4q8w3e5r6t1.]
}

// What would the order be under an operator's own rules?
func ExampleReviewer_ownProfile() {
	p, err := profile.Parse([]byte(`
name = "ours"
inherits = "private"

[names]
max_names = 2
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	r := &assay.Reviewer{Profile: p, Now: clock}
	report, err := r.Review(context.Background(), &order.Order{Product: order.DV, Names: []string{"a.corp", "b.corp", "c.corp"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range report.Findings {
		if f.Level.Blocks() {
			fmt.Println(f.Level, f.Cause, f.Parameters["count"], f.Parameters["limit"])
		}
	}
	// Output:
	// refuse request.name-count 3 2
}
