package service

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"assay/csr"
	"assay/evidence"
	"assay/internal/issuer"
	"assay/internal/renewal"
	"assay/internal/store"
	"assay/key"
	"assay/name"
	"assay/order"
	"assay/profile"
	"assay/review"
)

const (
	// caaReuse is how long a CAA answer counts (BR 4.2.2.1: 8 hours, or its TTL where
	// that is longer; the shorter of the two never does harm).
	caaReuse = 8 * time.Hour
	// caaType is the record type CAA (RFC 8659).
	caaType = "CAA"
	// mostCommonName is the longest common name (RFC 5280 A.1, ub-common-name).
	mostCommonName = 64
)

// gate judges an order again, as of now, before anything is signed. Where it does not
// pass any more the order goes back, and passed is false.
func (i *issuance) gate(ctx context.Context) (passed bool, err error) {
	r, err := i.judge(ctx)
	if err != nil {
		return false, err
	}
	if !r.passes {
		return false, i.back(ctx, r)
	}
	return true, i.asked(ctx)
}

// A ruling is what the gate says of an order.
type ruling struct {
	passes bool
	// report is the judgement, last the review that it was made from; nil: there is none.
	report *review.Report
	last   *store.Review
	// pause is why nothing more is due for an order that stays as it is; "": it goes back.
	pause string
}

// passing reports whether what is in the way may go away without the applicant: a
// laboratory, a server that does not answer.
func (r *ruling) passing() bool {
	return r.pause != "" || r.report != nil && r.report.Verdict != review.VerdictRefuse
}

// back sends an order back that passes no more, or pauses it.
func (i *issuance) back(ctx context.Context, r *ruling) error {
	if r.pause != "" {
		return i.pause(ctx, r.pause)
	}
	return i.reopen(ctx, r.report, r.last)
}

// judge judges an order as of now: from the review that is stored, with what the store
// and the lists know now, and with a CAA answer that is fresh.
func (i *issuance) judge(ctx context.Context) (*ruling, error) {
	s := i.s
	now := s.now()
	last, err := s.Store.Review(ctx, i.o.ID, 0)
	if errors.Is(err, store.ErrNotFound) {
		return &ruling{}, nil
	}
	if err != nil {
		return nil, err
	}
	i.review = last.ID
	if !i.current(last, now) {
		return &ruling{last: last}, nil
	}
	before, err := i.seen(ctx, last, now)
	if err != nil {
		return nil, err
	}
	values, err := s.Store.Challenges(ctx, i.o.ID)
	if err != nil {
		return nil, fmt.Errorf("the values of order %s: %w", i.o.ID, err)
	}
	l, sharing, err := s.begin(ctx, whole(i.o, values), i.p, true, now, before)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	r, err := l.Review(ctx, review.Attempt, now)
	if err != nil {
		return nil, err
	}
	i.sharing = sharing
	_, validated := l.Proven(r)
	switch {
	case r.Verdict == review.VerdictUnknown:
		return nil, fmt.Errorf("order %s cannot be judged before signing: %v", i.o.ID, causesOf(r))
	case r.Verdict == review.VerdictPass && r.Scope == review.ScopeNetwork && r.Lab && i.p.Public:
		return &ruling{report: r, last: last, pause: PausedLab}, nil
	}
	return &ruling{passes: r.Verdict == review.VerdictPass && r.Scope == review.ScopeNetwork && validated, report: r, last: last}, nil
}

// current reports whether the stored review is one that a certificate may rest
// on: an attempt that passed, of names whose validation may be used still.
func (i *issuance) current(last *store.Review, now time.Time) bool {
	if last.Mode != string(review.Attempt) || last.Verdict != string(review.VerdictPass) || last.Number == 0 {
		return false
	}
	if i.o.Validated.IsZero() || i.o.Validated.After(now) {
		return false
	}
	// Where a profile lets nobody use a validation again it counts for its own
	// order, for as long as a value may (BR 3.2.2.4: 30 days).
	window := reuseWindow(i.p, now, i.o.Order.Plan)
	if window <= 0 {
		window = 30 * 24 * time.Hour
	}
	return !now.After(i.o.Validated.Add(window))
}

// seen are the observations of the stored review that count still. What the
// store or a list answers is asked anew, and so is CAA once it is too old.
func (i *issuance) seen(ctx context.Context, last *store.Review, now time.Time) ([]evidence.Observation, error) {
	all, err := i.s.Store.Observations(ctx, i.o.ID, last.Seen)
	if err != nil {
		return nil, err
	}
	age := now.Sub(last.First)
	return slices.DeleteFunc(all, func(o evidence.Observation) bool {
		caa := o.Question.DNS != nil && o.Question.DNS.Type == caaType
		return o.Question.Lookup != nil || o.Network != nil && !i.s.inLab() || caa && (age > caaReuse || age < 0)
	}), nil
}

// asked makes the request that the issuer gets.
func (i *issuance) asked(ctx context.Context) error {
	o := i.o.Order
	_, request, problem := csr.Load(o.CSR)
	if request == nil || problem != nil {
		return fmt.Errorf("order %s: its CSR cannot be read any more", i.o.ID)
	}
	r := &issuer.Request{
		Order: i.o.ID, Attempt: i.seq, Profile: i.p, Plan: o.Plan, Product: i.o.Product, CSR: request.DER, ClientAuth: o.ClientAuth, Method: i.o.Method, Now: i.s.now(),
	}
	for _, text := range o.Names {
		if n := name.Parse(text).Clean; n != "" && !slices.Contains(r.Names, n) {
			r.Names = append(r.Names, n)
		}
	}
	r.CommonName = commonName(o.CommonName, r.Names)
	if i.o.Product == order.OV || i.o.Product == order.EV {
		r.Subject = o.Organization
	}
	if v := o.Validity; v != nil {
		switch {
		case !v.NotAfter.IsZero():
			r.NotAfter = v.NotAfter
		case v.Days > 0:
			r.NotAfter = r.Now.Add(time.Duration(v.Days)*24*time.Hour - time.Second)
		}
	}
	if o.Replaces != "" {
		if err := i.replacing(ctx, r); err != nil {
			return err
		}
	}
	if end := o.ServiceUntil; !end.IsZero() && (r.NotAfter.IsZero() || end.Before(r.NotAfter)) {
		r.NotAfter = end
	}
	i.request = r
	if !i.ca.Upstream() {
		return nil // a CA of our own has no order elsewhere
	}
	u, err := i.s.Store.UpstreamOrder(ctx, i.o.ID)
	if err == nil {
		r.State, i.offered = u.Data, u
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// replacing says what a reissue or renewal has of the certificate that it
// replaces: a reissue its end, so that it gives no more time than was bought; a
// renewal what is left of it, as far as the profile lets it be kept.
func (i *issuance) replacing(ctx context.Context, r *issuer.Request) error {
	c, err := i.s.Store.Certificate(ctx, i.o.Tenant, i.o.Order.Replaces)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.Replaces, err = x509.ParseCertificate(c.DER); err != nil {
		return fmt.Errorf("the certificate %s: %w", c.ID, err)
	}
	switch {
	case i.o.Kind == order.Reissue:
		r.NotAfter = c.NotAfter
	case i.o.Kind == order.Renewal && !r.NotAfter.IsZero() && i.o.Order.Validity.NotAfter.IsZero():
		// What is left of the old one is kept where days were asked for; the issuer
		// cuts it to what the dated table allows.
		length := r.NotAfter.Add(time.Second).Sub(r.Now)
		r.NotAfter = renewal.Next(r.Now, length, lifeOf(c), i.p.Limits.RenewalKeptDays, 0).NotAfter
	}
	return nil
}

// commonName is the name that stands in the subject too: the one that was chosen,
// else the first that is no longer than a common name may be.
func commonName(chosen string, names []string) string {
	if n := name.Parse(chosen).Clean; slices.Contains(names, n) && len(n) <= mostCommonName {
		return n
	}
	for _, n := range names {
		if len(n) <= mostCommonName {
			return n
		}
	}
	return ""
}

// reopen sends an order back that passes no more, with the review that says so,
// and has it looked at at once.
func (i *issuance) reopen(ctx context.Context, r *review.Report, last *store.Review) error {
	s := i.s
	id := ""
	var packed *store.PackedReview
	if r != nil {
		var err error
		if id, err = s.timed(); err != nil {
			return err
		}
		if packed, err = packReview(i.o, r, "signing", last); err != nil {
			return err
		}
	}
	now := s.now()
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(i.due, s.Owner); err != nil {
			return err
		}
		o, err := tx.Order("", i.o.ID)
		if err != nil {
			return err
		}
		if err := tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: now}); err != nil {
			return err
		}
		if o.Version != i.o.Version || o.State != order.StateReady {
			return nil
		}
		to, ok := o.State.Next(order.ActionReopen)
		if !ok {
			return fmt.Errorf("order %s is %s, which has no %q", o.ID, o.State, order.ActionReopen)
		}
		data := map[string]any{"state": string(to)}
		if packed != nil {
			if err := keepReview(tx, packed, id, now); err != nil {
				return err
			}
			o.Verdict, o.Review = string(r.Verdict), id
			data["verdict"], data["review"], data["added"] = o.Verdict, id, without(causesOf(r), last.Causes)
		}
		o.State, o.Phase, o.ReadyAt, o.Validated, o.Paused = to, order.PhaseValidation, time.Time{}, time.Time{}, ""
		if err := errors.Join(runsAgain(tx, o, i.p, now), s.update(tx, o)); err != nil {
			return err
		}
		return s.audit(tx, itself(o), o, "order.reopen", "", data)
	})
	if err == nil {
		s.changed(i.o.ID)
	}
	return err
}

// runsAgain has the deadline due of an order that goes back. Where little is left, it
// gets a new one: its time was not its applicant's.
func runsAgain(tx store.Tx, o *store.Order, p *profile.Profile, begins time.Time) error {
	if !o.Deadline.IsZero() && o.Deadline.Before(begins.Add(time.Hour)) {
		o.Deadline = deadlineOf(p, begins)
	}
	if o.Deadline.IsZero() {
		return nil
	}
	return tx.SetDue(store.Due{Order: o.ID, Kind: store.DueDeadline, At: o.Deadline})
}

// pause has nothing more due for an order that passed, and says why. One that was changed
// meanwhile is no more what passed.
func (i *issuance) pause(ctx context.Context, why string) error {
	s := i.s
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(i.due, s.Owner); err != nil {
			return err
		}
		o, err := tx.Order("", i.o.ID)
		if err != nil {
			return err
		}
		if o.Version != i.o.Version { // it is looked at anew: it may wait for this lease to end
			return tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: s.now()})
		}
		o.Paused = why
		if err := s.update(tx, o); err != nil {
			return err
		}
		return s.audit(tx, itself(o), o, "issuance.pause", "", map[string]any{"paused": why, "state": string(o.State)})
	})
	if err == nil {
		s.changed(i.o.ID)
	}
	return err
}

// certificate makes the row of a certificate, and of its names.
func (i *issuance) certificate(a *store.Attempt, issued *issuer.Issued) (*store.Certificate, []store.OrderName, error) {
	cert := issued.Certificate
	keyprint, err := keyprintOf(cert)
	if err != nil {
		return nil, nil, err
	}
	now := i.s.now()
	c := &store.Certificate{
		CertificateRow: store.CertificateRow{
			ID: i.o.ID, Tenant: i.o.Tenant, Account: i.o.Account, Source: store.SourceIssued, Issuer: a.Issuer, Serial: serialText(cert), Shard: a.Shard,
			State: order.CertificateValid, Product: i.o.Product, Profile: i.o.Profile, Names: len(i.request.Names), Fingerprint: fingerprintOf(cert.Raw),
			Keyprint: keyprint, NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), Created: now,
		},
		DER: cert.Raw,
	}
	// Of a series another one follows as long as there is time for it.
	until := i.o.Order.ServiceUntil
	c.AutoRenew = !until.IsZero() && !lastOf(until, &c.CertificateRow)
	if a.Serial != "" && a.Serial != c.Serial {
		return nil, nil, fmt.Errorf("order %s: the certificate has the serial number %s, %s was prepared", i.o.ID, c.Serial, a.Serial)
	}
	for _, above := range issued.Chain {
		c.Chain = append(c.Chain, above.Raw...)
	}
	names := i.s.orderNames(&order.Order{Names: i.request.Names})
	if len(names) > 0 {
		c.Name = names[0].Name
	}
	return c, names, nil
}

// fingerprintOf is the SHA-256 of a certificate.
func fingerprintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// serialText is a serial number as the store has it.
func serialText(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }

// keyprintOf is the keyprint of a certificate's key, see [key.Print].
func keyprintOf(c *x509.Certificate) (string, error) {
	public, err := key.Parse(c.RawSubjectPublicKeyInfo)
	if err != nil {
		return "", fmt.Errorf("the key of the certificate %s: %w", serialText(c), err)
	}
	return key.Print(public), nil
}

// keyOf is the keyprint of an order's key, "" where it has none that can be read.
func keyOf(o *order.Order) string {
	for _, k := range orderKeys(o) {
		if k.Kind == "key" {
			return k.Digest
		}
	}
	return ""
}

// oneOf is the problem of a value that is none of those allowed.
func oneOf[T ~string](field, value string, allowed []T) error {
	words := make([]string, len(allowed))
	for i, w := range allowed {
		words[i] = string(w)
	}
	return &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", field, "Value", shownValue(value), "Allowed", strings.Join(words, ", ")}}
}
