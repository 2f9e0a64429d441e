package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

type failer interface{ Fatal(...any) }

func export(t failer, after Chain, entries []Entry, heads []Head) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, after, heads, public(testKey()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		if err := w.Entry(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func verify(text []byte) (Summary, error) {
	return VerifyExport(bytes.NewReader(text), public(testKey()))
}

func TestExport(t *testing.T) {
	t.Parallel()
	entries, heads := chainOf(9, 3, 8)
	text := export(t, Chain{}, entries, heads)
	got, err := VerifyExport(iotest.OneByteReader(bytes.NewReader(text)), nil)
	if want := (Summary{From: 1, To: 9, Heads: 2, Signed: 8}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if n := bytes.Count(text, []byte("\n")); n != 1+9+2+1 {
		t.Errorf("%d lines", n)
	}
	// A part: what comes after entry 3; its head is the first line.
	part := export(t, Chain{Seq: 3, Hash: entries[2].Hash}, entries[3:], heads)
	if got, err = verify(part); err != nil || got != (Summary{From: 4, To: 9, Heads: 2, Signed: 8}) {
		t.Errorf("a part: %+v, %v", got, err)
	}
	if _, err := verify(export(t, Chain{Seq: 3, Hash: entries[3].Hash}, entries[3:], heads)); err == nil {
		t.Error("a part behind another hash verifies")
	}
	other := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	if _, err := VerifyExport(bytes.NewReader(text), public(other)); err == nil {
		t.Error("verifies with another key")
	}
	if got, err := verify(export(t, Chain{}, nil, heads)); err != nil || got.To != 0 {
		t.Errorf("of nothing: %+v, %v", got, err)
	}
}

func TestExportReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(anEntry(), 1, 6).Draw(t, "entries")
		var c Chain
		c.Seal(entries)
		heads := []Head{c.Sign(testKey(), began)}
		text := export(t, Chain{}, entries, heads)
		if got, err := verify(text); err != nil || got.Signed != int64(len(entries)) {
			t.Fatalf("%+v, %v\n%s", got, err, text)
		}
		r, err := NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			e, _, err := r.Next()
			if err != nil || !bytes.Equal(e.Data, entries[i].Data) || e.Subject != entries[i].Subject || e.At.UnixMicro() != entries[i].At.UnixMicro() {
				t.Fatalf("entry %d: %+v, %v", i, e, err)
			}
		}
	})
}

func anEntry() *rapid.Generator[Entry] {
	return rapid.Custom(func(t *rapid.T) Entry {
		text := rapid.StringN(0, 20, 80)
		e := Entry{
			ID: text.Draw(t, "id"), At: time.UnixMicro(rapid.Int64Range(-1e15, 1e17).Draw(t, "at")).Add(time.Duration(rapid.IntRange(0, 999).Draw(t, "ns"))),
			Tenant: text.Draw(t, "tenant"), Actor: text.Draw(t, "actor"), Role: text.Draw(t, "role"), Action: text.Draw(t, "action"),
			Subject: text.Draw(t, "subject"), Order: text.Draw(t, "order"), OrderVersion: rapid.Int64().Draw(t, "version"),
		}
		if e.At.UTC().Year() > 9999 {
			e.At = began
		}
		e.Data, _ = Canonical([]byte(rapid.SampledFrom([]string{``, `null`, `0`, `"\u2028<>&"`, `{"b":[1.50,-0,1E5],"a":{}}`, `""`}).Draw(t, "data")))
		if rapid.Bool().Draw(t, "private") {
			e.Private = PrivateDigest([SaltSize]byte{1}, []byte(e.ID))
		}
		return e
	})
}

func TestEveryChangeOfAnExportIsFound(t *testing.T) {
	t.Parallel()
	entries, heads := chainOf(3, 1, 3)
	text := export(t, Chain{}, entries, heads)
	if _, err := verify(text); err != nil {
		t.Fatal(err)
	}
	found := func(what string, at int, changed []byte) {
		t.Helper()
		if _, err := verify(changed); err == nil {
			t.Errorf("%s at byte %d (…%q…) is not found", what, at, text[max(0, at-10):min(len(text), at+10)])
		}
	}
	for i := range text {
		for _, flip := range []byte{0x01, 0x02, 0x10, 0x20} {
			changed := bytes.Clone(text)
			changed[i] ^= flip
			found("a changed byte", i, changed)
		}
		found("a missing byte", i, slices.Delete(bytes.Clone(text), i, i+1))
		found("a space", i, slices.Insert(bytes.Clone(text), i, ' '))
		found("a new line", i, slices.Insert(bytes.Clone(text), i, '\n'))
		found("the end", i, text[:i])
		if i > 0 && text[i] != text[i-1] {
			changed := bytes.Clone(text)
			changed[i], changed[i-1] = changed[i-1], changed[i]
			found("a swap", i, changed)
		}
	}
	found("something behind the end", len(text), append(bytes.Clone(text), '\n'))
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines = lines[:len(lines)-1]
	for i := range lines {
		found("a missing line", i, bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
		for j := range lines {
			found("a line twice", i, bytes.Join(slices.Insert(slices.Clone(lines), j, lines[i]), nil))
			if i != j {
				swapped := slices.Clone(lines)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				found("swapped lines", i, bytes.Join(swapped, nil))
			}
		}
	}
}

// Whatever a forger without the key makes of entries that a head covers, and
// however well: places, hashes, counts are all made anew.
func TestForgedExportIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entries, heads := chainOf(rapid.IntRange(2, 8).Draw(t, "n"), 2)
		heads = append(heads, Chain{Seq: int64(len(entries)), Hash: entries[len(entries)-1].Hash}.Sign(testKey(), began))
		at := rapid.IntRange(0, len(entries)-1).Draw(t, "at")
		other := rapid.IntRange(0, len(entries)-1).Draw(t, "other")
		switch rapid.SampledFrom([]string{"edit", "remove", "insert", "swap", "truncate"}).Draw(t, "what") {
		case "edit":
			entries[at].Subject += "x"
		case "remove":
			entries = slices.Delete(entries, at, at+1)
		case "insert":
			entries = slices.Insert(entries, at, Entry{ID: "fake", At: began})
		case "swap":
			if at == other {
				return
			}
			entries[at], entries[other] = entries[other], entries[at]
		case "truncate":
			entries = entries[:at]
		}
		renumber(entries)
		last := int64(len(entries))
		text := string(export(t, Chain{}, entries, heads))
		// The forger also leaves the heads in that are too long for the entries.
		for _, h := range heads {
			if h.Seq > last {
				l, err := encode(line{Head: &headLine{Seq: h.Seq, Hash: h.Hash, At: stamp(h.At), Signature: h.Signature}})
				if err != nil {
					t.Fatal(err)
				}
				text = strings.Replace(text, `{"end"`, string(l)+"\n"+`{"end"`, 1)
			}
		}
		r, err := NewReader(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		v := NewVerifier(r.After(), public(testKey()))
		for {
			e, h, err := r.Next()
			if err != nil {
				break
			}
			if e != nil {
				v.Entry(e)
			} else {
				v.Head(*h)
			}
		}
		if sum, err := v.End(); err == nil {
			t.Fatalf("not found: %+v\n%s", sum, text)
		}
	})
}

func TestExportErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	entries, heads := chainOf(4, 2)
	text := string(export(t, Chain{}, entries, heads))
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "line 1 of the export: the export ends too early"},
		"no export":      {"hello\n", "line 1"},
		"no first line":  {text[strings.Index(text, "\n")+1:], "not the first line"},
		"newer":          {strings.Replace(text, `"version":1`, `"version":2`, 1), "version 2"},
		"cut":            {text[:len(text)-40], "too early"},
		"two lines gone": {text[:strings.Index(text, `{"entry":{"seq":4`)] + text[strings.Index(text, `{"end"`):], "lines were removed"},
		"edited":         {strings.Replace(text, `"id":"e03"`, `"id":"e93"`, 1), `audit entry 3 ("e93") was edited`},
		"reformatted":    {strings.Replace(text, `{"entry":{"seq":3`, `{"entry": {"seq":3`, 1), "line 5"},
		"unknown field":  {strings.Replace(text, `"id":"e03"`, `"new":1,"id":"e03"`, 1), "line 5"},
		"edited, then a broken line": {
			strings.Replace(strings.Replace(text, `"id":"e03"`, `"id":"e93"`, 1), `"id":"e04"`, `"id":e04`, 1),
			`audit entry 3 ("e93") was edited`,
		},
		"long line":  {text[:strings.Index(text, "\n")+1] + strings.Repeat("x", maxLine+1), "longer than"},
		"not sealed": {strings.Replace(text, `"seq":3`, `"seq":0`, 1), "line 5"},
		"and more":   {text + "\n", "something follows"},
	} {
		_, err := verify([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := VerifyExport(io.MultiReader(strings.NewReader(text[:300]), iotest.ErrReader(io.ErrClosedPipe)), nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader's error: %v", err)
	}
}

func TestWriterRefusesWhatWouldNotReadBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(e []Entry){
		"a gap":        func(e []Entry) { e[0].Seq = 2 },
		"not sealed":   func(e []Entry) { e[0].Hash = nil },
		"data changed": func(e []Entry) { e[0].Data = []byte("x") },
		"not UTF-8":    func(e []Entry) { e[0].Subject = "\xc0" },
	} {
		entries, _ := chainOf(1)
		change(entries)
		w, err := NewWriter(io.Discard, Chain{}, nil, public(testKey()))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Entry(&entries[0]); err == nil {
			t.Errorf("%s is written", name)
		}
	}
}

// The largest entry that passes its check is exported and read back.
func TestLargestEntry(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\u0001", MaxField)
	e := []Entry{{
		ID: long, Tenant: long, Actor: long, Role: long, Action: long, Subject: long, Order: long, At: began,
		Data: []byte(`"` + strings.Repeat("x", MaxData-2) + `"`), Private: make([]byte, HashSize), OrderVersion: -1 << 63,
	}}
	new(Chain).Seal(e)
	if _, err := verify(export(t, Chain{}, e, nil)); err != nil {
		t.Error(err)
	}
}

func FuzzVerifyExport(f *testing.F) {
	entries, heads := chainOf(5, 2, 4)
	f.Add(export(f, Chain{}, entries, heads))
	f.Add(export(f, Chain{}, nil, nil))
	f.Add(export(f, Chain{Seq: 2, Hash: entries[1].Hash}, entries[2:], heads))
	f.Fuzz(func(t *testing.T, text []byte) {
		sum, err := VerifyExport(bytes.NewReader(text), nil)
		if err != nil {
			return
		}
		// What verifies is what a writer writes of it.
		r, err := NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var again []Entry
		var heads []Head
		for {
			e, h, err := r.Next()
			if err == io.EOF {
				break
			}
			if e != nil {
				again = append(again, *e)
			} else {
				heads = append(heads, *h)
			}
		}
		if sum.To-sum.From+1 != int64(len(again)) {
			t.Errorf("%d entries, %+v", len(again), sum)
		}
		var b bytes.Buffer
		w, err := NewWriter(&b, r.After(), heads, r.Key())
		if err != nil {
			t.Fatal(err)
		}
		for i := range again {
			if err := w.Entry(&again[i]); err != nil {
				return // sealed before there was the check
			}
		}
		if err := w.Close(); err != nil || !bytes.Equal(b.Bytes(), text) {
			t.Errorf("written again it differs: %v\n%s", err, b.Bytes())
		}
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1.50,null,"\u2028\ud800"],"a":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		once, err := Canonical(raw)
		if err != nil {
			return
		}
		if twice, err := Canonical(once); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q becomes %q becomes %q, %v", raw, once, twice, err)
		}
	})
}
