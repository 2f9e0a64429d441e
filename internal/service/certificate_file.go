package service

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"assay/csr"
	"assay/evidence"
	"assay/internal/certfile"
	"assay/internal/store"
	"assay/key"
	"assay/order"
	"assay/review"
)

// A DownloadRequest says which file of a certificate is wanted.
type DownloadRequest struct {
	// Format is one of [certfile.Formats].
	Format string `json:"format"`
	// Key asks for the private key too, where it is kept here.
	Key bool `json:"key,omitempty"`
	// Password encrypts the formats that have one.
	Password string `json:"password,omitempty"`
	// Legacy makes PKCS #12 for old software.
	Legacy bool `json:"legacy,omitempty"`
}

// Download makes a file of a certificate. A key that was made here is handed out
// once, and is then here no more, unless the operator keeps keys.
func (s *Service) Download(ctx context.Context, p Principal, id string, in DownloadRequest) (*certfile.File, error) {
	do := MayReadCertificates
	if in.Key {
		do = MayWriteCertificates
	}
	c, err := s.certificateOf(ctx, p, id, do)
	if err != nil {
		return nil, err
	}
	set, err := s.fileSet(c)
	if err != nil {
		return nil, err
	}
	if in.Key {
		k, err := s.keptKey(c)
		if err != nil {
			return nil, err
		}
		if err := set.SetKey(k); err != nil {
			return nil, fileProblem(err)
		}
	}
	f, err := set.Make(in.Format, certfile.Options{Password: in.Password, Legacy: in.Legacy, Random: s.Rand})
	if err != nil {
		return nil, fileProblem(err)
	}
	_, err = s.changeCertificate(ctx, p, id, 0, do, "download", func(tx store.Tx, now *store.Certificate) (map[string]any, error) {
		data := map[string]any{"format": in.Format, "key": in.Key}
		if in.Key && len(now.Sealed) == 0 {
			return nil, &Problem{Kind: WrongState, Message: "certificate.key-gone"}
		}
		if in.Key && !s.KeepKeys {
			now.Sealed = nil
			if err := tx.UpdateCertificate(now); err != nil {
				return nil, err
			}
		}
		if s.Watch == nil || now.State != order.CertificateValid {
			return data, nil
		}
		// It is installed in a while: then where it is used is looked at.
		return data, tx.SetCertificateDue(store.CertificateDue{Certificate: now.ID, Kind: store.DueWatch, At: s.now().Add(watchAfter)})
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// fileSet is a certificate with what stands above it.
func (s *Service) fileSet(c *store.Certificate) (*certfile.Set, error) {
	above, err := x509.ParseCertificates(c.Chain)
	if err != nil {
		return nil, fmt.Errorf("what stands above certificate %s: %w", c.ID, err)
	}
	chain := make([][]byte, len(above))
	for i := range above {
		chain[i] = above[i].Raw
	}
	set, err := certfile.New(c.DER, chain, s.rootAbove(c.Issuer, above))
	if err != nil {
		return nil, fileProblem(err)
	}
	return set, nil
}

// certificateRow names the row of a certificate for what is sealed in it.
func certificateRow(id string) string { return "certificate:" + id }

// keptKey is the private key of a certificate.
func (s *Service) keptKey(c *store.Certificate) (*key.Private, error) {
	if len(c.Sealed) == 0 {
		return nil, &Problem{Kind: WrongState, Message: "certificate.no-key"}
	}
	var text string
	if err := s.reveal(certificateRow(c.ID), c.Sealed, &text); err != nil {
		return nil, err
	}
	k, problem := certfile.ReadKey(text)
	if problem != nil {
		return nil, fmt.Errorf("the key that is kept of certificate %s cannot be read", c.ID)
	}
	return k, nil
}

// fileProblem says why a file cannot be made.
func fileProblem(err error) error {
	var e *certfile.Error
	if !errors.As(err, &e) {
		return err
	}
	id, pairs := e.Message()
	return &Problem{Kind: Invalid, Message: id, Pairs: pairs, Err: e}
}

// A CSRRequest is a certificate request to be kept, or what one is to be made of.
type CSRRequest struct {
	// CSR is a request, PEM; "": one is made here, with its key, for Names.
	CSR   string   `json:"csr,omitempty"`
	Names []string `json:"names,omitempty"`
	// KeyType is p256, p384, rsa2048, rsa3072 or rsa4096; "": p256.
	KeyType string `json:"key_type,omitempty"`
	Note    string `json:"note,omitempty"`
}

// A CSRView is a certificate request that is kept.
type CSRView struct {
	ID      string `json:"id"`
	Tenant  string `json:"tenant"`
	Account string `json:"account"`
	// Name is the first of its names, Names how many it has.
	Name  string `json:"name"`
	Names int    `json:"names"`
	// KeyType is that of its key: "P-256", "RSA 2048".
	KeyType string `json:"key_type"`
	// SHA256 is of the request.
	SHA256 string `json:"sha256"`
	// CSR is the request, PEM; absent in lists.
	CSR  string `json:"csr,omitempty"`
	Note string `json:"note,omitempty"`
	// HasKey says that its key is kept here; Key is that key, PEM, where it was just
	// taken away.
	HasKey bool   `json:"has_key"`
	Key    string `json:"key,omitempty"`
	// Orders are the numbers of the orders that it was used in; absent in lists.
	Orders []string `json:"orders,omitempty"`
	// Findings are what is wrong with its key; absent in lists.
	Findings  []review.Finding `json:"findings,omitempty"`
	CreatedAt string           `json:"created_at"`
	Version   int64            `json:"version"`
}

// WithoutSecret is the request as it may be kept.
func (v CSRView) WithoutSecret() any {
	v.Key = ""
	return v
}

// mostNote bounds the note of a request.
const mostNote = 500

// NewCSR keeps a certificate request, or makes one where the operator lets keys be
// made here.
func (s *Service) NewCSR(ctx context.Context, p Principal, in CSRRequest) (*CSRView, error) {
	if err := allow(p, MayWriteCertificates); err != nil {
		return nil, err
	}
	if len(in.Note) > mostNote || !plainText(in.Note) {
		return nil, &Problem{Kind: Invalid, Message: "certificate.text", Pairs: []any{"Field", "note", "Most", mostNote}}
	}
	id, err := order.NewID(s.Rand)
	if err != nil {
		return nil, err
	}
	row := &store.CSR{ID: id, Tenant: p.Tenant, Account: p.Account, Note: in.Note, Created: s.now(), Version: 1}
	text := in.CSR
	if text == "" {
		var secret string
		if text, secret, err = s.makeCSR(in); err != nil {
			return nil, err
		}
		if row.Sealed, err = s.conceal(csrRow(id), secret); err != nil {
			return nil, err
		}
	} else if len(in.Names) > 0 || in.KeyType != "" {
		return nil, &Problem{Kind: Invalid, Message: "kept.both"}
	}
	if len(text) > maxCSRText {
		return nil, &Problem{Kind: Invalid, Message: "certificate.csr"}
	}
	r, problem := csr.Read(text)
	if r == nil || r.Key == nil || problem != nil {
		return nil, &Problem{Kind: Invalid, Message: "kept.unreadable"}
	}
	if v := r.Verify(); !v.OK {
		return nil, &Problem{Kind: Invalid, Message: "kept.signature"}
	}
	names := requestNames(r)
	row.Keyprint, row.Made = key.Print(r.Key), in.CSR == ""
	row.DER, row.Digest, row.KeyType, row.Names = r.DER, r.SHA256, r.Key.Describe(), len(names)
	if len(names) > 0 {
		row.Name = names[0]
	}
	return unit(ctx, s, func(tx store.Tx) (*CSRView, error) {
		if err := tx.InsertCSR(row); err != nil {
			return nil, err
		}
		v := viewOfCSR(row)
		v.CSR = csr.Encode(row.DER)
		blocked, err := tx.BlockedNow(row.Keyprint)
		if err != nil {
			return nil, err
		}
		if v.Findings, err = s.aboutKept(row, blocked); err != nil {
			return nil, err
		}
		return v, s.audit(tx, p, nil, "csr.new", "csr:"+id, map[string]any{"account": row.Account, "sha256": row.Digest, "key_here": len(row.Sealed) > 0})
	})
}

// requestNames are the names that a request asks for, as they can be shown and stored: a
// request may hold any character.
func requestNames(r *csr.Request) (names []string) {
	for _, n := range r.SANs {
		if n.Kind == "dns" || n.Kind == "ip" {
			names = append(names, printable(n.Value))
		}
	}
	if len(names) == 0 {
		for _, a := range r.Subject {
			if a.Name == "CN" {
				names = append(names, printable(a.Value))
			}
		}
	}
	return names
}

// printable is a text with U+FFFD for what is no character, or controls.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// makeCSR makes a key and a request for it.
func (s *Service) makeCSR(in CSRRequest) (text, secret string, err error) {
	if !s.ServerKeys {
		return "", "", &Problem{Kind: Forbidden, Message: "kept.server-keys"}
	}
	if len(in.Names) == 0 || len(in.Names) > maxNames {
		return "", "", &Problem{Kind: Invalid, Message: "service.no-names"}
	}
	k, err := key.New(cmp.Or(key.Kind(in.KeyType), key.KindP256), s.Rand)
	if err != nil {
		return "", "", &Problem{Kind: Invalid, Message: "kept.key-type", Pairs: []any{"Value", shownValue(in.KeyType)}, Err: err}
	}
	if text, err = csr.New(in.Names, csr.Subject{}, k, s.Rand); err != nil {
		return "", "", &Problem{Kind: Invalid, Message: "kept.names", Pairs: []any{"Why", err.Error()}, Err: err}
	}
	raw, err := k.PEM()
	return text, string(raw), err
}

func csrRow(id string) string { return "csr:" + id }

func viewOfCSR(c *store.CSR) *CSRView {
	return &CSRView{
		ID: c.ID, Tenant: c.Tenant, Account: c.Account, Name: c.Name, Names: c.Names, KeyType: c.KeyType, SHA256: c.Digest, Note: c.Note,
		HasKey: len(c.Sealed) > 0, CreatedAt: c.Created.UTC().Format("2006-01-02T15:04:05Z"), Version: c.Version,
	}
}

// seesCSR is [Principal.sees] for a kept request.
func (p Principal) seesCSR(c *store.CSR) bool {
	return c.Tenant == p.Tenant && c.Deleted.IsZero() && (p.Role != RoleApplicant || c.Account == p.Account)
}

// CSRs lists kept requests, newest first.
func (s *Service) CSRs(ctx context.Context, p Principal, cursor string, limit int) (items []CSRView, next string, err error) {
	if err := allow(p, MayReadCertificates); err != nil {
		return nil, "", err
	}
	f := store.CSRFilter{Tenant: p.Tenant, Limit: pageSize(limit)}
	if p.Role == RoleApplicant {
		f.Account = p.Account
	}
	if f.Before, err = readCursor(cursor); err != nil {
		return nil, "", err
	}
	rows, err := s.Store.CSRs(ctx, f)
	if err != nil {
		return nil, "", problemOf(err)
	}
	items = make([]CSRView, len(rows))
	for i := range rows {
		items[i] = *viewOfCSR(&rows[i])
	}
	if n := len(rows); n == f.Limit {
		next = writeCursor(store.OrderKeyset{Created: rows[n-1].Created, ID: rows[n-1].ID})
	}
	return items, next, nil
}

// CSR reads one kept request.
func (s *Service) CSR(ctx context.Context, p Principal, id string) (*CSRView, error) {
	if err := allow(p, MayReadCertificates); err != nil {
		return nil, err
	}
	c, err := s.Store.CSR(ctx, p.Tenant, id)
	if err == nil && !p.seesCSR(c) {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, problemOf(err)
	}
	v := viewOfCSR(c)
	v.CSR = csr.Encode(c.DER)
	err = s.Store.Write(ctx, func(tx store.Tx) (err error) {
		v.Orders, err = usedIn(tx, p, c)
		return err
	})
	if err != nil {
		return nil, problemOf(err)
	}
	blocked, err := s.Store.Blocked(ctx, c.Keyprint)
	if err != nil {
		return nil, problemOf(err)
	}
	v.Findings, err = s.aboutKept(c, blocked)
	return v, err
}

// aboutKept is what is wrong with the key of a kept request, by the rules that orders have
// where they name none.
func (s *Service) aboutKept(c *store.CSR, blocked time.Time) ([]review.Finding, error) {
	if blocked.IsZero() {
		return nil, nil
	}
	rules, err := s.profileOf("")
	if err != nil {
		return nil, err
	}
	return review.JudgeUpload(&evidence.Upload{Compromised: blockedKey(c.Keyprint, blocked)}, rules, s.now()).Findings, nil
}

// usedIn are the orders with a request that somebody may see.
func usedIn(tx store.Tx, p Principal, c *store.CSR) ([]string, error) {
	ids, err := tx.LockKeys(c.Tenant, store.OrderKey{Kind: "csr", Digest: c.Digest})
	if err != nil {
		return nil, err
	}
	var own []string
	for _, id := range ids {
		o, err := tx.Order(c.Tenant, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // another tenant's
		}
		if err != nil {
			return nil, err
		}
		if p.sees(o) {
			own = append(own, id)
		}
	}
	return own, nil
}

// A CSRChange says what to do with a kept request.
type CSRChange struct {
	// Note replaces the note; nil leaves it.
	Note *string
	// TakeKey hands out the key that was made here, once.
	TakeKey bool
	Delete  bool
}

// ChangeCSR changes the note of a request, hands out its key, or deletes it. One
// that an order uses cannot be changed or deleted any more.
func (s *Service) ChangeCSR(ctx context.Context, p Principal, id string, version int64, in CSRChange) (*CSRView, error) {
	if err := allow(p, MayWriteCertificates); err != nil {
		return nil, err
	}
	if in.Note != nil && (len(*in.Note) > mostNote || !plainText(*in.Note)) {
		return nil, &Problem{Kind: Invalid, Message: "certificate.text", Pairs: []any{"Field", "note", "Most", mostNote}}
	}
	return unit(ctx, s, func(tx store.Tx) (*CSRView, error) {
		c, err := tx.CSRNow(p.Tenant, id)
		if err != nil {
			return nil, err
		}
		if !p.seesCSR(c) {
			return nil, store.ErrNotFound
		}
		if version != 0 && version != c.Version {
			return nil, &Problem{Kind: Conflict, Message: "service.version", Pairs: []any{"Version", c.Version}}
		}
		action, taken := "csr.change", ""
		if in.Note != nil || in.Delete {
			orders, err := usedIn(tx, p, c)
			if err != nil {
				return nil, err
			}
			if len(orders) > 0 {
				return nil, &Problem{Kind: WrongState, Message: "kept.used", Pairs: []any{"Order", orders[0]}}
			}
		}
		if in.Note != nil {
			c.Note = *in.Note
		}
		if in.TakeKey {
			if len(c.Sealed) == 0 && !c.Taken.IsZero() {
				return nil, &Problem{Kind: WrongState, Message: "kept.key-taken", Pairs: []any{"At", c.Taken.UTC().Format(time.RFC3339)}}
			}
			if len(c.Sealed) == 0 {
				return nil, &Problem{Kind: WrongState, Message: "certificate.no-key"}
			}
			if err := s.reveal(csrRow(c.ID), c.Sealed, &taken); err != nil {
				return nil, err
			}
			action, c.Taken = "csr.key", s.now()
			if !s.KeepKeys {
				c.Sealed = nil
			}
		}
		if in.Delete {
			action, c.Deleted, c.Sealed = "csr.delete", s.now(), nil
		}
		if err := tx.UpdateCSR(c); err != nil {
			return nil, err
		}
		c.Version++
		v := viewOfCSR(c)
		v.CSR, v.Key = csr.Encode(c.DER), taken
		return v, s.audit(tx, p, nil, action, "csr:"+c.ID, map[string]any{"account": c.Account})
	})
}
