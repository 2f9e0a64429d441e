package service

import (
	"context"
	"errors"
	"time"

	"assay/internal/phone"
	"assay/internal/store"
)

// CallResults are how a call to an organization ends.
func CallResults() []string {
	return []string{"confirmed", "denied", "no-answer", "busy", "wrong-number", "voicemail"}
}

// CallRequest is one attempt to reach an organization.
type CallRequest struct {
	// Number is what was dialled, with its country: "+86 755 8601 3388".
	Number string `json:"number"`
	// Source is where the number came from: a register, a directory, a letter.
	Source string `json:"source"`
	// Result is "confirmed", "denied", "no-answer", "busy", "wrong-number" or
	// "voicemail".
	Result string `json:"result"`
	// AnsweredBy is who answered, Note what was said.
	AnsweredBy string `json:"answered_by,omitempty"`
	Note       string `json:"note,omitempty"`
	// At is when; left out: now.
	At *time.Time `json:"at,omitempty"`
}

// A CallView is one attempt to reach an organization.
type CallView struct {
	ID         string `json:"id"`
	Number     string `json:"number"`
	Source     string `json:"source"`
	Result     string `json:"result"`
	AnsweredBy string `json:"answered_by,omitempty"`
	Note       string `json:"note,omitempty"`
	// By is the reviewer's account.
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// callBody is what is sealed of a call.
type callBody struct {
	Number     string `json:"number"`
	Source     string `json:"source"`
	AnsweredBy string `json:"answered_by,omitempty"`
	Note       string `json:"note,omitempty"`
}

// oldestCall is how late a call can be written down.
const oldestCall = 30 * 24 * time.Hour

// AddCall writes down an attempt to reach the organization of an order. It counts
// for later orders of the same organization, too, as long as claims do.
func (s *Service) AddCall(ctx context.Context, p Principal, id string, r CallRequest) (*View, error) {
	o, err := s.find(ctx, p, id, MayVerify)
	if err != nil {
		return nil, err
	}
	for _, err := range []error{
		checkText("number", r.Number, 1), checkText("source", r.Source, 1), checkWord("result", r.Result, CallResults()),
		checkText("answered_by", r.AnsweredBy, 0), checkText("note", r.Note, 0),
	} {
		if err != nil {
			return nil, err
		}
	}
	home := ""
	if o.Order.Organization != nil {
		home = o.Order.Organization.Country
	}
	if n := phone.Parse("", "", r.Number, home); !n.Valid() {
		return nil, &Problem{Kind: Invalid, Message: "call.number", Pairs: []any{"Number", shownValue(r.Number)}}
	}
	now := s.now()
	at := now
	if r.At != nil {
		at = r.At.UTC().Truncate(time.Microsecond)
	}
	if at.After(now) || now.Sub(at) > oldestCall {
		return nil, &Problem{Kind: Invalid, Message: "dossier.future", Pairs: []any{"Field", "at", "At", at.Format(time.RFC3339)}}
	}
	had, err := s.Store.Calls(ctx, store.FileFilter{Order: id, Limit: mostFiled})
	if err := errors.Join(problemOf(err), tooMany(len(had))); err != nil {
		return nil, err
	}
	tail, err := s.random(8)
	if err != nil {
		return nil, err
	}
	c := &store.Call{ID: "cal-" + tail, Tenant: o.Tenant, Order: o.ID, Result: r.Result, By: p.Account, At: at, Created: now}
	organization, _, err := s.named(ctx, o)
	if err != nil {
		return nil, err
	}
	if organization != nil {
		c.Dossier = organization.ID
	}
	if c.Body, err = s.conceal("call:"+c.ID, callBody{Number: r.Number, Source: r.Source, AnsweredBy: r.AnsweredBy, Note: r.Note}); err != nil {
		return nil, err
	}
	return s.verified(ctx, p, id, "call", map[string]any{"call": c.ID, "result": c.Result}, func(tx store.Tx) error { return tx.InsertCall(c) })
}

// verified adds what a reviewer found to the file of an order, and has the order
// looked at.
func (s *Service) verified(ctx context.Context, p Principal, id, name string, data map[string]any, add func(store.Tx) error) (*View, error) {
	ordered, err := s.orderedBy(ctx, p, id)
	if err != nil {
		return nil, err
	}
	return s.do(ctx, p, id, 0, step{needs: MayVerify, name: name, change: func(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
		if err := s.still(ctx, tx, p); err != nil {
			return nil, nil, err
		}
		if err := errors.Join(notOwn(p, ordered...), s.identityOrder(o, name)); err != nil {
			return nil, nil, err
		}
		due, err := s.recheck(tx, o)
		if err != nil {
			return nil, nil, err
		}
		return due, data, add(tx)
	}})
}

// orderedBy are the accounts of whoever ordered an order that somebody verifies.
func (s *Service) orderedBy(ctx context.Context, p Principal, id string) ([]string, error) {
	o, err := s.find(ctx, p, id, MayVerify)
	if err != nil {
		return nil, err
	}
	return s.requesters(ctx, o)
}

// Calls lists the calls for an order, newest first.
func (s *Service) Calls(ctx context.Context, p Principal, id string) ([]CallView, error) {
	if _, err := s.find(ctx, p, id, MayReadFiles); err != nil {
		return nil, err
	}
	list, err := s.Store.Calls(ctx, store.FileFilter{Order: id, Limit: 200})
	if err != nil {
		return nil, problemOf(err)
	}
	views := make([]CallView, len(list))
	for i := range list {
		c := &list[i]
		var b callBody
		if err := s.reveal("call:"+c.ID, c.Body, &b); err != nil {
			return nil, err
		}
		views[i] = CallView{ID: c.ID, Number: b.Number, Source: b.Source, Result: c.Result, AnsweredBy: b.AnsweredBy, Note: b.Note, By: c.By, At: c.At}
	}
	return views, nil
}

// AddOrderClaim writes down what a reviewer found for one order alone.
func (s *Service) AddOrderClaim(ctx context.Context, p Principal, id string, r ClaimRequest) (*View, error) {
	if _, err := s.find(ctx, p, id, MayVerify); err != nil {
		return nil, err
	}
	if r.Item == "authority" || r.Item == "requester" { // is a person's or an organization's, not an order's
		return nil, checkWord("item", r.Item, []string{"name", "number", "address", "phone", "operational-existence", "registrant"})
	}
	c, err := s.newClaim(p, &r, "")
	if err != nil {
		return nil, err
	}
	c.Order = id
	had, err := s.Store.Claims(ctx, store.FileFilter{Order: id, Limit: mostFiled})
	if err := errors.Join(problemOf(err), tooMany(len(had))); err != nil {
		return nil, err
	}
	return s.verified(ctx, p, id, "claim", map[string]any{"claim": c.ID, "item": c.Item, "class": c.Class, "snapshot": c.Snapshot},
		func(tx store.Tx) error { return tx.InsertClaim(c) })
}

// OrderClaims lists what was found for one order alone, newest first.
func (s *Service) OrderClaims(ctx context.Context, p Principal, id string) ([]ClaimView, error) {
	if _, err := s.find(ctx, p, id, MayReadFiles); err != nil {
		return nil, err
	}
	list, err := s.Store.Claims(ctx, store.FileFilter{Order: id, Limit: 200})
	if err != nil {
		return nil, problemOf(err)
	}
	return s.claimViews(list)
}
