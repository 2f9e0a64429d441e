package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/internal/store"
)

// The store's rows convert: a field that one of the two lacks does not compile.
var (
	_ = Entry(store.Entry{})
	_ = store.Head(Head{})
)

var began = time.Date(2026, 11, 20, 8, 0, 0, 123456000, time.UTC)

func testKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// chainOf is n sealed entries, with heads behind the given ones.
func chainOf(n int, at ...int64) ([]Entry, []Head) {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = Entry{
			ID: fmt.Sprintf("e%02d", i+1), At: began.Add(time.Duration(i) * time.Minute), Tenant: "acme", Actor: "tok<1>", Role: "reviewer",
			Action: "order.approved", Subject: "order:Ab3dE6gH", Order: "Ab3dE6gH", OrderVersion: int64(i),
			Data: []byte(fmt.Sprintf(`{"a":"\u2028é<","n":%d.0}`, i)),
		}
		switch i % 3 {
		case 1:
			entries[i].Private = PrivateDigest([SaltSize]byte{byte(i)}, []byte("Li Lei"))
		case 2:
			entries[i].Data, entries[i].Order, entries[i].OrderVersion = nil, "", 0
		}
	}
	var heads []Head
	var c Chain
	for i := range entries {
		c.Seal(entries[i : i+1])
		if slices.Contains(at, c.Seq) {
			heads = append(heads, c.Sign(testKey(), began.Add(time.Duration(i)*time.Hour)))
		}
	}
	return entries, heads
}

func each(entries []Entry) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for i := range entries {
			if !yield(&entries[i], nil) {
				return
			}
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		n    int
		at   []int64
		want Summary
	}{
		"empty":          {0, nil, Summary{From: 1}},
		"no head":        {5, nil, Summary{From: 1, To: 5}},
		"heads":          {9, []int64{3, 8}, Summary{From: 1, To: 9, Heads: 2, Signed: 8}},
		"head at end":    {4, []int64{4}, Summary{From: 1, To: 4, Heads: 1, Signed: 4}},
		"head at all":    {3, []int64{1, 2, 3}, Summary{From: 1, To: 3, Heads: 3, Signed: 3}},
		"only the first": {1, []int64{1}, Summary{From: 1, To: 1, Heads: 1, Signed: 1}},
	} {
		entries, heads := chainOf(c.n, c.at...)
		got, err := Verify(each(entries), heads, public(testKey()))
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		entries = append(entries, Entry{ID: "new"}, Entry{ID: "newer"})
		c.want.Unsealed = 2
		slices.Reverse(heads) // in any order
		if got, err = Verify(each(entries), heads, public(testKey())); err != nil || got != c.want {
			t.Errorf("%s with an unsealed tail: %+v, %v", name, got, err)
		}
	}
	broken := func(yield func(*Entry, error) bool) { yield(nil, errors.ErrUnsupported) }
	if _, err := Verify(broken, nil, public(testKey())); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("the iterator's error: %v", err)
	}
}

// renumber is what a careful forger does: new places and hashes throughout.
func renumber(entries []Entry) []Entry {
	var c Chain
	c.Seal(entries)
	return entries
}

func TestVerifyNamesTheFirstProblem(t *testing.T) {
	t.Parallel()
	insert := func(e []Entry, at int, seq int64) []Entry {
		return slices.Insert(e, at, Entry{ID: "fake", Seq: seq, At: began, Hash: make([]byte, HashSize)})
	}
	for name, c := range map[string]struct {
		change func(e []Entry, h *[]Head) []Entry
		want   Problem
	}{
		"subject edited": {func(e []Entry, _ *[]Head) []Entry { e[4].Subject = "order:x"; return e }, Problem{Edited, 5, "e05", 5}},
		"order edited":   {func(e []Entry, _ *[]Head) []Entry { e[4].Order = "x"; return e }, Problem{Edited, 5, "e05", 5}},
		"version edited": {func(e []Entry, _ *[]Head) []Entry { e[4].OrderVersion++; return e }, Problem{Edited, 5, "e05", 5}},
		"time edited":    {func(e []Entry, _ *[]Head) []Entry { e[4].At = e[4].At.Add(time.Microsecond); return e }, Problem{Edited, 5, "e05", 5}},
		"data edited":    {func(e []Entry, _ *[]Head) []Entry { e[4].Data = []byte("{}"); return e }, Problem{Edited, 5, "e05", 5}},
		"digest removed": {func(e []Entry, _ *[]Head) []Entry { e[4].Private = nil; return e }, Problem{Edited, 5, "e05", 5}},
		"hash edited":    {func(e []Entry, _ *[]Head) []Entry { e[4].Hash = bytes.Repeat([]byte{1}, 32); return e }, Problem{Edited, 5, "e05", 5}},
		"text moved over a field's edge": {func(e []Entry, _ *[]Head) []Entry {
			e[4].Tenant, e[4].Actor = "acm", "etok<1>"
			return e
		}, Problem{Edited, 5, "e05", 5}},
		"two edited":           {func(e []Entry, _ *[]Head) []Entry { e[7].ID, e[4].ID = "x", "y"; return e }, Problem{Edited, 5, "y", 5}},
		"one removed":          {func(e []Entry, _ *[]Head) []Entry { return slices.Delete(e, 4, 5) }, Problem{Removed, 5, "", 5}},
		"three removed":        {func(e []Entry, _ *[]Head) []Entry { return slices.Delete(e, 4, 7) }, Problem{Removed, 7, "", 5}},
		"the first removed":    {func(e []Entry, _ *[]Head) []Entry { return e[1:] }, Problem{Removed, 1, "", 1}},
		"cut before a head":    {func(e []Entry, _ *[]Head) []Entry { return e[:6] }, Problem{Removed, 8, "", 7}},
		"all removed":          {func([]Entry, *[]Head) []Entry { return nil }, Problem{Removed, 3, "", 1}},
		"one twice":            {func(e []Entry, _ *[]Head) []Entry { return slices.Insert(e, 6, e[4]) }, Problem{Inserted, 5, "e05", 5}},
		"inserted at a place":  {func(e []Entry, _ *[]Head) []Entry { return insert(e, 4, 5) }, Problem{Inserted, 5, "fake", 5}},
		"inserted behind it":   {func(e []Entry, _ *[]Head) []Entry { return insert(e, 5, 5) }, Problem{Inserted, 5, "fake", 5}},
		"appended":             {func(e []Entry, _ *[]Head) []Entry { return insert(e, 9, 10) }, Problem{Edited, 10, "fake", 10}},
		"neighbours swapped":   {func(e []Entry, _ *[]Head) []Entry { e[4], e[5] = e[5], e[4]; return e }, Problem{Reordered, 5, "e05", 5}},
		"moved to the end":     {func(e []Entry, _ *[]Head) []Entry { return append(slices.Delete(slices.Clone(e), 4, 5), e[4]) }, Problem{Reordered, 5, "e05", 5}},
		"edited and rehashed":  {func(e []Entry, _ *[]Head) []Entry { e[4].Actor = "x"; return renumber(e) }, Problem{Rewritten, 8, "", 4}},
		"removed and rehashed": {func(e []Entry, _ *[]Head) []Entry { return renumber(slices.Delete(e, 1, 2)) }, Problem{Rewritten, 3, "", 1}},
		"inserted and rehashed": {func(e []Entry, _ *[]Head) []Entry {
			return renumber(insert(e, 4, 0))
		}, Problem{Rewritten, 8, "", 4}},
		"swapped and rehashed": {func(e []Entry, _ *[]Head) []Entry { e[4], e[5] = e[5], e[4]; return renumber(e) }, Problem{Rewritten, 8, "", 4}},
		"signed by another": {func(e []Entry, h *[]Head) []Entry {
			other := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
			(*h)[1] = Chain{Seq: 8, Hash: e[7].Hash}.Sign(other, began)
			return e
		}, Problem{BadHead, 8, "", 8}},
		"head's time edited": {func(e []Entry, h *[]Head) []Entry { (*h)[0].At = began.Add(time.Second); return e }, Problem{BadHead, 3, "", 3}},
		"head moved":         {func(e []Entry, h *[]Head) []Entry { (*h)[0].Seq = 4; return e }, Problem{BadHead, 4, "", 4}},
		"sealed place lost":  {func(e []Entry, _ *[]Head) []Entry { e[4].Seq = 0; return e }, Problem{Removed, 5, "", 5}},
		"negative place":     {func(e []Entry, _ *[]Head) []Entry { e[4].Seq = -5; return e }, Problem{Inserted, -5, "e05", -5}},
	} {
		entries, heads := chainOf(9, 3, 8)
		entries = c.change(entries, &heads)
		_, err := Verify(each(entries), heads, public(testKey()))
		var got *Problem
		if !errors.As(err, &got) || *got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
			continue
		}
		if !strings.Contains(err.Error(), fmt.Sprint(c.want.Seq)) {
			t.Errorf("%s does not name the place: %v", name, err)
		}
	}
}

// Two heads of one place that are both signed: the key was used for two chains.
func TestForkedHeads(t *testing.T) {
	t.Parallel()
	entries, heads := chainOf(4, 4)
	heads = append(heads, Chain{Seq: 4, Hash: make([]byte, HashSize)}.Sign(testKey(), began))
	_, err := Verify(each(entries), heads, public(testKey()))
	var got *Problem
	if !errors.As(err, &got) || got.Kind != Rewritten || got.Seq != 4 || got.First != 4 {
		t.Errorf("%+v", got)
	}
}

// Every field is under the hash, and the form of the hash is kept for ever.
func TestHashIsFixed(t *testing.T) {
	t.Parallel()
	entries, heads := chainOf(2, 2)
	if got := fmt.Sprintf("%x", entries[1].Hash); got != "81ab442ab406634f0af52026a9a6e2f3ec245e3ac77235bde37e266ab1e1bd5f" {
		t.Errorf("hash %s", got)
	}
	if got := fmt.Sprintf("%x", heads[0].Signature); got != "9c28614014faa037651be88d1fd9b14ab495897d9e0426135f1e650fc722b2ea84221d34d499649b7819edec9e938abca4967f4c5742d3127cbcc0dd6637c507" {
		t.Errorf("signature %s", got)
	}
}

func TestHeadDue(t *testing.T) {
	t.Parallel()
	last := Head{Seq: 5, At: began}
	for name, c := range map[string]struct {
		seq  int64
		last Head
		now  time.Time
		want bool
	}{
		"never yet":           {1, Head{}, began, true},
		"empty":               {0, Head{}, began, false},
		"within the hour":     {6, last, began.Add(time.Hour - 1), false},
		"after an hour":       {6, last, began.Add(time.Hour), true},
		"nothing new":         {5, last, began.Add(2 * time.Hour), false},
		"the clock went back": {6, last, began.Add(-time.Second), true},
	} {
		if got := (Chain{Seq: c.seq}).HeadDue(c.last, c.now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPrivateDigest(t *testing.T) {
	t.Parallel()
	a := PrivateDigest([SaltSize]byte{1}, []byte("Li Lei"))
	if len(a) != HashSize || !bytes.Equal(a, PrivateDigest([SaltSize]byte{1}, []byte("Li Lei"))) {
		t.Error("a digest is of its salt and data")
	}
	for _, other := range [][]byte{PrivateDigest([SaltSize]byte{2}, []byte("Li Lei")), PrivateDigest([SaltSize]byte{1}, []byte("Li Le"))} {
		if bytes.Equal(a, other) {
			t.Error("another salt or another name has the same digest")
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		` { "b" : 1.0 , "a" : [ true , null ] } `: `{"a":[true,null],"b":1.0}`,
		`{"a":1,"a":2}`:           `{"a":2}`,
		`"<é\u00e9\u2028"`:        `"<éé\u2028"`,
		`12345678901234567890123`: `12345678901234567890123`,
		``:                        ``,
		`{} {}`:                   ``,
		`{`:                       ``,
	} {
		got, err := Canonical([]byte(in))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	entries, _ := chainOf(3)
	for i := range entries {
		if err := entries[i].Check(); err != nil {
			t.Error(err)
		}
	}
	for name, change := range map[string]func(*Entry){
		"long field":     func(e *Entry) { e.Subject = strings.Repeat("x", MaxField+1) },
		"no UTF-8":       func(e *Entry) { e.Actor = "\xff" },
		"time":           func(e *Entry) { e.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"digest":         func(e *Entry) { e.Private = []byte("short") },
		"data":           func(e *Entry) { e.Data = []byte(`{"b":1,"a":2}`) },
		"white space":    func(e *Entry) { e.Data = []byte(`{ }`) },
		"no JSON":        func(e *Entry) { e.Data = []byte(`{`) },
		"too much":       func(e *Entry) { e.Data = []byte(`"` + strings.Repeat("x", MaxData) + `"`) },
		"no UTF-8 in it": func(e *Entry) { e.Data = []byte("\"\xff\"") },
	} {
		entries, _ := chainOf(1)
		change(&entries[0])
		if err := entries[0].Check(); err == nil {
			t.Errorf("%s: nothing is said", name)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	text, err := MarshalKey(public(testKey()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(text)
	if err != nil || !key.Equal(public(testKey())) || len(Fingerprint(key)) != 64 {
		t.Errorf("%x, %v", key, err)
	}
	// A P-256 key.
	ec := "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n"
	for _, text := range []string{"", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", strings.ReplaceAll(string(text), "PUBLIC", "PRIVATE"), ec} {
		if _, err := ParseKey([]byte(text)); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}
