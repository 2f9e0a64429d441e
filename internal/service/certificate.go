package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"assay/internal/issuer"
	"assay/internal/message"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

const (
	// day is what days of notice are counted in.
	day = 24 * time.Hour
	// mostTags, mostTagBytes and mostAlias bound what is written on a certificate.
	mostTags     = 20
	mostTagBytes = 128
	mostAlias    = 128
)

// A CertificateView is a certificate as its owner sees it.
type CertificateView struct {
	// ID is the number of its order where it was issued here.
	ID      string `json:"id"`
	Tenant  string `json:"tenant"`
	Account string `json:"account"`
	// Source is "issued" or "uploaded".
	Source string `json:"source"`
	// Issuer is the CA here that issued it, or the issuer that an uploaded one names.
	Issuer string `json:"issuer,omitempty"`
	// Serial is in hexadecimal.
	Serial string                 `json:"serial"`
	State  order.CertificateState `json:"state"`
	// Reason is why it is, or is to be, revoked.
	Reason  string        `json:"reason,omitempty"`
	Product order.Product `json:"product,omitempty"`
	Profile string        `json:"profile"`
	// Name is the first of its names, Names how many there are.
	Name  string `json:"name"`
	Names int    `json:"names"`
	// Fingerprint is the SHA-256 of the certificate, Keyprint stands for its key.
	Fingerprint string            `json:"fingerprint"`
	Keyprint    string            `json:"keyprint"`
	NotBefore   time.Time         `json:"not_before"`
	NotAfter    time.Time         `json:"not_after"`
	Alias       string            `json:"alias,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	// AutoRenew has it renewed by itself; RenewAt is when.
	AutoRenew bool       `json:"auto_renew"`
	RenewAt   *time.Time `json:"renew_at,omitempty"`
	// Muted keeps its expiry from being told.
	Muted bool `json:"muted"`
	// Renewal is the order that is to replace it, ReplacedBy the certificate that did.
	Renewal    string `json:"renewal,omitempty"`
	ReplacedBy string `json:"replaced_by,omitempty"`
	// HasKey says that its key is kept here.
	HasKey bool `json:"has_key"`
	// Deployment are the findings of the last look at where it is used.
	Deployment []review.Finding `json:"deployment,omitempty"`
	LookedAt   *time.Time       `json:"looked_at,omitempty"`
	AskedAt    *time.Time       `json:"revocation_asked_at,omitempty"`
	RevokedAt  *time.Time       `json:"revoked_at,omitempty"`
	CreatedAt  time.Time        `json:"created_at"`
	// Version counts the changes; it is the entity tag.
	Version int64 `json:"version"`
}

// A CertificateQuery narrows a list of certificates.
type CertificateQuery struct {
	State   order.CertificateState
	Source  string
	Account string
	Name    string
	Domain  string
	// Days lists what ends within so many days, the next to end first, without what is revoked
	// where no state is named; 0: all.
	Days   int
	Cursor string
	Limit  int // 1 to 200; 0: 50
}

// A CertificateChange says what to change of a certificate; nil leaves it.
type CertificateChange struct {
	Alias *string `json:"alias,omitempty"`
	// Tags take the place of all that there are.
	Tags      *map[string]string `json:"tags,omitempty"`
	AutoRenew *bool              `json:"auto_renew,omitempty"`
	// Muted keeps its expiry from being told.
	Muted *bool `json:"muted,omitempty"`
}

// seesCertificate is [Principal.sees] for a certificate.
func (p Principal) seesCertificate(c *store.CertificateRow) bool {
	return c.Tenant == p.Tenant && (p.Role != RoleApplicant || c.Account == p.Account)
}

// certificateOf finds a certificate for somebody who may do something.
func (s *Service) certificateOf(ctx context.Context, p Principal, id string, do Permission) (*store.Certificate, error) {
	if err := allow(p, do); err != nil {
		return nil, err
	}
	if len(id) > maxOrderID {
		return nil, problemOf(store.ErrNotFound)
	}
	c, err := s.Store.Certificate(ctx, p.Tenant, id)
	if err == nil && (!p.seesCertificate(&c.CertificateRow) || !c.Deleted.IsZero()) {
		err = store.ErrNotFound
	}
	return c, problemOf(err)
}

// Certificate reads one certificate.
func (s *Service) Certificate(ctx context.Context, p Principal, id string) (*CertificateView, error) {
	c, err := s.certificateOf(ctx, p, id, MayReadCertificates)
	if err != nil {
		return nil, err
	}
	return s.certificateView(ctx, c)
}

// certificateView is a certificate with what is due for it.
func (s *Service) certificateView(ctx context.Context, c *store.Certificate) (*CertificateView, error) {
	v := viewOfCertificate(&c.CertificateRow)
	v.HasKey = len(c.Sealed) > 0
	if len(c.Findings) > 0 {
		if err := json.Unmarshal(c.Findings, &v.Deployment); err != nil {
			return nil, fmt.Errorf("what was found where certificate %s is used: %w", c.ID, err)
		}
	}
	due, err := s.Store.CertificateDueOf(ctx, c.ID)
	if err != nil {
		return nil, problemOf(err)
	}
	for _, d := range due {
		if d.Kind == store.DueRenew && c.AutoRenew {
			v.RenewAt = optional(s.renewsAt(c, d.At))
		}
	}
	return v, nil
}

func viewOfCertificate(c *store.CertificateRow) *CertificateView {
	v := &CertificateView{
		ID: c.ID, Tenant: c.Tenant, Account: c.Account, Source: c.Source, Issuer: c.Issuer, Serial: c.Serial, State: c.State, Product: c.Product, Profile: c.Profile,
		Name: c.Name, Names: c.Names, Fingerprint: c.Fingerprint, Keyprint: c.Keyprint, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Alias: c.Alias,
		Tags: tagsOf(c.Tags), AutoRenew: c.AutoRenew, Muted: c.Muted, Renewal: c.Renews, ReplacedBy: c.ReplacedBy, LookedAt: optional(c.LookedAt),
		AskedAt: optional(c.Asked), RevokedAt: optional(c.Revoked), CreatedAt: c.Created, Version: c.Version,
	}
	if !c.Asked.IsZero() || !c.Revoked.IsZero() {
		v.Reason = issuer.Reasons()[issuer.Reason(c.Reason)]
	}
	return v
}

// Certificates lists certificates: an applicant's own, everybody else's of the
// tenant. next is the cursor of the following page, "" at the end.
func (s *Service) Certificates(ctx context.Context, p Principal, q CertificateQuery) (items []CertificateView, next string, err error) {
	if err := allow(p, MayReadCertificates); err != nil {
		return nil, "", err
	}
	if q.State != "" && !slices.Contains(order.CertificateStates(), q.State) {
		return nil, "", oneOf("state", string(q.State), order.CertificateStates())
	}
	if q.Source != "" && q.Source != store.SourceIssued && q.Source != store.SourceUploaded {
		return nil, "", oneOf("source", q.Source, []string{store.SourceIssued, store.SourceUploaded})
	}
	if q.Days < 0 || q.Days > 4000 {
		return nil, "", &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", "days", "Value", fmt.Sprint(q.Days), "Allowed", "0 … 4000"}}
	}
	f := store.CertificateFilter{
		Tenant: p.Tenant, Account: q.Account, State: q.State, Source: q.Source, Name: nameAsKept(q.Name), Domain: nameAsKept(q.Domain), Limit: pageSize(q.Limit),
	}
	if p.Role == RoleApplicant {
		f.Account = p.Account
	}
	if q.Days > 0 {
		f.EndsAfter, f.EndsBefore = s.now(), s.now().Add(time.Duration(q.Days)*day)
		f.NotRevoked = q.State == "" // its end matters to nobody
	}
	if f.Before, err = readCursor(q.Cursor); err != nil {
		return nil, "", err
	}
	rows, err := s.Store.Certificates(ctx, f)
	if err != nil {
		return nil, "", problemOf(err)
	}
	items = make([]CertificateView, len(rows))
	for i := range rows {
		items[i] = *viewOfCertificate(&rows[i])
	}
	if n := len(rows); n == f.Limit {
		last := store.OrderKeyset{Created: rows[n-1].Created, ID: rows[n-1].ID}
		if !f.EndsBefore.IsZero() && f.Name == "" && f.Domain == "" {
			last.Created = rows[n-1].NotAfter
		}
		next = writeCursor(last)
	}
	return items, next, nil
}

// A certificateStep is one change of a certificate, within its unit. It says what
// goes into the audit entry.
type certificateStep func(tx store.Tx, c *store.Certificate) (data map[string]any, err error)

// changeCertificate changes a certificate in one unit: permission, version,
// change, audit.
func (s *Service) changeCertificate(ctx context.Context, p Principal, id string, version int64, do Permission, action string, step certificateStep) (*CertificateView, error) {
	if _, err := s.certificateOf(ctx, p, id, do); err != nil {
		return nil, err
	}
	v, err := unit(ctx, s, func(tx store.Tx) (*CertificateView, error) {
		c, err := tx.CertificateNow(p.Tenant, id)
		if err != nil {
			return nil, err
		}
		if !p.seesCertificate(&c.CertificateRow) || !c.Deleted.IsZero() {
			return nil, store.ErrNotFound
		}
		if version != 0 && version != c.Version {
			return nil, &Problem{Kind: Conflict, Message: "service.version", Pairs: []any{"Version", c.Version}}
		}
		data, err := step(tx, c)
		if err != nil {
			return nil, err
		}
		if err := s.auditCertificate(tx, p, c, action, data); err != nil {
			return nil, err
		}
		v := viewOfCertificate(&c.CertificateRow)
		v.HasKey = len(c.Sealed) > 0
		return v, nil
	})
	if err == nil {
		s.afterwards(v)
	}
	return v, err
}

// afterwards wakes who has something to do after a certificate was changed.
func (s *Service) afterwards(v *CertificateView) {
	s.wakeCertificates()
	if v.State == order.CertificateRevoked {
		s.told(v.Issuer, v.Serial)
	}
}

// told says that a serial number was revoked.
func (s *Service) told(issuer, serial string) {
	s.wakeLists()
	if s.OnRevoked != nil {
		s.OnRevoked(issuer, serial)
	}
}

// auditCertificate appends an entry about a certificate, and the notices of it.
func (s *Service) auditCertificate(tx store.Tx, p Principal, c *store.Certificate, action string, data map[string]any) error {
	all := map[string]any{"account": c.Account, "state": string(c.State), "serial": c.Serial}
	for k, v := range data {
		all[k] = v
	}
	return s.auditOf(tx, p, nil, "certificate."+action, "certificate:"+c.ID, all, c)
}

// ChangeCertificate changes what is written on a certificate.
func (s *Service) ChangeCertificate(ctx context.Context, p Principal, id string, version int64, in CertificateChange) (*CertificateView, error) {
	tags := ""
	if in.Tags != nil {
		var err error
		if tags, err = tagText(*in.Tags); err != nil {
			return nil, err
		}
	}
	if in.Alias != nil && (len(*in.Alias) > mostAlias || !plainText(*in.Alias)) {
		return nil, &Problem{Kind: Invalid, Message: "certificate.text", Pairs: []any{"Field", "alias", "Most", mostAlias}}
	}
	return s.changeCertificate(ctx, p, id, version, MayWriteCertificates, "change", func(tx store.Tx, c *store.Certificate) (map[string]any, error) {
		data := map[string]any{}
		if in.Alias != nil {
			c.Alias, data["alias"] = *in.Alias, true
		}
		if in.Tags != nil {
			c.Tags, data["tags"] = tags, len(*in.Tags)
		}
		if in.AutoRenew != nil {
			if *in.AutoRenew && c.Source == store.SourceUploaded {
				return nil, &Problem{Kind: WrongState, Message: "certificate.renew-uploaded"}
			}
			if ended := s.endedAs(c); *in.AutoRenew && ended != "" {
				return nil, &Problem{Kind: WrongState, Message: "certificate.auto-renew-ended", Pairs: []any{"State", message.ID("cert.is." + string(ended))}}
			}
			c.AutoRenew, data["auto_renew"] = *in.AutoRenew, *in.AutoRenew
			if err := s.renewWhenDue(tx, c); err != nil {
				return nil, err
			}
		}
		if in.Muted != nil {
			c.Muted, data["muted"] = *in.Muted, *in.Muted
		}
		if err := tx.UpdateCertificate(c); err != nil {
			return nil, err
		}
		return data, s.dueAgain(tx, c)
	})
}

// endedAs is the state in which nothing more comes of a certificate; "": it is in force.
func (s *Service) endedAs(c *store.Certificate) order.CertificateState {
	switch {
	case revoked(c.State):
		return c.State
	case s.now().After(c.NotAfter):
		return order.CertificateExpired // also before that was noted
	}
	return ""
}

// DeleteCertificate hides a certificate that has ended, or came from elsewhere.
func (s *Service) DeleteCertificate(ctx context.Context, p Principal, id string, version int64) (*CertificateView, error) {
	return s.changeCertificate(ctx, p, id, version, MayWriteCertificates, "delete", func(tx store.Tx, c *store.Certificate) (map[string]any, error) {
		ended := c.State == order.CertificateRevoked || c.State == order.CertificateExpired || s.now().After(c.NotAfter)
		if !ended && c.Source == store.SourceIssued {
			return nil, &Problem{Kind: WrongState, Message: "certificate.delete-valid", Pairs: []any{"ID", c.ID}}
		}
		if other, err := renewing(&c.CertificateRow, "", tx.Order); err != nil {
			return nil, err
		} else if other != "" {
			return nil, &Problem{Kind: WrongState, Message: "certificate.delete-renewing", Pairs: []any{"Order", other}}
		}
		c.Deleted, c.Sealed = s.now(), nil
		if err := tx.UpdateCertificate(c); err != nil {
			return nil, err
		}
		return nil, errors.Join(tx.ClearCertificateDue(c.ID), s.givesBack(tx, c))
	})
}

// tagText is how tags are kept.
func tagText(tags map[string]string) (string, error) {
	if len(tags) > mostTags {
		return "", &Problem{Kind: Invalid, Message: "certificate.tags", Pairs: []any{"Most", mostTags}}
	}
	lines := make([]string, 0, len(tags))
	for k, v := range tags {
		if k == "" || strings.Contains(k, "=") || len(k) > mostTagBytes || len(v) > mostTagBytes || !plainText(k) || !plainText(v) {
			return "", &Problem{Kind: Invalid, Message: "certificate.text", Pairs: []any{"Field", "tags", "Most", mostTagBytes}}
		}
		lines = append(lines, k+"="+v)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

// plainText reports whether a text is one line without control characters.
func plainText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func tagsOf(text string) map[string]string {
	if text == "" {
		return nil
	}
	tags := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		k, v, _ := strings.Cut(line, "=")
		tags[k] = v
	}
	return tags
}
