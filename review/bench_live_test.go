package review

import (
	"testing"

	"assay/data"
	"assay/evidence"
	"assay/profile"
)

// BenchmarkLive is the engine's share of one healthy live review of a DV order:
// what to ask, whether more is to be asked, and the judgement.
func BenchmarkLive(b *testing.B) {
	for _, places := range []int{1, 6} {
		b.Run(map[int]string{1: "one place", 6: "six places"}[places], func(b *testing.B) {
			world, o := healthy(), labOrder()
			p, err := profile.Named("cloud")
			if err != nil {
				b.Fatal(err)
			}
			in := Input{Profile: p, At: labClock, Mode: Precheck, Scope: ScopeNetwork}
			for _, id := range []string{"P0", "P1", "P2", "P3", "P4", "P5"}[:places] {
				in.Perspectives = append(in.Perspectives, evidence.Perspective{ID: id, Region: "APNIC"})
			}
			answers := in
			for _, q := range Prepare(o, data.Embedded()).Ask(in) {
				if q.Lookup != nil {
					answers.Seen = append(answers.Seen, evidence.Observation{Question: q, At: labClock, Lookup: &evidence.LookupAnswer{}}.Identify())
					continue
				}
				answers.Seen = append(answers.Seen, world.answer(q).Identify())
			}
			b.ReportAllocs()
			for b.Loop() {
				c := Prepare(o, data.Embedded())
				if len(c.Ask(in)) == 0 || len(c.Ask(answers)) != 0 {
					b.Fatal("questions")
				}
				if r := c.Judge(answers); r.Verdict != VerdictPass {
					b.Fatal(r.Verdict)
				}
			}
		})
	}
}
