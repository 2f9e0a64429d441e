package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"assay/bench/measure"
	"assay/internal/store"
	"assay/internal/store/sqlstore"
	"assay/order"
)

// What an order leaves behind is of these sizes, in bytes, where it passes at its first
// check: packed reports and observations, a certificate of a P-256 key.
const (
	reportBytes, observationBytes = 1800, 1300
	derBytes, bodyBytes           = 700, 600
)

// noise is bytes that nothing compresses, as what is packed.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

var (
	report, seen = store.Pack(noise(reportBytes)), store.Pack([]byte(`[]`))
	fresh        = store.Pack(noise(observationBytes))
)

// wholes prints how many orders a second the database alone takes from the application
// to the certificate: the reads, units and rows of each step, and nothing else, but that
// each order is sealed by itself here, and its lease is a row that is written.
func wholes(ctx context.Context, p *place, each time.Duration) error {
	db, err := peopled(ctx, p)
	if err != nil {
		return err
	}
	defer db.Close()
	server := 0
	if p.pg != nil {
		server = p.pg.Pid()
	}
	fmt.Printf("  %-34s %10s %14s %14s\n", "rows of an order, 32 clients", "orders/s", "CPU an order", "PostgreSQL's")
	for _, step := range []struct {
		name string
		do   func(context.Context, *sqlstore.DB, int) error
	}{{"its application", applied}, {"all until its certificate", certified}} {
		var n atomic.Int64
		before, stored, err := spent(server)
		if err != nil {
			return err
		}
		base := len(step.name) * 10_000_000 // numbers of its own
		rate, err := parallel(32, each, func(int) error { return step.do(ctx, db, base+int(n.Add(1))) })
		if err != nil {
			return err
		}
		after, end, err := spent(server)
		if err != nil {
			return err
		}
		count := time.Duration(n.Load())
		fmt.Printf("  %-34s %10.0f %14v %14v\n", step.name, rate, ((after - before) / count).Round(time.Microsecond), ((end - stored) / count).Round(time.Microsecond))
	}
	return nil
}

// spent is the CPU time of this process and of PostgreSQL's.
func spent(server int) (own, database time.Duration, err error) {
	database, err = measure.Family(server)
	return measure.CPUTime(), database, err
}

// applied is what an application reads and writes.
func applied(ctx context.Context, db *sqlstore.DB, n int) error {
	_, err := submitted(ctx, db, n)
	return err
}

func submitted(ctx context.Context, db *sqlstore.DB, n int) (*store.Order, error) {
	id, name := fmt.Sprintf("o%09d", n), fmt.Sprintf("h%d.n%d.net", n, n)
	at := noon.Add(time.Duration(n) * time.Millisecond)
	o := &store.Order{
		OrderRow: store.OrderRow{
			ID: id, Tenant: "root", Account: "a", State: order.StatePending, Phase: order.PhasePreReview, Product: order.DV, Kind: order.New,
			Profile: "cloud", Method: order.MethodDNS, Name: name, Names: 1, Verdict: "pass", Review: "r1" + id, Created: at, Submitted: at, Deadline: at.Add(72 * time.Hour), Changed: at,
		},
		Order: &order.Order{ID: id, Product: order.DV, Names: []string{name}, CSR: csr[:450], Method: order.MethodDNS, SubmittedAt: at},
	}
	keys := []store.OrderKey{{Kind: "csr", Digest: "c" + id}, {Kind: "key", Digest: "k" + id}}
	extra := store.NewOrder{
		Names: []store.OrderName{{Name: name, Domain: name}}, Keys: keys,
		Challenges: []order.Challenge{{
			Name: name, Method: order.MethodDNS, Type: "TXT", Owner: "_dnsauth." + name, Value: "v" + id, Origin: "own", Created: at, Expires: at.Add(72 * time.Hour),
		}},
		Due: []store.Due{{Kind: store.DueCheck, At: at}, {Kind: store.DueDeadline, At: o.Deadline}, {Kind: store.DueReminder, At: at.Add(36 * time.Hour)}},
	}
	if _, err := db.Around(ctx, around(o)); err != nil {
		return nil, err
	}
	return o, db.Write(ctx, func(tx store.Tx) error {
		if _, err := tx.LockKeys("root", keys...); err != nil {
			return err
		}
		if err := tx.InsertOrder(o, extra); err != nil {
			return err
		}
		if err := tx.InsertReview(packed(o, 1)); err != nil {
			return err
		}
		return tx.Append(entry(o, "order.submit", 1))
	})
}

func around(o *store.Order) store.AroundQuery {
	return store.AroundQuery{
		Tenant: "root", Account: "a", Past: store.PastQuery{Except: o.ID, Tenant: "root", CSR: "c" + o.ID, Key: "k" + o.ID, Domains: []string{o.Name}},
		Profiles: []string{"p", "q"}, Domains: []string{o.Name, o.Name[1:]},
	}
}

func packed(o *store.Order, number int) *store.PackedReview {
	return &store.PackedReview{
		ReviewRow: store.ReviewRow{
			ID: fmt.Sprintf("r%d%s", number, o.ID), Order: o.ID, Number: number, Mode: "attempt", Trigger: "schedule", Verdict: "pass", Profile: "cloud 1 abc",
			First: o.Created, Last: o.Created, Checks: 1,
		},
		Report: report, Seen: seen, Fresh: fresh,
	}
}

func entry(o *store.Order, action string, version int64) store.Entry {
	return store.Entry{
		ID: fmt.Sprintf("e%d%s%s", version, action[len(action)-3:], o.ID), At: o.Created, Tenant: "root", Actor: "service", Role: "administrator", Action: action, Subject: "order:" + o.ID,
		Order: o.ID, OrderVersion: version, Data: json.RawMessage(fmt.Sprintf(`{"state":"pending","more":"%0140d"}`, version)),
	}
}

// certified is all that an order reads and writes until its certificate is stored.
func certified(ctx context.Context, db *sqlstore.DB, n int) error {
	o, err := submitted(ctx, db, n)
	if err != nil {
		return err
	}
	due := store.Due{Order: o.ID, Kind: store.DueCheck, At: o.Created, Attempt: 1}
	err = db.Write(ctx, func(tx store.Tx) error { // as [store.Tx.TakeDue] writes it
		return tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: o.Created.Add(time.Minute), Attempt: 0})
	})
	if err != nil {
		return err
	}
	if _, err := db.Standing(ctx, o.ID); err != nil {
		return err
	}
	if _, err := db.Around(ctx, around(o)); err != nil {
		return err
	}
	serial := fmt.Sprintf("%040d", n)
	if err := db.Write(ctx, func(tx store.Tx) error { return passed(tx, o, due, serial) }); err != nil {
		return err
	}
	if err := db.Write(ctx, func(tx store.Tx) error { return issued(tx, o, serial) }); err != nil {
		return err
	}
	return db.Write(ctx, func(tx store.Tx) error { // of many orders at once, in the service
		list := []store.Entry{entry(o, "order.submit", 1), entry(o, "order.pass", 2), entry(o, "issuance.prepare", 2), entry(o, "order.issue", 3)}
		for i := range list {
			list[i].Seq, list[i].Hash = int64(4*n+i), noise(32)
		}
		return tx.Seal(list)
	})
}

// passed is the unit in which an order passes and its attempt is stored.
func passed(tx store.Tx, o *store.Order, due store.Due, serial string) error {
	now, err := tx.Now(store.NowQuery{
		Order: o.ID, Tenant: "root", Keys: []store.OrderKey{{Kind: "csr", Digest: "c" + o.ID}, {Kind: "key", Digest: "k" + o.ID}}, Account: "a", Keyprint: "k" + o.ID,
	})
	if err != nil {
		return err
	}
	cur := now.Order
	cur.State, cur.Phase, cur.Review, cur.Validated, cur.ReadyAt = order.StateReady, order.PhaseIssue, "r2"+o.ID, o.Created, o.Created
	for _, err := range []error{
		tx.ValidateKeys(o.ID, o.Created, store.OrderKey{Kind: "csr", Digest: "c" + o.ID}, store.OrderKey{Kind: "key", Digest: "k" + o.ID}),
		tx.SetDue(store.Due{Order: o.ID, Kind: due.Kind, At: due.At, Attempt: due.Attempt}),
		tx.ClearDue(o.ID, store.DueDeadline, store.DueReminder),
		tx.InsertReview(packed(o, 2)),
		tx.PutValidation(store.Validation{Tenant: "root", Account: "a", Domain: o.Name, Method: order.MethodDNS, Profile: "p", Order: o.ID, Review: "r2" + o.ID, At: o.Created}),
		tx.UpdateOrder(cur),
		tx.Append(entry(o, "order.pass", 2)),
		tx.InsertAttempt(&store.Attempt{
			Order: o.ID, Seq: 1, Issuer: "own", State: order.AttemptPrepared, Serial: serial, TBS: noise(bodyBytes), Data: []byte("{}"), Review: "r2" + o.ID, Lints: "l", Created: o.Created,
		}),
		tx.Append(entry(o, "issuance.prepare", 2)),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// issued is the unit in which the certificate is stored.
func issued(tx store.Tx, o *store.Order, serial string) error {
	cur, err := tx.Order("", o.ID)
	if err != nil {
		return err
	}
	cur.State, cur.Phase, cur.Ended = order.StateIssued, "", o.Created
	c := &store.Certificate{CertificateRow: store.CertificateRow{
		ID: o.ID, Tenant: "root", Account: "a", Source: store.SourceIssued, Issuer: "own", Serial: serial, State: order.CertificateValid, Product: order.DV,
		Profile: "cloud", Name: o.Name, Names: 1, Fingerprint: "f" + o.ID, Keyprint: "k" + o.ID, NotBefore: o.Created, NotAfter: o.Created.AddDate(0, 0, 47),
		Created: o.Created,
	}, DER: noise(derBytes), Chain: []byte("chain")}
	for _, err := range []error{
		tx.EndAttempt(&store.Attempt{Order: o.ID, Seq: 1, State: order.AttemptIssued, Ended: o.Created}),
		tx.InsertCertificate(c, []store.OrderName{{Name: o.Name, Domain: o.Name}}),
		tx.SetCertificateDue(store.CertificateDue{Certificate: c.ID, Kind: store.DueEnd, At: c.NotAfter}, store.CertificateDue{Certificate: c.ID, Kind: store.DueRenew, At: c.NotAfter}),
		tx.DueIfBlocked(c.Keyprint, store.CertificateDue{Certificate: c.ID, Kind: store.DueRevoke, At: o.Created}),
		tx.UpdateOrder(cur),
		tx.ClearDue(o.ID),
		tx.Append(entry(o, "order.issue", 3)),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
