package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"assay/evidence"
)

var (
	agentKey       = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	coordinatorKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	otherKey       = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	noon           = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
)

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func dnsQuestion(name string) evidence.Question {
	return evidence.Question{Kind: evidence.KindDNS, Perspective: "P3", DNS: &evidence.DNSQuestion{Name: name, Type: "TXT", Each: true}}
}

func sampleRequest(n int) *Request {
	r := &Request{
		Version: Version, Coordinator: FormatKey(public(coordinatorKey)), Agent: FormatKey(public(agentKey)),
		Nonce: NewNonce([16]byte{7}), At: noon, Order: "sha256:ab", LimitMillis: 1000,
	}
	for i := range n {
		r.Questions = append(r.Questions, dnsQuestion(strings.Repeat("a", i%60+1)+".orchard.net"))
	}
	return r
}

func sampleSeen(r *Request) []evidence.Observation {
	var seen []evidence.Observation
	for _, q := range r.Questions {
		seen = append(seen, evidence.Observation{Question: q, At: noon, DNS: &evidence.DNSAnswer{Status: "NOERROR", Answer: []evidence.Record{{Owner: q.DNS.Name, Type: "TXT", TTL: 5, Data: "\"x\""}}}}.Identify())
	}
	return seen
}

func sampleAnswer(t testing.TB, r *Request) *Answer {
	t.Helper()
	a, err := SignAnswer(r, evidence.Perspective{ID: "P3", Region: "RIPE"}, sampleSeen(r), noon, agentKey)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestKeys(t *testing.T) {
	t.Parallel()
	text := FormatKey(public(agentKey))
	if len(text) != len("ed25519:")+43 {
		t.Errorf("%q", text)
	}
	if k, err := ParseKey(text); err != nil || !k.Equal(public(agentKey)) {
		t.Error(k, err)
	}
	for _, bad := range []string{"", "ed25519:", text + "A", text[:len(text)-1], strings.TrimPrefix(text, "ed25519:"), text[:len(text)-1] + "_", "ed25519:" + strings.Repeat("\n", 43)} {
		if _, err := ParseKey(bad); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	agent, coordinator := FormatKey(public(agentKey)), public(coordinatorKey)
	good, err := SignRequest(sampleRequest(3), coordinatorKey)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenRequest(good, agent, coordinator)
	if err != nil || Digest(r.Questions) != Digest(sampleRequest(3).Questions) || r.Order != "sha256:ab" {
		t.Fatal(r, err)
	}
	signedBy := func(k ed25519.PrivateKey, change func(*Request)) []byte {
		r := sampleRequest(3)
		change(r)
		raw, err := SignRequest(r, k)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	nothing := func(*Request) {}
	leave, err := SignLeave(sampleRequest(0), coordinatorKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, word string
		raw        []byte
	}{
		{"signed by another key", RefusedSignature, signedBy(otherKey, nothing)},
		{"names another coordinator", RefusedSignature, signedBy(coordinatorKey, func(r *Request) { r.Coordinator = FormatKey(public(otherKey)) })},
		{"for another agent", RefusedAddressee, signedBy(coordinatorKey, func(r *Request) { r.Agent = FormatKey(public(otherKey)) })},
		{"another version", RefusedVersion, signedBy(coordinatorKey, func(r *Request) { r.Version = 2 })},
		{"no nonce", RefusedMalformed, signedBy(coordinatorKey, func(r *Request) { r.Nonce = "" })},
		{"a short nonce", RefusedMalformed, signedBy(coordinatorKey, func(r *Request) { r.Nonce = "AAAA" })},
		{"a long order", RefusedMalformed, signedBy(coordinatorKey, func(r *Request) { r.Order = strings.Repeat("x", 129) })},
		{"a limit below nothing", RefusedMalformed, signedBy(coordinatorKey, func(r *Request) { r.LimitMillis = -1 })},
		{"too many questions", RefusedTooLarge, signedBy(coordinatorKey, func(r *Request) { r.Questions = sampleRequest(MaxQuestions + 1).Questions })},
		{"too many bytes", RefusedTooLarge, append(good, bytes.Repeat([]byte(" "), MaxRequestBytes)...)},
		{"changed", RefusedSignature, bytes.Replace(good, []byte("aaa.orchard"), []byte("aab.orchard"), 1)},
		{"another kind of statement", RefusedSignature, leave},
		{"something after it", RefusedMalformed, append(bytes.Clone(good), []byte(" {}")...)},
		{"nothing", RefusedMalformed, nil},
		{"null", RefusedSignature, []byte("null")},
		{"no JSON", RefusedMalformed, []byte("GET / HTTP/1.1")},
		{"an unknown field", RefusedMalformed, bytes.Replace(good, []byte(`{"message"`), []byte(`{"x":1,"message"`), 1)},
	} {
		_, err := OpenRequest(c.raw, agent, coordinator)
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Word != c.word {
			t.Errorf("%s: %v, want %s", c.name, err, c.word)
		}
	}
	if _, err := OpenLeave(good, agent, coordinator); err == nil {
		t.Error("a request counts as a leave")
	}
	if _, err := OpenLeave(leave, agent, coordinator); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dns := evidence.DNSQuestion{Name: "a.net", Type: "A"}
	for _, c := range []struct {
		name string
		q    evidence.Question
		ok   bool
	}{
		{"DNS", dnsQuestion("a.net"), true},
		{"another place", evidence.Question{Kind: evidence.KindDNS, Perspective: "P4", DNS: &dns}, false},
		{"no place", evidence.Question{Kind: evidence.KindDNS, DNS: &dns}, false},
		{"a lookup", evidence.Question{Kind: evidence.KindLookup, Perspective: "P3", Lookup: &evidence.LookupQuestion{}}, false},
		{"a lookup beside it", evidence.Question{Kind: evidence.KindDNS, Perspective: "P3", DNS: &dns, Lookup: &evidence.LookupQuestion{}}, false},
		{"another kind", evidence.Question{Kind: evidence.KindTLS, Perspective: "P3", DNS: &dns}, false},
		{"two", evidence.Question{Kind: evidence.KindDNS, Perspective: "P3", DNS: &dns, TLS: &evidence.TLSQuestion{}}, false},
		{"none", evidence.Question{Kind: evidence.KindDNS, Perspective: "P3"}, false},
		{"no kind", evidence.Question{Perspective: "P3"}, false},
	} {
		if err := Check([]evidence.Question{c.q}, "P3"); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestAnswer: what is not good in all its parts is not believed in any.
func TestAnswer(t *testing.T) {
	t.Parallel()
	request := sampleRequest(5)
	good := encode(t, sampleAnswer(t, request))
	about, seen, err := OpenAnswer(good, request, noon, noon)
	if err != nil || about.ID != "P3" || len(seen) != 5 {
		t.Fatal(about, seen, err)
	}
	for i, o := range seen {
		if err := Verify(o); err != nil || o.ID != sampleSeen(request)[i].ID {
			t.Errorf("%d: %v", i, err)
		}
	}
	signed := func(change func(*Request, *[]evidence.Observation, *time.Time, *ed25519.PrivateKey)) []byte {
		r, at, key := *request, noon, agentKey
		list := sampleSeen(request)
		change(&r, &list, &at, &key)
		a, err := SignAnswer(&r, evidence.Perspective{ID: "P3"}, list, at, key)
		if err != nil {
			t.Fatal(err)
		}
		return encode(t, a)
	}
	type seenList = *[]evidence.Observation
	changed := func(change func(*Answer)) []byte {
		a := sampleAnswer(t, request)
		change(a)
		return encode(t, a)
	}
	for name, raw := range map[string][]byte{
		"garbage":                  []byte("<html>"),
		"nothing":                  nil,
		"null":                     []byte("null"),
		"cut short":                good[:len(good)-10],
		"twice":                    append(bytes.Clone(good), good...),
		"another version":          changed(func(a *Answer) { a.Version = 2 }),
		"another agent":            changed(func(a *Answer) { a.Agent = FormatKey(public(otherKey)) }),
		"another nonce":            changed(func(a *Answer) { a.Nonce = NewNonce([16]byte{8}) }),
		"another time, not signed": changed(func(a *Answer) { a.At = a.At.Add(time.Second) }),
		"other questions":          changed(func(a *Answer) { a.Questions = Digest(nil) }),
		"an observation left out":  changed(func(a *Answer) { a.Observations = a.Observations[:4] }),
		"observations exchanged":   changed(func(a *Answer) { o := a.Observations; o[0], o[1] = o[1], o[0] }),
		"an observation twice":     changed(func(a *Answer) { a.Observations[1] = a.Observations[0] }),
		"an observation changed": changed(func(a *Answer) {
			a.Observations[2] = bytes.Replace(a.Observations[2], []byte(`"x\"`), []byte(`"y\"`), 1)
		}),
		"an observation of nothing": changed(func(a *Answer) { a.Observations[2] = []byte("null") }),
		"about changed":             changed(func(a *Answer) { a.About = bytes.Replace(a.About, []byte("RIPE"), []byte("ARIN"), 1) }),
		"no signature":              changed(func(a *Answer) { a.Signature = "" }),
		"another signature":         changed(func(a *Answer) { a.Signature = strings.Repeat("A", 86) }),
		"white space in it":         bytes.Replace(good, []byte(`"about":{`), []byte(`"about":{ `), 1),
		"signed by another key":     signed(func(_ *Request, _ seenList, _ *time.Time, k *ed25519.PrivateKey) { *k = otherKey }),
		"for another order":         signed(func(r *Request, _ seenList, _ *time.Time, _ *ed25519.PrivateKey) { r.Order = "sha256:cd" }),
		"for another coordinator":   signed(func(r *Request, _ seenList, _ *time.Time, _ *ed25519.PrivateKey) { r.Coordinator = r.Agent }),
		"of an hour ago":            signed(func(_ *Request, _ seenList, at *time.Time, _ *ed25519.PrivateKey) { *at = noon.Add(-time.Hour) }),
		"of tomorrow":               signed(func(_ *Request, _ seenList, at *time.Time, _ *ed25519.PrivateKey) { *at = noon.Add(24 * time.Hour) }),
		"seen an hour ago":          signed(func(_ *Request, s seenList, _ *time.Time, _ *ed25519.PrivateKey) { (*s)[1].At = noon.Add(-time.Hour) }),
		"a question of another name": signed(func(_ *Request, s seenList, _ *time.Time, _ *ed25519.PrivateKey) {
			(*s)[1].Question = dnsQuestion("evil.net")
		}),
		"nothing seen, nothing said": signed(func(_ *Request, s seenList, _ *time.Time, _ *ed25519.PrivateKey) { (*s)[1].DNS = nil }),
		"another kind of answer": signed(func(_ *Request, s seenList, _ *time.Time, _ *ed25519.PrivateKey) {
			(*s)[1].DNS, (*s)[1].TLS = nil, &evidence.TLSExchange{}
		}),
		"two kinds of answer": signed(func(_ *Request, s seenList, _ *time.Time, _ *ed25519.PrivateKey) {
			(*s)[1].HTTP = &evidence.HTTPExchange{}
		}),
		"an answer to a lookup": signed(func(_ *Request, s seenList, _ *time.Time, _ *ed25519.PrivateKey) {
			(*s)[1].Lookup = &evidence.LookupAnswer{}
		}),
	} {
		if _, _, err := OpenAnswer(raw, request, noon, noon); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVerify: an attestation holds for its observation alone.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7, 8, 64, MaxQuestions} {
		request := sampleRequest(n)
		_, seen, err := OpenAnswer(encode(t, sampleAnswer(t, request)), request, noon, noon)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range seen {
			// As a report holds it.
			var again evidence.Observation
			if err := json.Unmarshal(encode(t, o), &again); err != nil {
				t.Fatal(err)
			}
			if err := Verify(again); err != nil {
				t.Fatalf("%d of %d: %v", i, n, err)
			}
		}
		o := seen[n-1]
		for name, change := range map[string]func(*evidence.Observation, *evidence.Attestation){
			"fact": func(o *evidence.Observation, _ *evidence.Attestation) {
				o.DNS = &evidence.DNSAnswer{Status: "NXDOMAIN"}
			},
			"question":    func(o *evidence.Observation, _ *evidence.Attestation) { o.Question = dnsQuestion("evil.net") },
			"time":        func(o *evidence.Observation, _ *evidence.Attestation) { o.At = o.At.Add(time.Second) },
			"id":          func(o *evidence.Observation, _ *evidence.Attestation) { o.ID = "o-0" },
			"order":       func(_ *evidence.Observation, a *evidence.Attestation) { a.Order = "sha256:cd" },
			"questions":   func(_ *evidence.Observation, a *evidence.Attestation) { a.Questions = Digest(nil) },
			"nonce":       func(_ *evidence.Observation, a *evidence.Attestation) { a.Nonce = NewNonce([16]byte{9}) },
			"agent":       func(_ *evidence.Observation, a *evidence.Attestation) { a.Agent = FormatKey(public(otherKey)) },
			"no agent":    func(_ *evidence.Observation, a *evidence.Attestation) { a.Agent = "" },
			"coordinator": func(_ *evidence.Observation, a *evidence.Attestation) { a.Coordinator = a.Agent },
			"answer time": func(_ *evidence.Observation, a *evidence.Attestation) { a.At = a.At.Add(time.Second) },
			"index":       func(_ *evidence.Observation, a *evidence.Attestation) { a.Index-- },
			"leaves":      func(_ *evidence.Observation, a *evidence.Attestation) { a.Leaves++ },
			"no path":     func(_ *evidence.Observation, a *evidence.Attestation) { a.Path = nil },
			"long path":   func(_ *evidence.Observation, a *evidence.Attestation) { a.Path = append(a.Path, a.Path...) },
			"bad path":    func(_ *evidence.Observation, a *evidence.Attestation) { a.Path = []string{"x"} },
			"signature":   func(_ *evidence.Observation, a *evidence.Attestation) { a.Signature = "x" },
		} {
			changed, a := o, *o.Attestation
			changed.Attestation = &a
			change(&changed, &a)
			if name != "id" {
				changed = changed.Identify()
			}
			if err := Verify(changed); !errors.Is(err, ErrInvalid) {
				t.Errorf("%d leaves, %s changed: %v", n, name, err)
			}
		}
		o.Attestation = nil
		if Verify(o) == nil {
			t.Error("verifies without an attestation")
		}
	}
}

// TestAgentCannotBeAnObservation: what the agent says of itself is signed in the
// same tree; its place in it is no observation's.
func TestAgentCannotBeAnObservation(t *testing.T) {
	t.Parallel()
	request := sampleRequest(1)
	_, seen, err := OpenAnswer(encode(t, sampleAnswer(t, request)), request, noon, noon)
	if err != nil {
		t.Fatal(err)
	}
	seen[0].Attestation.Index = 0
	if Verify(seen[0]) == nil {
		t.Error("an observation at the place of the agent's description verifies")
	}
}

// TestTree holds the tree to one written down by hand from RFC 9162 2.1.1.
func TestTree(t *testing.T) {
	t.Parallel()
	var l [7]hash
	for i := range l {
		l[i] = leafHash([]byte{byte(i)})
	}
	n := nodeHash
	for size, want := range map[int]hash{
		1: l[0], 2: n(l[0], l[1]), 3: n(n(l[0], l[1]), l[2]), 4: n(n(l[0], l[1]), n(l[2], l[3])),
		7: n(n(n(l[0], l[1]), n(l[2], l[3])), n(n(l[4], l[5]), l[6])),
	} {
		if got := tree(l[:size], make([][]hash, size)); got != want {
			t.Errorf("%d leaves", size)
		}
	}
	var leaves []hash
	for i := range 200 {
		leaves = append(leaves, leafHash([]byte{byte(i), byte(i >> 8)}))
		paths := make([][]hash, len(leaves))
		root := tree(leaves, paths)
		for j := range leaves {
			if got, ok := climb(leaves[j], j, len(leaves), paths[j]); !ok || got != root {
				t.Fatalf("leaf %d of %d", j, len(leaves))
			}
			if got, ok := climb(leaves[j], (j+1)%len(leaves), len(leaves), paths[j]); ok && got == root && len(leaves) > 1 {
				t.Fatalf("leaf %d of %d climbs from another place", j, len(leaves))
			}
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	for word, want := range status {
		r := OpenRefusal(encode(t, Refuse(word, "made at %s", "noon")))
		if r.Word != word || r.Detail != "" || Refuse(word, "").Status() != want {
			t.Errorf("%s: %+v", word, r)
		}
	}
	for _, raw := range []string{"", "null", "{}", `{"error":"\u001b[31m"}`, "<html>", `{"error":"clock","x":1}`} {
		if r := OpenRefusal([]byte(raw)); r.Word != RefusedInternal {
			t.Errorf("%q: %s", raw, r.Word)
		}
	}
}

func TestProofs(t *testing.T) {
	t.Parallel()
	a, c := FormatKey(public(agentKey)), FormatKey(public(coordinatorKey))
	exporter := bytes.Repeat([]byte{4}, ExporterBytes)
	base := CoordinatorProof([16]byte{1}, exporter, c, a)
	for name, other := range map[string]string{
		"secret":   CoordinatorProof([16]byte{2}, exporter, c, a),
		"exporter": CoordinatorProof([16]byte{1}, exporter[1:], c, a),
		"keys":     CoordinatorProof([16]byte{1}, exporter, a, c),
		"role":     AgentProof([16]byte{1}, exporter, c, a, nil),
	} {
		if ProofEqual(base, other) {
			t.Errorf("another %s, the same proof", name)
		}
	}
	if !ProofEqual(base, CoordinatorProof([16]byte{1}, exporter, c, a)) {
		t.Error("not the same")
	}
	if AgentProof([16]byte{1}, exporter, c, a, []byte("x")) == AgentProof([16]byte{1}, exporter, c, a, []byte("y")) {
		t.Error("what the agent says of itself is not proven")
	}
}
