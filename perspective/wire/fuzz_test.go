package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"testing"

	"assay/evidence"
)

// FuzzOpenRequest: the bytes an agent reads, as they come and as a coordinator
// gone bad would sign them.
func FuzzOpenRequest(f *testing.F) {
	good, err := SignRequest(sampleRequest(2), coordinatorKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	message, err := json.Marshal(sampleRequest(2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(message)
	agent := FormatKey(public(agentKey))
	f.Fuzz(func(t *testing.T, raw []byte) {
		check := func(raw []byte) {
			r, err := OpenRequest(raw, agent, public(coordinatorKey))
			var refusal *Refusal
			if err != nil {
				if !errors.As(err, &refusal) || refusal.Status() == 0 {
					t.Fatalf("%T %v", err, err)
				}
				return
			}
			if r.Agent != agent || len(r.Questions) > MaxQuestions {
				t.Fatalf("%+v", r)
			}
			if Check(r.Questions, "P3") != nil {
				return
			}
			seen := make([]evidence.Observation, len(r.Questions))
			for i, q := range r.Questions {
				seen[i] = evidence.Observation{Question: q, At: noon, Unknown: "no-udp"}
			}
			a, err := SignAnswer(r, evidence.Perspective{ID: "P3"}, seen, noon, agentKey)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := OpenAnswer(encode(t, a), r, noon, noon); err != nil {
				t.Fatalf("an answer that its own side refuses: %v", err)
			}
		}
		check(raw)
		if json.Valid(raw) {
			signed, err := sign(prefixRequest, json.RawMessage(raw), coordinatorKey)
			if err != nil {
				t.Fatal(err)
			}
			check(signed)
		}
	})
}

// FuzzOpenAnswer: the bytes a coordinator reads, as they come and as an agent
// gone bad would sign them.
func FuzzOpenAnswer(f *testing.F) {
	request := sampleRequest(2)
	f.Add(encode(f, sampleAnswer(f, request)), []byte(`{"id":"P3"}`), []byte(`{}`))
	a := sampleAnswer(f, request)
	f.Add([]byte("{}"), []byte(a.About), []byte(a.Observations[0]))
	f.Fuzz(func(t *testing.T, raw, about, observation []byte) {
		believed := func(raw []byte) {
			_, seen, err := OpenAnswer(raw, request, noon, noon)
			if err != nil {
				if !errors.Is(err, ErrInvalid) {
					t.Fatalf("%v", err)
				}
				return
			}
			for i, o := range seen {
				if err := Verify(o); err != nil {
					t.Fatalf("believed, but does not verify: %v", err)
				}
				if o.Question.ID() != request.Questions[i].ID() {
					t.Fatal("the answer to another question is believed")
				}
			}
		}
		believed(raw)
		if json.Valid(about) && json.Valid(observation) {
			a := sampleAnswer(t, request)
			a.About, a.Observations[0] = about, observation
			s := a.statement(request)
			root := tree(a.leaves(), make([][]hash, s.Leaves))
			s.Root = b64.EncodeToString(root[:])
			a.Signature = b64.EncodeToString(ed25519.Sign(agentKey, s.bytes()))
			believed(encode(t, a))
		}
	})
}

// FuzzParseCode: a code that is read is written as it was read.
func FuzzParseCode(f *testing.F) {
	f.Add(sampleCode().String())
	f.Add("assay1")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCode(text)
		if err != nil {
			if !errors.Is(err, ErrCode) {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseCode(c.String())
		if err != nil || again.String() != c.String() {
			t.Fatalf("%q: %v", c.String(), err)
		}
	})
}

// FuzzJoin: the messages of a join.
func FuzzJoin(f *testing.F) {
	answer, err := NewJoinAnswer(evidence.Perspective{ID: "P3"}, [16]byte{1}, nil, "c", "a")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encode(f, answer))
	f.Add(encode(f, JoinRequest{Version: Version, Coordinator: "c", Proof: "p"}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := OpenJoinRequest(raw); err == nil && r.Version != Version {
			t.Fatal(r)
		}
		if a, _, err := OpenJoinAnswer(raw); err == nil && a.Version != Version {
			t.Fatal(a)
		}
		if r := OpenRefusal(raw); r.Status() == 0 {
			t.Fatal(r)
		}
	})
}
