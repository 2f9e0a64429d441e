package audit

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"fmt"
	"iter"
	"slices"
)

// Kind says what happened to a chain.
type Kind string

// What can be found. Who wrote hashes anew behind a change shows only at the
// next head, as Rewritten; any other change shows at the entry.
const (
	// Edited: the entry is not the one that was sealed at this place.
	Edited Kind = "edited"
	// Removed: the entry is missing.
	Removed Kind = "removed"
	// Inserted: an entry that was not sealed, or a second time one that was.
	Inserted Kind = "inserted"
	// Reordered: the entry comes after later ones.
	Reordered Kind = "reordered"
	// Rewritten: the hashes fit each other, but not the signed head: something
	// from First to Seq is not what was signed.
	Rewritten Kind = "rewritten"
	// BadHead: the signature of the head at this place is not by this key.
	BadHead Kind = "bad-head"
	// MovedHead: the head comes behind entries later than its own.
	MovedHead Kind = "moved-head"
)

// A Problem is the first thing wrong with a chain. It is an error.
type Problem struct {
	Kind Kind
	// Seq is the place; ID the entry there, where there is one.
	Seq int64
	ID  string
	// First is where the range of Rewritten begins, and the first of several
	// entries that were Removed; else Seq.
	First int64
}

func (p *Problem) Error() string {
	at := fmt.Sprintf("audit entry %d", p.Seq)
	if p.ID != "" {
		at += fmt.Sprintf(" (%.64q)", p.ID)
	}
	span := fmt.Sprintf("audit entries %d to %d", p.First, p.Seq)
	switch p.Kind {
	case Edited:
		return at + " was edited: it is not what its hash was made of"
	case Removed:
		if p.First != p.Seq {
			return span + " were removed"
		}
		return at + " was removed"
	case Inserted:
		return at + " was inserted: it was not sealed here"
	case Reordered:
		return at + " was moved behind later ones"
	case Rewritten:
		return span + fmt.Sprintf(" are not what the head at %d was signed for: one of them was edited, removed or inserted and the hashes made anew", p.Seq)
	case MovedHead:
		return fmt.Sprintf("the head at audit entry %d comes behind later entries", p.Seq)
	}
	return fmt.Sprintf("the head at audit entry %d is not signed by the given key", p.Seq)
}

// A Summary is what was verified.
type Summary struct {
	// From and To are the first and the last sealed entry; To < From for none.
	From, To int64
	// Heads is how many heads were verified; Signed the entry of the last one, up
	// to which nothing can have been changed; later ones are only chained.
	Heads  int
	Signed int64
	// Unsealed is how many entries have no place in the chain yet.
	Unsealed int64
}

// A Verifier checks a chain entry by entry. It stops judging at the first
// problem, but goes on looking for what tells the kind of it.
type Verifier struct {
	key     ed25519.PublicKey
	at      Chain
	sum     Summary
	problem *Problem
}

// NewVerifier checks what comes after the end of a chain that is trusted: the
// zero one, or that of a part verified before.
func NewVerifier(after Chain, key ed25519.PublicKey) *Verifier {
	return &Verifier{key: key, at: after, sum: Summary{From: after.Seq + 1, To: after.Seq, Signed: after.Seq}}
}

// Entry takes the next entry. One without a place (Seq 0) counts as unsealed.
func (v *Verifier) Entry(e *Entry) {
	switch {
	case v.problem != nil:
		v.explain(e)
	case e.Seq == 0:
		v.sum.Unsealed++
	case e.Seq > v.at.Seq+1:
		v.problem = &Problem{Kind: Removed, First: v.at.Seq + 1, Seq: e.Seq - 1}
	case e.Seq <= v.at.Seq:
		v.problem = &Problem{Kind: Inserted, First: e.Seq, Seq: e.Seq, ID: e.ID}
	case !bytes.Equal(Hash(v.at.prev(), e), e.Hash):
		v.problem = &Problem{Kind: Edited, First: e.Seq, Seq: e.Seq, ID: e.ID}
	default:
		v.at = Chain{Seq: e.Seq, Hash: e.Hash}
		v.sum.To = e.Seq
	}
}

// explain looks at an entry behind the problem: it may be the one that is
// missing, or the true one at a place that another took.
func (v *Verifier) explain(e *Entry) {
	next := v.at.Seq + 1
	if e.Seq != next || !bytes.Equal(Hash(v.at.prev(), e), e.Hash) {
		return
	}
	switch v.problem.Kind {
	case Removed:
		*v.problem = Problem{Kind: Reordered, First: next, Seq: next, ID: e.ID}
	case Edited:
		v.problem.Kind = Inserted
	}
}

// Head takes the head that belongs behind the entries taken so far.
func (v *Verifier) Head(h Head) {
	switch {
	case v.problem != nil:
	case !h.Valid(v.key):
		v.problem = &Problem{Kind: BadHead, First: h.Seq, Seq: h.Seq}
	case h.Seq > v.at.Seq:
		v.problem = &Problem{Kind: Removed, First: v.at.Seq + 1, Seq: h.Seq}
	case h.Seq < v.at.Seq:
		v.problem = &Problem{Kind: MovedHead, First: h.Seq, Seq: h.Seq}
	case !bytes.Equal(h.Hash, v.at.prev()):
		v.problem = &Problem{Kind: Rewritten, First: min(v.sum.Signed+1, h.Seq), Seq: h.Seq}
	default:
		v.sum.Heads++
		v.sum.Signed = h.Seq
	}
}

// End says what was verified; the error is a *[Problem].
func (v *Verifier) End() (Summary, error) {
	if v.problem != nil {
		return v.sum, v.problem
	}
	return v.sum, nil
}

// Verify checks a whole chain: its entries in the order of their places, then
// those that are not sealed yet, and all heads known, also those kept elsewhere.
// The error is a *[Problem] or one of the iterator's. The summary holds what was
// verified up to then.
func Verify(entries iter.Seq2[*Entry, error], heads []Head, key ed25519.PublicKey) (Summary, error) {
	heads = slices.SortedStableFunc(slices.Values(heads), func(a, b Head) int { return cmp.Compare(a.Seq, b.Seq) })
	v := NewVerifier(Chain{}, key)
	for e, err := range entries {
		if err != nil {
			return v.sum, err
		}
		for len(heads) > 0 && heads[0].Seq <= v.at.Seq {
			v.Head(heads[0])
			heads = heads[1:]
		}
		v.Entry(e)
	}
	for _, h := range heads { // of the last entry, or of ones that are gone
		v.Head(h)
	}
	return v.End()
}
