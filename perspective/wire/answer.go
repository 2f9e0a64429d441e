package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"assay/evidence"
)

// An Answer is what an agent says to a request.
type Answer struct {
	Version int       `json:"version"`
	Agent   string    `json:"agent"`
	Nonce   string    `json:"nonce"` // the request's
	At      time.Time `json:"at"`
	// Questions is the digest of the questions that were answered.
	Questions string `json:"questions"`
	// About is what the agent says of itself: an [evidence.Perspective].
	About json.RawMessage `json:"about"`
	// Observations are in the order of the questions, each in its canonical form:
	// without id and attestation, which the coordinator computes.
	Observations []json.RawMessage `json:"observations"`
	Signature    string            `json:"signature"`
}

// A statement is what the agent's signature covers.
type statement struct {
	Version     int       `json:"version"`
	Agent       string    `json:"agent"`
	Coordinator string    `json:"coordinator"`
	Nonce       string    `json:"nonce"`
	At          time.Time `json:"at"`
	Order       string    `json:"order"`
	Questions   string    `json:"questions"`
	Leaves      int       `json:"leaves"`
	Root        string    `json:"root"`
}

func (s *statement) bytes() []byte {
	raw, err := json.Marshal(s)
	if err != nil {
		panic("wire: plain data does not marshal: " + err.Error())
	}
	return prefixed(prefixAnswer, raw)
}

// SignAnswer returns the answer to a request. There is one observation for each
// of its questions. One that is too large, or cannot be sent, is replaced by one
// that is unknown and says so.
func SignAnswer(r *Request, about evidence.Perspective, seen []evidence.Observation, at time.Time, key ed25519.PrivateKey) (*Answer, error) {
	if len(seen) != len(r.Questions) {
		return nil, fmt.Errorf("%d observations for %d questions", len(seen), len(r.Questions))
	}
	a := &Answer{
		Version: Version, Agent: r.Agent, Nonce: r.Nonce, At: at.UTC(), Questions: Digest(r.Questions),
		Observations: make([]json.RawMessage, len(seen)),
	}
	var err error
	if a.About, err = canonical(about); err != nil {
		return nil, err
	}
	room := MaxAnswerBytes - 64<<10 - len(a.About)
	for i := range seen {
		if a.Observations[i], err = sendable(&seen[i], &r.Questions[i], &room); err != nil {
			return nil, err
		}
	}
	s := a.statement(r)
	root := tree(a.leaves(), make([][]hash, s.Leaves))
	s.Root = b64.EncodeToString(root[:])
	a.Signature = b64.EncodeToString(ed25519.Sign(key, s.bytes()))
	return a, nil
}

func (a *Answer) statement(r *Request) *statement {
	return &statement{
		Version: a.Version, Agent: a.Agent, Coordinator: r.Coordinator, Nonce: a.Nonce, At: a.At,
		Order: r.Order, Questions: a.Questions, Leaves: 1 + len(a.Observations),
	}
}

func (a *Answer) leaves() []hash {
	leaves := make([]hash, 1, 1+len(a.Observations))
	leaves[0] = leafHash(a.About)
	for _, raw := range a.Observations {
		leaves = append(leaves, leafHash(raw))
	}
	return leaves
}

// sendable is the canonical form of an observation as it is signed, within what
// room is left.
func sendable(o *evidence.Observation, q *evidence.Question, room *int) (json.RawMessage, error) {
	c := *o
	c.ID, c.Attestation = "", nil
	raw, err := canonical(c)
	if err != nil || len(raw) > min(MaxObservationBytes, *room) {
		word := evidence.UnknownTooLarge
		if err != nil {
			word = evidence.UnknownInvalid
		}
		raw, err = canonical(evidence.Observation{Question: *q, At: o.At, Millis: o.Millis, Network: o.Network, Unknown: word})
	}
	*room -= len(raw)
	return raw, err
}

// canonical is the JSON of a value that stays the same when it is read and
// written again. Bytes that are not UTF-8 would not: they become U+FFFD first.
func canonical[T any](v T) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var again T
	if err := decode(raw, &again); err != nil {
		return nil, err
	}
	return json.Marshal(again)
}

// ErrInvalid is wrapped by every error of an answer that is not what was asked
// for, or does not verify.
var ErrInvalid = errors.New("the answer is not valid")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// OpenAnswer checks an answer to a request that was sent to an agent, and
// received, at those times. The observations come back with their ids and their
// attestations. Nothing of an answer that is not good in all its parts is
// believed; the error then wraps [ErrInvalid].
func OpenAnswer(raw []byte, r *Request, sent, received time.Time) (evidence.Perspective, []evidence.Observation, error) {
	var about evidence.Perspective
	a := &Answer{}
	if err := decode(raw, a); err != nil {
		return about, nil, invalid("it cannot be read")
	}
	if err := a.check(r, sent, received); err != nil {
		return about, nil, err
	}
	if err := exact(a.About, &about); err != nil {
		return about, nil, invalid("what the agent says of itself cannot be read")
	}
	seen := make([]evidence.Observation, len(a.Observations))
	for i := range a.Observations {
		o := &seen[i]
		if err := exact(a.Observations[i], o); err != nil {
			return about, nil, invalid("an observation cannot be read")
		}
		if err := matches(o, &r.Questions[i], sent, received); err != nil {
			return about, nil, err
		}
	}
	return about, seen, a.attest(r, seen)
}

func (a *Answer) check(r *Request, sent, received time.Time) error {
	switch {
	case a.Version != Version:
		return invalid("version %d of the protocol", a.Version)
	case a.Agent != r.Agent:
		return invalid("it names another agent")
	case a.Nonce != r.Nonce:
		return invalid("it answers another request")
	case a.Questions != Digest(r.Questions) || len(a.Observations) != len(r.Questions):
		return invalid("it answers other questions")
	case !within(a.At, sent, received):
		return invalid("it was made at another time")
	}
	return nil
}

// within allows for the difference between two clocks.
func within(t, from, to time.Time) bool {
	return !t.Before(from.Add(-MaxSkew)) && !t.After(to.Add(MaxSkew))
}

// matches reports whether an observation answers its question.
func matches(o *evidence.Observation, q *evidence.Question, sent, received time.Time) error {
	asked, err := json.Marshal(q)
	if err != nil {
		return err
	}
	answered, err := json.Marshal(o.Question)
	n := 0
	for kind, there := range map[evidence.Kind]bool{evidence.KindDNS: o.DNS != nil, evidence.KindHTTP: o.HTTP != nil, evidence.KindTLS: o.TLS != nil} {
		if there && kind != q.Kind {
			return invalid("an observation of another kind than its question")
		}
		if there {
			n++
		}
	}
	switch {
	case err != nil || !bytes.Equal(asked, answered):
		return invalid("an observation answers another question")
	case o.ID != "" || o.Attestation != nil || o.Lookup != nil:
		return invalid("an observation holds what an agent cannot know")
	case n == 0 && o.Unknown == "":
		return invalid("an observation of nothing")
	case !within(o.At, sent, received):
		return invalid("an observation was made at another time")
	}
	return nil
}

// attest checks the signature and gives each observation its part of it.
func (a *Answer) attest(r *Request, seen []evidence.Observation) error {
	s := a.statement(r)
	paths := make([][]hash, s.Leaves)
	root := tree(a.leaves(), paths)
	s.Root = b64.EncodeToString(root[:])
	if err := s.verify(a.Signature); err != nil {
		return err
	}
	for i := range seen {
		seen[i].Attestation = &evidence.Attestation{
			Agent: a.Agent, Coordinator: r.Coordinator, Order: r.Order, Questions: a.Questions, Nonce: a.Nonce,
			At: a.At, Index: i + 1, Leaves: s.Leaves, Path: texts(paths[i+1]), Signature: a.Signature,
		}
		seen[i] = seen[i].Identify()
	}
	return nil
}

func (s *statement) verify(signature string) error {
	key, err := ParseKey(s.Agent)
	if err != nil {
		return invalid("the agent's key cannot be read")
	}
	raw, err := b64.DecodeString(signature)
	if err != nil || !ed25519.Verify(key, s.bytes(), raw) {
		return invalid("the signature does not verify")
	}
	return nil
}

func texts(path []hash) []string {
	list := make([]string, len(path))
	for i := range path {
		list[i] = b64.EncodeToString(path[i][:])
	}
	return list
}

// exact reads a value whose bytes must be its canonical form.
func exact[T any](raw json.RawMessage, into *T) error {
	if err := decode(raw, into); err != nil {
		return err
	}
	again, err := json.Marshal(into)
	if err != nil || !bytes.Equal(raw, again) {
		return errors.New("not in canonical form")
	}
	return nil
}

// Verify checks the attestation of an observation with nothing but the
// observation: that the agent it names saw exactly this, for that coordinator,
// order, questions and nonce, at that time. Whether that agent counts is for
// whoever knows the perspectives. The error wraps [ErrInvalid].
func Verify(o evidence.Observation) error {
	a := o.Attestation
	if a == nil {
		return invalid("no attestation")
	}
	if o.Identify().ID != o.ID {
		return invalid("the id is not that of the observation")
	}
	o.ID, o.Attestation = "", nil
	raw, err := json.Marshal(o)
	if err != nil {
		return invalid("the observation cannot be written")
	}
	path := make([]hash, len(a.Path))
	for i := range a.Path {
		h, err := b64.DecodeString(a.Path[i])
		if err != nil || len(h) != len(path[i]) {
			return invalid("a hash that cannot be read")
		}
		copy(path[i][:], h)
	}
	root, ok := climb(leafHash(raw), a.Index, a.Leaves, path)
	if !ok || a.Index == 0 {
		return invalid("a place in the tree that cannot be")
	}
	s := statement{
		Version: Version, Agent: a.Agent, Coordinator: a.Coordinator, Nonce: a.Nonce, At: a.At, Order: a.Order,
		Questions: a.Questions, Leaves: a.Leaves, Root: b64.EncodeToString(root[:]),
	}
	return s.verify(a.Signature)
}
