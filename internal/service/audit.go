package service

import (
	"encoding/json"
	"errors"
	"fmt"

	"assay/internal/store"
)

// serviceActor is the actor of what nobody asked for: time passed, a check ran.
const serviceActor = "service"

// itself is the service as who acts on an order.
func itself(o *store.Order) Principal {
	return Principal{Tenant: o.Tenant, Account: o.Account, Token: serviceActor, Role: RoleAdministrator}
}

// audit appends an entry to the unit that has the effect. With an order the
// entry is an event of it, numbered by the version that the unit made; subject
// "" is then the order. Nothing personal and no secret goes into data. Who wants
// to hear of it gets a notice out of the same unit.
func (s *Service) audit(tx store.Tx, p Principal, o *store.Order, action, subject string, data map[string]any) error {
	return s.auditOf(tx, p, o, action, subject, data, nil)
}

// auditOf is audit for what happens to an order, or to a certificate.
func (s *Service) auditOf(tx store.Tx, p Principal, o *store.Order, action, subject string, data map[string]any, c *store.Certificate) error {
	id, err := s.timed()
	if err != nil {
		return err
	}
	now := s.now()
	if data == nil {
		data = map[string]any{}
	}
	raw, err := json.Marshal(data) // keys in order: canonical
	if err != nil {
		return fmt.Errorf("an audit entry: %w", err)
	}
	e := store.Entry{
		ID: id, At: now, Tenant: p.Tenant, Actor: p.Token, Role: string(p.Role),
		Action: action, Subject: subject, Data: raw,
	}
	if o != nil {
		e.Order, e.OrderVersion, e.Tenant = o.ID, o.Version, o.Tenant
		if subject == "" {
			e.Subject = "order:" + o.ID
		}
	}
	if err := tx.Append(e); err != nil {
		return err
	}
	if c != nil {
		return s.announceCertificate(tx, c, &e, data)
	}
	return s.announce(tx, o, &e, data)
}

func problemIs(err error, k Kind) bool {
	var p *Problem
	return errors.As(err, &p) && p.Kind == k
}

// pageSize is how many rows a list gives.
func pageSize(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, 200)
}
