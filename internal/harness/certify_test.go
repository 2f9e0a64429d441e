package harness

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"assay/internal/issuer"
	"assay/internal/service"
	"assay/internal/store"
	"assay/order"
)

// An inventory is what a database has of certificates.
type inventory struct {
	certs map[string]*store.Certificate // by order
	// attempts, by serial number.
	attempts map[string]store.Attempt
	revoked  map[string]store.Revocation
}

// certified proves what must hold of certificates: one for each order at most and
// none for two, all that were signed stored or given up, what was acknowledged of
// revocations there, and lists that only grow.
func (p *proof) certified(ctx context.Context) error {
	inv, err := p.inventory(ctx)
	if err != nil {
		return err
	}
	b := p.book
	for id, der := range b.seen {
		if c := inv.certs[id]; c == nil || !bytes.Equal(c.DER, der) {
			p.fault("not stored: certificate %s was handed out, and stored is another or none", id)
		}
	}
	for id, print := range b.prints {
		if c := inv.certs[id]; c == nil || c.Fingerprint != print || fingerprint(c.DER) != print {
			p.fault("not stored: order %s was shown with certificate %s, and stored is another or none", id, print)
		}
	}
	p.signatures(inv)
	if err := p.revocations(ctx, inv); err != nil {
		return err
	}
	p.lists(inv)
	return p.places(ctx, inv)
}

// inventory reads all, and proves what holds of each order.
func (p *proof) inventory(ctx context.Context) (*inventory, error) {
	p.book.given = 0
	inv := &inventory{map[string]*store.Certificate{}, map[string]store.Attempt{}, map[string]store.Revocation{}}
	for shard := range int64(3) {
		list, err := p.db.Revocations(ctx, caID, shard, p.now)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			inv.revoked[r.Serial] = r
		}
	}
	var last store.OrderKeyset
	for {
		rows, err := p.db.Orders(ctx, store.OrderFilter{Tenant: service.RootTenant, Before: last, Limit: 200})
		if err != nil {
			return nil, err
		}
		for i := range rows {
			last = store.OrderKeyset{Created: rows[i].Created, ID: rows[i].ID}
			if err := p.attempts(ctx, &rows[i], inv); err != nil {
				return nil, err
			}
		}
		if len(rows) < 200 {
			return inv, nil
		}
	}
}

// attempts proves an order's: one at most that has given, or may give, a
// certificate, and that of the certificate where there is one.
func (p *proof) attempts(ctx context.Context, o *store.OrderRow, inv *inventory) error {
	list, err := p.db.Attempts(ctx, o.ID)
	if err != nil {
		return err
	}
	open, serial := 0, ""
	for i := range list {
		a := &list[i]
		if other, twice := inv.attempts[a.Serial]; twice {
			p.fault("two certificates: orders %s and %s have the serial number %s", other.Order, o.ID, a.Serial)
		}
		inv.attempts[a.Serial] = *a
		_, revoked := inv.revoked[a.Serial]
		switch a.State {
		case order.AttemptPrepared, order.AttemptSigned:
			open++
		case order.AttemptIssued:
			open++
			serial = a.Serial
		default:
			p.book.given++
			if a.Serial == "" || !revoked {
				p.fault("serial %q of order %s is %s, and not revoked", a.Serial, o.ID, a.State)
			}
		}
	}
	if open > 1 {
		p.fault("two certificates: order %s has %d attempts that have given one or may", o.ID, open)
	}
	rows, err := p.db.Certificate(ctx, "", o.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if there := err == nil; there != (o.State == order.StateIssued) || there != (serial != "") || there && rows.Serial != serial {
		p.fault("order %s is %s, its certificate is there: %t, of attempt %q", o.ID, o.State, there, serial)
		return nil
	} else if !there {
		return nil
	}
	inv.certs[o.ID] = rows
	c, err := x509.ParseCertificate(rows.DER)
	if err != nil || serialOf(c) != serial || !slices.Equal(c.DNSNames, []string{o.Name}) {
		p.fault("order %s: its certificate is another's: %v", o.ID, err)
	}
	return nil
}

// signatures: of all that keys made, no two have one serial number, each has one
// that was stored before, and what is not stored was given up, or is to be.
func (p *proof) signatures(inv *inventory) {
	whose := map[string]string{}
	for print, c := range p.book.signed {
		serial := serialOf(c)
		if other := whose[serial]; other != "" {
			p.fault("two certificates: %s and %s have the serial number %s", other, print, serial)
		}
		whose[serial] = print
		a, known := inv.attempts[serial]
		if !known {
			p.fault("not stored: a certificate was signed with serial number %s, which no attempt has", serial)
			continue
		}
		stored := inv.certs[a.Order]
		switch {
		case a.State == order.AttemptIssued && (stored == nil || !bytes.Equal(stored.DER, c.Raw)):
			p.fault("two certificates: of order %s another was signed than is stored", a.Order)
		case a.State == order.AttemptAbandoned && inv.revoked[serial].Serial == "":
			p.fault("a certificate of order %s was signed and given up, and is not revoked", a.Order)
		}
	}
}

// revocations: what was acknowledged is there, with all that follows from it.
func (p *proof) revocations(ctx context.Context, inv *inventory) error {
	for id, d := range p.book.revoked {
		c := inv.certs[id]
		if c == nil {
			p.fault("revocation lost: certificate %s was revoked, and is not there", id)
			continue
		}
		r, there := inv.revoked[c.Serial]
		if !there || c.State != order.CertificateRevoked || r.Reason != c.Reason || r.Shard != c.Shard || !r.NotAfter.Equal(c.NotAfter) {
			p.fault("revocation lost: of certificate %s, by request %s; it is %s, listed %t", id, d.key, c.State, there)
		}
		if s, err := p.db.Serial(ctx, caID, c.Serial); err != nil || s.Revoked.IsZero() {
			p.fault("revocation lost: certificate %s counts as %+v, %v", id, s, err)
		}
	}
	for id, c := range inv.certs {
		r, there := inv.revoked[c.Serial]
		if there != (c.State == order.CertificateRevoked) {
			p.fault("certificate %s is %s, and revoked: %t", id, c.State, there)
		}
		blocked, err := p.db.Blocked(ctx, c.Keyprint)
		if err != nil {
			return err
		}
		if compromised := there && issuer.Reason(r.Reason) == issuer.KeyCompromise; compromised != !blocked.IsZero() {
			p.fault("key: certificate %s is revoked for reason %d, and its key is blocked: %t", id, r.Reason, !blocked.IsZero())
		}
		if p.book.dead[id] && !there {
			p.fault("revocation lost: OCSP said that certificate %s is revoked", id)
		}
	}
	entries, err := p.revokers(ctx)
	for id, n := range entries {
		if n > 1 {
			p.fault("double effect: %s was revoked %d times", id, n)
		}
	}
	return err
}

// revokers counts the audit entries of revocations.
func (p *proof) revokers(ctx context.Context) (map[string]int, error) {
	found := map[string]int{}
	f := store.EntryFilter{Tenant: service.RootTenant, Action: "certificate.revoke", Limit: 200}
	for {
		list, err := p.db.Entries(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range list {
			found[list[i].Subject]++
			f.BeforeAt, f.BeforeID = list[i].At, list[i].ID
		}
		if len(list) < f.Limit {
			return found, nil
		}
	}
}

// lists: of those that clients got, a later one has all that an earlier one has,
// and only what was revoked, each in the shard of its certificate.
func (p *proof) lists(inv *inventory) {
	for shard, all := range p.book.lists {
		before := map[string]bool{}
		for _, number := range slices.Sorted(maps.Keys(all)) {
			now := serials(all[number])
			for serial := range before {
				if !now[serial] {
					p.fault("list: %s has left number %d of shard %d", serial, number, shard)
				}
			}
			for serial := range now {
				if r, there := inv.revoked[serial]; !there || r.Shard != shard {
					p.fault("revocation lost: %s is in list %d of shard %d, and not revoked there", serial, number, shard)
				}
			}
			before = now
		}
	}
}

func serials(l *x509.RevocationList) map[string]bool {
	set := map[string]bool{}
	for i := range l.RevokedCertificateEntries {
		set[hex.EncodeToString(l.RevokedCertificateEntries[i].SerialNumber.Bytes())] = true
	}
	return set
}

// places: no shard has more certificates than places were given out in it.
func (p *proof) places(ctx context.Context, inv *inventory) error {
	ca, err := issuingCA(ctx, p.db)
	if err != nil {
		return err
	}
	had := map[int64]int64{}
	for serial := range inv.attempts {
		had[inv.attempts[serial].Shard]++
	}
	for shard, n := range had {
		most := min(shardPlaces, ca.Blocks*blockPlaces-shard*shardPlaces)
		if shard == 0 {
			most -= used * blockPlaces
		}
		if n > most {
			p.fault("shard %d has %d certificates, for %d places", shard, n, most)
		}
	}
	return nil
}

// listed proves, at the end, that each list has all that is revoked, and that OCSP
// says so.
func (b *book) listed(ctx context.Context, db store.Store, faults []string) ([]string, error) {
	p := &proof{db: db, book: b, faults: faults}
	lists, err := db.CRLs(ctx, caID, -1, 100)
	if err != nil {
		return nil, err
	}
	for i := range lists {
		c, err := db.CRL(ctx, caID, lists[i].Shard)
		if err != nil {
			return nil, err
		}
		l, err := x509.ParseRevocationList(c.DER)
		if err != nil {
			return nil, fmt.Errorf("shard %d: %w", c.Shard, err)
		}
		for number, seen := range b.lists[c.Shard] {
			if number > l.Number.Int64() || number == l.Number.Int64() && !bytes.Equal(seen.Raw, c.DER) {
				p.fault("list: shard %d ends with number %d, and %d was seen", c.Shard, l.Number, number)
			}
		}
		all, err := db.Revocations(ctx, caID, c.Shard, c.ThisUpdate)
		if err != nil {
			return nil, err
		}
		now := serials(l)
		for i := range all {
			if !now[all[i].Serial] {
				p.fault("revocation lost: %s is not in the newest list of shard %d, number %d", all[i].Serial, c.Shard, l.Number)
			}
		}
	}
	return p.faults, nil
}
