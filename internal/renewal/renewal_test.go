package renewal

import (
	"encoding/binary"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)

// lives is a life of so many days, the last second counted.
func lives(days float64) Life {
	return Life{start, start.Add(time.Duration(days*float64(day)) - time.Second)}
}

// after is a time so many days into a life.
func after(days float64) time.Time { return start.Add(time.Duration(days * float64(day))) }

// TestAt: two thirds, whatever the length.
func TestAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		life   Life
		policy Policy
		want   time.Time
	}{
		{"90 days", lives(90), Policy{}, after(60)},
		{"45 days", lives(45), Policy{}, after(30)},
		{"6 days", lives(6), Policy{}, after(4)},
		{"160 hours", lives(160. / 24), Policy{}, start.Add(160 * time.Hour * 2 / 3)},
		{"398 days", lives(398), Policy{}, start.Add(398 * day * 2 / 3)},
		{"10 years", lives(3652), Policy{}, start.Add(3652 * day * 2 / 3)},
		{"at 99 hundredths, 30 days before the end of a long one", lives(398), Policy{Share: Share{99, 100}}, after(368)},
		{"at nine tenths, one day over 90", lives(91), Policy{Share: Share{9, 10}}, after(61)},
		{"at nine tenths, 90 days", lives(90), Policy{Share: Share{9, 10}}, after(81)},
		{"at 99 hundredths, 6 days", lives(6), Policy{Share: Share{99, 100}}, after(5.4)},
		{"at half", lives(90), Policy{Share: Share{1, 2}}, after(45)},
		{"a share that is none", lives(90), Policy{Share: Share{3, 2}}, after(60)},
		{"a share of nothing", lives(90), Policy{Share: Share{1, 0}}, after(60)},
		{"open only in the last 30 days", lives(200), Policy{OpensDays: 30}, after(170)},
		{"open in the last 30 of 45 days", lives(45), Policy{OpensDays: 30}, after(30)},
		{"open in the last 10 of 200 days: not earlier", lives(200), Policy{OpensDays: 10}, after(190)},
		{"open longer than it lives", lives(6), Policy{OpensDays: 30}, after(4)},
		{"nothing of a life", Life{start, start.Add(-day)}, Policy{}, start},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.policy.At(c.life); !got.Equal(c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestIn: the CA's window decides, up to the latest time.
func TestIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		life       Life
		window     Window
		policy     Policy
		from, to   time.Time
		wantSameAs bool // as without a window
	}{
		{name: "within", life: lives(90), window: Window{after(58), after(60)}, from: after(58), to: after(60)},
		{name: "early", life: lives(90), window: Window{after(1), after(2)}, from: after(1), to: after(2)},
		{name: "before it began: now", life: lives(90), window: Window{after(-3), after(-2)}, from: after(-3), to: after(-2)},
		{name: "early, though not open: the CA knows why", life: lives(200), policy: Policy{OpensDays: 30}, window: Window{after(10), after(11)}, from: after(10), to: after(11)},
		{name: "later than a tenth of its life", life: lives(45), window: Window{after(44), after(45)}, from: after(40.5), to: after(40.5)},
		{name: "later than 30 days", life: lives(398), window: Window{after(390), after(392)}, from: after(368), to: after(368)},
		{name: "after its end", life: lives(6), window: Window{after(100), after(101)}, from: after(5.4), to: after(5.4)},
		{name: "none", life: lives(90), wantSameAs: true},
		{name: "backwards", life: lives(90), window: Window{after(60), after(58)}, wantSameAs: true},
		{name: "no length", life: lives(90), window: Window{after(60), after(60)}, wantSameAs: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for n := range 100 {
				seed := binary.BigEndian.AppendUint64(nil, uint64(n))
				got := c.policy.In(c.life, c.window, seed)
				if c.wantSameAs {
					if want := c.policy.At(c.life); !got.Equal(want) {
						t.Fatalf("%s, want %s", got, want)
					}
					continue
				}
				if got.Before(c.from) || got.After(c.to) {
					t.Fatalf("%s is not between %s and %s", got, c.from, c.to)
				}
				if again := c.policy.In(c.life, c.window, seed); !again.Equal(got) {
					t.Fatalf("%s, then %s", got, again)
				}
			}
		})
	}
}

// TestPick: certificates spread over a window evenly, and choose anew for another.
func TestPick(t *testing.T) {
	t.Parallel()
	w := Window{after(58), after(60)}
	other := Window{w.Start, w.End.Add(time.Hour)}
	const certificates, parts = 4800, 48
	var counts [parts]int
	moved := 0
	for n := range certificates {
		seed := binary.BigEndian.AppendUint64(nil, uint64(n))
		at := Pick(w, seed)
		counts[min(int(at.Sub(w.Start)/time.Hour), parts-1)]++
		if !Pick(other, seed).Equal(at) {
			moved++
		}
	}
	if least, most := slices.Min(counts[:]), slices.Max(counts[:]); least < 60 || most > 140 { // 100 and four deviations
		t.Errorf("from %d to %d in an hour: %v", least, most, counts)
	}
	if moved < certificates*9/10 {
		t.Errorf("%d of %d chose anew", moved, certificates)
	}
	short := Window{start.Add(100 * time.Millisecond), start.Add(900 * time.Millisecond)}
	if at := Pick(short, nil); at.Before(short.Start) || at.After(short.End) {
		t.Errorf("%s is not in a window below a second", at)
	}
}

// TestTell: notices that mean something, earliest first.
func TestTell(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		life    Life
		notices []int
		want    []int
	}{
		{"398 days", lives(398), nil, []int{30, 14, 7, 3, 1}},
		{"90 days", lives(90), nil, []int{30, 14, 7, 3, 1}},
		{"46 days", lives(46), nil, []int{30, 14, 7, 3, 1}},
		{"45 days: the first third", lives(45), nil, []int{14, 7, 3, 1}},
		{"20 days", lives(20), nil, []int{7, 3, 1}},
		{"6 days", lives(6), nil, []int{3, 1}},
		{"a day", lives(1), nil, nil},
		{"its own, in any order and twice", lives(398), []int{5, 60, 5, 20}, []int{60, 20, 5}},
		{"on no day", lives(398), []int{}, nil},
		{"days that are none", lives(398), []int{-1, 0, 1 << 60, 2}, []int{2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []int
			for _, n := range (Policy{Notices: c.notices}).Tell(c.life) {
				got = append(got, n.Days)
				if left := c.life.NotAfter.Add(time.Second).Sub(n.At); left != time.Duration(n.Days)*day {
					t.Errorf("%d days: %s before the end", n.Days, left)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// TestNext: unused time is added, up to what is allowed, to the second.
func TestNext(t *testing.T) {
	t.Parallel()
	old := lives(200)
	for _, c := range []struct {
		name    string
		on      float64 // days after the old one began
		length  float64
		kept    int
		maximum float64
		want    float64 // days
	}{
		{"nothing kept", 180, 90, 0, 0, 90},
		{"20 days left", 180, 90, 30, 0, 110},
		{"50 days left, 30 kept", 150, 90, 30, 0, 120},
		{"not over the maximum", 180, 190, 30, 200, 200},
		{"the maximum itself", 180, 200, 30, 200, 200},
		{"longer than the maximum by itself", 180, 300, 0, 200, 200},
		{"after the end", 201, 90, 30, 0, 90},
		{"before the old one began: no more than its life", -300, 90, 1000, 0, 290},
		{"less than nothing", 180, 90, -5, 0, 90},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var maximum time.Duration
			if c.maximum > 0 {
				maximum = time.Duration(c.maximum * float64(day))
			}
			got := Next(after(c.on), time.Duration(c.length*float64(day)), old, c.kept, maximum)
			if !got.NotBefore.Equal(after(c.on)) || got.Length() != time.Duration(c.want*float64(day)) {
				t.Errorf("lives for %s, want %g days", got.Length(), c.want)
			}
		})
	}
}

// TestProperties: whatever the life, policy and window.
func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Int64Range(1, int64(40*366*day/time.Second)).Draw(t, "seconds")
		l := Life{start, start.Add(time.Duration(seconds-1) * time.Second)}
		p := Policy{
			Share:     Share{rapid.Int64().Draw(t, "of"), rapid.Int64().Draw(t, "in")},
			OpensDays: rapid.IntRange(-10, 500).Draw(t, "opens"),
			Notices:   rapid.SliceOf(rapid.Int()).Draw(t, "notices"),
		}
		at := p.At(l)
		if at.Before(l.NotBefore) || at.After(l.end()) || at.Before(p.Opens(l)) {
			t.Fatalf("at %s of %+v", at, l)
		}
		if at.After(p.Latest(l)) && at.After(p.Opens(l)) {
			t.Fatalf("at %s, the latest is %s", at, p.Latest(l))
		}
		if l.Length() > Long && p.OpensDays <= 0 && at.After(l.end().Add(-LongLeft)) {
			t.Fatalf("at %s, less than 30 days before the end of %+v", at, l)
		}
		w := Window{
			start.Add(time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "start")) * time.Second),
			start.Add(time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "end")) * time.Second),
		}
		seed := rapid.SliceOf(rapid.Byte()).Draw(t, "seed")
		in := p.In(l, w, seed)
		switch {
		case !w.Valid() && !in.Equal(at), w.Valid() && in.After(p.Latest(l)):
			t.Fatalf("in %+v: %s", w, in)
		case w.Valid() && (in.Before(w.Start) && in.Before(p.Latest(l)) || in.After(w.End)):
			t.Fatalf("not in %+v: %s", w, in)
		}
		last := l.NotBefore
		for _, n := range p.Tell(l) {
			if !n.At.After(last) || !n.At.Before(l.end()) {
				t.Fatalf("told at %s, then at %s", last, n.At)
			}
			last = n.At
		}
		length := time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "length")) * time.Second
		maximum := time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "maximum")) * time.Second
		kept := rapid.IntRange(-1, 100).Draw(t, "kept")
		next := Next(in, length, l, kept, maximum)
		switch got := next.Length(); {
		case maximum > 0 && got > maximum:
			t.Fatalf("lives for %s, the maximum is %s", got, maximum)
		case got < min(length, max(maximum, length)) && (maximum == 0 || got < maximum):
			t.Fatalf("lives for %s, less than by itself", got)
		case got > length+time.Duration(max(kept, 0))*day:
			t.Fatalf("lives for %s, more than was kept", got)
		case maximum == 0 && kept == 100 && in.Before(l.end()) && l.end().Sub(in) < 100*day && in.After(l.NotBefore) && got != length+l.end().Sub(in):
			t.Fatalf("lives for %s, time was lost", got)
		}
	})
}
