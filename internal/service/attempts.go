package service

import (
	"context"
	"encoding/json"
	"time"

	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// An AttemptView is one time that an order was to get its certificate.
type AttemptView struct {
	Number int                `json:"number"`
	Issuer string             `json:"issuer"` // the id of the CA
	State  order.AttemptState `json:"state"`
	// Serial is that of the certificate, in hexadecimal; absent where a CA that this
	// service is a customer of chooses it.
	Serial    string     `json:"serial,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	// Findings are what the CA, or the gate before it, refused.
	Findings []review.Finding `json:"findings,omitempty"`
	// Lost: the CA is not this service's any more, or knows it no more, and nobody here
	// knows whether a certificate came of it. Look for it there, and have it revoked there.
	Lost bool `json:"lost,omitempty"`
	// Revoked and NotRevoked are serial numbers of what another CA issued and nobody
	// got: that CA revoked it, or refuses to.
	Revoked    string `json:"revoked,omitempty"`
	NotRevoked string `json:"not_revoked,omitempty"`
}

// lostWhy is why an attempt is given up of which a certificate may have come.
const lostWhy = "the CA is not used any more, or knows it no more: look there for a certificate that came of it"

// lost is the detail of such an attempt.
func lost() (string, error) {
	raw, err := json.Marshal(map[string]any{"why": lostWhy, "lost": true})
	return string(raw), err
}

// Attempts lists the attempts to issue the certificate of an order, oldest first; of
// many the newest.
func (s *Service) Attempts(ctx context.Context, p Principal, id string) ([]AttemptView, error) {
	o, err := s.find(ctx, p, id, MayReadOrders)
	if err != nil {
		return nil, err
	}
	all, err := s.Store.Attempts(ctx, o.ID)
	if err != nil {
		return nil, problemOf(err)
	}
	views := make([]AttemptView, len(all))
	for i := range all {
		views[i] = attemptView(&all[i])
	}
	return views, nil
}

func attemptView(a *store.Attempt) AttemptView {
	v := AttemptView{Number: a.Seq, Issuer: a.Issuer, State: a.State, Serial: a.Serial, CreatedAt: a.Created, EndedAt: optional(a.Ended)}
	if a.State == order.AttemptFailed {
		v.Findings = decodeFindings([]byte(a.Detail))
		return v
	}
	var detail struct {
		Lost       bool   `json:"lost"`
		Revoked    string `json:"revoked"`
		NotRevoked string `json:"not_revoked"`
	}
	if json.Unmarshal([]byte(a.Detail), &detail) == nil { // most have words
		v.Lost, v.Revoked, v.NotRevoked = detail.Lost, detail.Revoked, detail.NotRevoked
	}
	return v
}
