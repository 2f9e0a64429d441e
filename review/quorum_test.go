package review

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// A view is a world in which some places see no record, some CAA records that
// forbid, and some nothing.
type view struct {
	without, forbidden string
	away               string
	// word is what is said of those away.
	word string
	// partly are places at which ns2, which answers first there, lacks the record.
	partly string
}

func (v view) apply(n *internet) {
	n.fault = func(place, server string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
		orchard := strings.HasSuffix(server, ".orchard.net")
		switch {
		case orchard && q.Name == "_dnsauth.orchard.net" && strings.Contains(v.without, place):
			c.Status, c.Answer = "NXDOMAIN", nil
		case orchard && q.Type == "CAA" && q.Name == "orchard.net" && strings.Contains(v.forbidden, place):
			c.Answer = []evidence.Record{{Owner: q.Name, Type: "CAA", Data: `0 issue "other-ca.net"`}}
		case v.partly != "" && q.Name == "_dnsauth.orchard.net" && server == firstHere(v.partly, place):
			c.Status, c.Answer = "NXDOMAIN", nil
		}
	}
	n.unknown = func(place string, _ evidence.DNSQuestion) string {
		if strings.Contains(v.away, place) {
			return v.word
		}
		return ""
	}
}

// firstHere is the server that lacks the record: the fake internet lets the
// first usable one decide, so the first for places that meet it.
func firstHere(partly, place string) string {
	if strings.Contains(partly, place) {
		return "ns1.orchard.net"
	}
	return "ns2.orchard.net"
}

const down = evidence.UnknownUnreachable + ": connection refused"

// TestQuorum: what places come to, for validation and for CAA.
func TestQuorum(t *testing.T) {
	t.Parallel()
	differs := " <- dns.differs-by-region@orchard.net"
	for _, c := range []struct {
		name    string
		view    view
		places  int
		profile string
		at      time.Time
		want    []string
		verdict Verdict
	}{
		{name: "all agree", places: 6, verdict: VerdictPass},
		{name: "one forbids", view: view{forbidden: "P3"}, places: 6, verdict: VerdictPass, want: []string{"warn perspective.results-differ@orchard.net"}},
		{name: "two forbid", view: view{forbidden: "P3P4"}, places: 6, verdict: VerdictWait, want: []string{"wait perspective.quorum-not-met@orchard.net"}},
		{name: "two of six forbid", view: view{forbidden: "P3P4"}, places: 7, verdict: VerdictPass, want: []string{"warn perspective.results-differ@orchard.net"}},
		{name: "three of six forbid", view: view{forbidden: "P2P3P4"}, places: 7, verdict: VerdictWait, want: []string{"wait perspective.quorum-not-met@orchard.net"}},
		{
			name: "the only one forbids", view: view{forbidden: "P1"}, places: 2, verdict: VerdictWait,
			want: []string{"wait perspective.quorum-not-met@orchard.net", "warn perspective.set-not-conformant@perspectives"},
		},
		{
			name: "the only one does not answer", view: view{away: "P1", word: down}, places: 2, verdict: VerdictUnknown,
			want: []string{"unknown perspective.unavailable@P1", "warn perspective.set-not-conformant@perspectives"},
		},
		{name: "the primary alone forbids", view: view{forbidden: "P0"}, places: 6, verdict: VerdictWait, want: []string{"wait perspective.primary-failed@orchard.net"}},
		{name: "the primary and one more forbid", view: view{forbidden: "P0P1"}, places: 6, verdict: VerdictWait, want: []string{"wait perspective.primary-failed@orchard.net"}},
		{name: "the primary and two more forbid", view: view{forbidden: "P0P1P2"}, places: 6, verdict: VerdictWait, want: []string{"wait caa.forbids@orchard.net"}},
		{name: "one is away", view: view{away: "P3", word: down}, places: 6, verdict: VerdictPass, want: []string{"warn perspective.unavailable@P3"}},
		{
			name: "two are away", view: view{away: "P3P4", word: down}, places: 6, verdict: VerdictUnknown,
			want: []string{"unknown perspective.unavailable@P3", "unknown perspective.unavailable@P4"},
		},
		{
			name: "one is away, one forbids", view: view{away: "P3", word: down, forbidden: "P4"}, places: 6, verdict: VerdictUnknown,
			want: []string{"unknown perspective.unavailable@P3"},
		},
		{
			name: "one is away, two forbid: it does not depend on the one", view: view{away: "P3", word: down, forbidden: "P1P4"}, places: 6, verdict: VerdictWait,
			want: []string{"wait perspective.quorum-not-met@orchard.net", "warn perspective.unavailable@P3"},
		},
		{
			name: "two are away, and the record is nowhere", view: view{away: "P3P4", word: down, without: "P0P1P2P5"}, places: 6, verdict: VerdictUnknown,
			want: []string{"unknown perspective.unavailable@P3", "unknown perspective.unavailable@P4", "wait dns.record-missing@orchard.net"},
		},
		{
			name: "some servers lack it, and two places met those", view: view{partly: "P1P2"}, places: 6, profile: "baseline", verdict: VerdictWait,
			want: []string{"wait dns.servers-disagree@orchard.net"},
		},
		{
			name: "some servers lack it, and one place met those", view: view{partly: "P1"}, places: 6, profile: "baseline", verdict: VerdictPass,
			want: []string{"warn dns.servers-disagree@orchard.net"},
		},
		{
			name: "some servers lack it, and the primary met those", view: view{partly: "P0"}, places: 6, profile: "baseline", verdict: VerdictWait,
			want: []string{"wait dns.servers-disagree@orchard.net"},
		},
		{
			name: "before a missed quorum stopped anything", view: view{without: "P1P2"}, places: 6, profile: "baseline", verdict: VerdictPass,
			at:   time.Date(2025, 9, 14, 0, 0, 0, 0, time.UTC),
			want: []string{"warn dns.differs-by-region@orchard.net", "warn perspective.quorum-not-met@orchard.net" + differs},
		},
		{
			name: "nothing is lost by it under a private CA", view: view{without: "P1P2"}, places: 6, profile: "private", verdict: VerdictPass,
			want: []string{"warn dns.differs-by-region@orchard.net", "warn perspective.quorum-not-met@orchard.net" + differs},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := healthy()
			c.view.apply(n)
			tr := &trial{net: n, places: someOf(c.places), profile: c.profile, order: labOrder(), at: c.at}
			if !c.at.IsZero() {
				tr.order.SubmittedAt = c.at.Add(-time.Hour)
			}
			r := tr.judge(t)
			slices.Sort(c.want)
			if diff := cmp.Diff(append([]string{}, c.want...), network(r)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			// What a submitted order lacks besides is not what is looked at here.
			if r.Verdict != c.verdict && c.profile != "baseline" {
				t.Errorf("verdict %s, want %s", r.Verdict, c.verdict)
			}
			textsComplete(t, r)
		})
	}
}

// TestQuorumParameters: the count, and the row of each place.
func TestQuorumParameters(t *testing.T) {
	t.Parallel()
	n := healthy()
	view{forbidden: "P1P4", away: "P5", word: down}.apply(n)
	r := (&trial{net: n, places: six()}).judge(t)
	f := finding(t, r, cause.PerspectiveQuorumNotMet)
	want := cause.Parameters{
		"name": "orchard.net", "check": "caa", "perspectives": []string{"P1", "P4"}, "passing": []string{"P2", "P3"},
		"results": []string{"P1: caa.forbids", "P4: caa.forbids"}, "matched": 2, "total": 5, "misses": 2, "allowed": 1, "problem": "misses",
	}
	if diff := cmp.Diff(want, f.Parameters); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !slices.Equal(f.Perspectives, []string{"P1", "P4"}) || len(f.Evidence) != 2 {
		t.Errorf("seen from %v: %v", f.Perspectives, f.Evidence)
	}
}

// TestQuorumRegions: those that agree lie in one region, and others do not agree.
func TestQuorumRegions(t *testing.T) {
	t.Parallel()
	n := healthy()
	view{forbidden: "P1"}.apply(n)
	places := six()
	for i := range places[2:] {
		places[i+2].Region = "RIPE"
	}
	r := (&trial{net: n, places: places}).judge(t)
	f := finding(t, r, cause.PerspectiveQuorumNotMet)
	if f.Parameters["problem"] != "regions" || !slices.Equal(f.Parameters["regions"].([]string), []string{"RIPE"}) || f.Parameters["required_regions"] != 2 {
		t.Error(f.Parameters)
	}
	textsComplete(t, r)
	// A set in one region is a set not worth much, but no fault of the applicant.
	places[1].Region = "RIPE"
	n = healthy()
	view{forbidden: "P1"}.apply(n)
	want := []string{"warn perspective.results-differ@orchard.net", "warn perspective.set-not-conformant@perspectives"}
	if diff := cmp.Diff(want, network((&trial{net: n, places: places}).judge(t))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestAwayWords: why a place could not look.
func TestAwayWords(t *testing.T) {
	t.Parallel()
	for word, problem := range map[string]string{
		evidence.UnknownUnreachable + ": connection refused": "no-reply",
		evidence.UnknownTimeout:                              "no-reply",
		evidence.UnknownRefused + ": its clock":              "no-reply",
		evidence.UnknownTooLarge:                             "no-reply",
		evidence.UnknownIdentity + ": it shows another key":  "wrong-identity",
		evidence.UnknownInvalid + ": another nonce":          "wrong-echo",
		evidence.UnknownInvalid + ": its self-test fails":    "self-test-failed",
		"dns": "self-test-failed",
	} {
		n := healthy()
		view{away: "P3", word: word}.apply(n)
		r := (&trial{net: n, places: six()}).judge(t)
		if f := finding(t, r, cause.PerspectiveUnavailable); f.Parameters["problem"] != problem || f.Level != cause.Warn {
			t.Errorf("%s: %s %v, want %s", word, f.Level, f.Parameters, problem)
		}
		textsComplete(t, r)
	}
}

// TestSet: what a set of places lacks, by date, and how its evidence is marked.
func TestSet(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		name, profile string
		places        []evidence.Perspective
		change        func([]evidence.Perspective)
		at            time.Time
		mode          Mode
		level         string // "": no finding
		defects       []string
		mpic          string
	}{
		{name: "five remotes", places: six(), at: at("2026-12-15"), mpic: "conformant"},
		{name: "four, a day before five are asked for", places: someOf(5), at: at("2026-12-14"), mpic: "conformant"},
		{name: "four, when five are asked for", places: someOf(5), at: at("2026-12-15"), level: "info", defects: []string{"too-few"}, mpic: "lab (4 of 5)"},
		{name: "three, at an attempt", places: someOf(4), at: at("2026-12-15"), mode: Attempt, level: "unknown", defects: []string{"too-few"}, mpic: "lab (3 of 5)"},
		{name: "three, at the cloud", profile: "cloud", places: someOf(4), at: at("2026-12-15"), level: "warn", defects: []string{"too-few"}, mpic: "lab (3 of 5)"},
		{name: "this machine alone", places: someOf(1), at: at("2026-11-25"), mpic: "lab (0 of 4)"},
		{name: "this machine alone, at an attempt", places: someOf(1), at: at("2026-11-25"), mode: Attempt, level: "unknown", defects: []string{"too-few"}, mpic: "lab (0 of 4)"},
		{name: "before any rule", places: someOf(1), at: at("2025-03-14"), mode: Attempt, mpic: "not required"},
		{
			name: "two in one town", places: six(), at: at("2026-11-25"), level: "info", defects: []string{"too-near"}, mpic: "lab (3 of 4)",
			change: func(p []evidence.Perspective) { p[2].Location, p[3].Location = p[1].Location, p[1].Location },
		},
		{
			name: "one where the primary is", places: someOf(5), at: at("2026-11-25"), level: "info", defects: []string{"too-near"}, mpic: "lab (3 of 4)",
			change: func(p []evidence.Perspective) { p[4].Location = p[0].Location },
		},
		{
			name: "nobody knows where", places: six(), at: at("2026-11-25"), level: "info", defects: []string{"not-placed"}, mpic: "lab (0 of 4)",
			change: func(p []evidence.Perspective) { p[0].Location = nil },
		},
		{
			name: "one region", places: six(), at: at("2026-11-25"), level: "info", defects: []string{"too-few-regions"}, mpic: "lab (4 of 4)",
			change: func(p []evidence.Perspective) {
				for i := range p {
					p[i].Region = "APNIC"
				}
			},
		},
		{
			name: "a resolver for two", places: six(), at: at("2026-11-25"), level: "info", defects: []string{"resolver-shared"}, mpic: "lab (4 of 4)",
			change: func(p []evidence.Perspective) { p[2].Resolver, p[4].Resolver = "192.0.2.53:53", "192.0.2.53:53" },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.change != nil {
				c.change(c.places)
			}
			if c.profile == "" {
				c.profile = "baseline"
			}
			r := (&trial{net: healthy(), places: c.places, profile: c.profile, at: c.at, mode: c.mode}).judge(t)
			if r.MPIC != c.mpic {
				t.Errorf("marked %q, want %q", r.MPIC, c.mpic)
			}
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Cause == cause.PerspectiveSetNotConformant })
			if (i >= 0) != (c.level != "") {
				t.Fatal(network(r))
			}
			if i >= 0 {
				f := &r.Findings[i]
				if string(f.Level) != c.level || fmt.Sprint(f.Parameters["defects"]) != fmt.Sprint(c.defects) {
					t.Errorf("%s %v", f.Level, f.Parameters)
				}
			}
			textsComplete(t, r)
		})
	}
}

// TestNoFalseQuorum: whatever places see or fail to see, an order passes only
// where the primary place and a quorum of the others see what is asked for, in
// regions enough; and a place that could not look is laid on nobody.
func TestNoFalseQuorum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		places := someOf(rapid.IntRange(1, 8).Draw(t, "places"))
		var v view
		v.word = rapid.SampledFrom([]string{down, evidence.UnknownInvalid, "budget"}).Draw(t, "word")
		agree, differ, regions := 0, 0, map[string]bool{}
		here := true
		all := map[string]bool{}
		for i := range places {
			places[i].Region = rapid.SampledFrom([]string{"RIPE", "ARIN", "APNIC"}).Draw(t, "region")
			id := places[i].ID
			says := rapid.SampledFrom([]string{"yes", "yes", "yes", "without", "forbidden", "away"}).Draw(t, id)
			switch says {
			case "without":
				v.without += id
			case "forbidden":
				v.forbidden += id
			case "away":
				v.away += id
			}
			switch {
			case i == 0:
				here = says == "yes"
				continue
			case says == "yes":
				agree++
				regions[places[i].Region] = true
			case says != "away":
				differ++
			}
			all[places[i].Region] = true
		}
		n := healthy()
		v.apply(n)
		r := (&trial{net: n, places: places, profile: "cloud", order: labOrder()}).judge(t)
		remotes := len(places) - 1
		// Validation and CAA are counted apart, so a pass may have a miss of each.
		enough := remotes-agree <= 2*missesAllowed(remotes) && len(regions) >= min(2, len(all))-1
		if r.Verdict == VerdictPass && (!here || !enough) {
			t.Fatalf("passes: %+v %v", v, network(r))
		}
		if here && differ == 0 && r.Verdict != VerdictPass && r.Verdict != VerdictUnknown {
			t.Fatalf("the applicant is blamed: %+v %v", v, network(r))
		}
	})
}

// TestQuorumOfPartner: the CAA records of the name that comes with another have to
// permit from as many places as those of the name itself.
func TestQuorumOfPartner(t *testing.T) {
	t.Parallel()
	for forbidden, want := range map[string]Verdict{"": VerdictPass, "P3": VerdictPass, "P3P4": VerdictWait, "P0": VerdictWait, "P0P1P2P3P4P5": VerdictWait} {
		n := shop(giving(fakeFile, labValue))
		n.fault = func(place, server string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
			if strings.HasSuffix(server, ".orchard.net") && q.Type == "CAA" && q.Name == "www.orchard.net" && strings.Contains(forbidden, place) {
				c.Status, c.Answer = "NOERROR", []evidence.Record{{Owner: q.Name, Type: "CAA", Data: `0 issue "other-ca.net"`}}
			}
		}
		tr := &trial{net: n, order: fileOrder(order.MethodFile, "orchard.net"), places: someOf(6)}
		if r := tr.judge(t); r.Verdict != want {
			t.Errorf("%q forbid: %s, want %s: %v", forbidden, r.Verdict, want, network(r))
		} else {
			textsComplete(t, r)
		}
	}
}

// TestLyingResolver: a remote place whose own resolver invents answers is not
// believed, of CAA neither.
func TestLyingResolver(t *testing.T) {
	t.Parallel()
	n := healthy()
	n.resolvers = map[string]func(evidence.DNSQuestion) *evidence.DNSAnswer{"192.0.2.53:53": func(q evidence.DNSQuestion) *evidence.DNSAnswer {
		if q.Type != "A" {
			return nil
		}
		return &evidence.DNSAnswer{Status: "NOERROR", Security: "insecure", Answer: []evidence.Record{{Owner: q.Name, Type: "A", Data: "198.18.0.9"}}}
	}}
	view{forbidden: "P4"}.apply(n)
	places := six()
	places[3].Resolver = "192.0.2.53:53"
	r := (&trial{net: n, places: places}).judge(t)
	want := []string{
		"info dns.resolver-rewrites@orchard.net",
		"unknown perspective.unavailable@P3 <- dns.resolver-rewrites@orchard.net",
	}
	if diff := cmp.Diff(want, network(r)); diff != "" || r.Verdict != VerdictUnknown {
		t.Errorf("%s (-want +got)\n%s", r.Verdict, diff)
	}
}
