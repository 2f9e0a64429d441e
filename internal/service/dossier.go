package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/store"
	"assay/name"
	"assay/order"
	"assay/review"

	"assay"
)

// MaxOrganizations is how many organizations an account may have, in any state.
const MaxOrganizations = 10

// maxDossiers bounds the contacts and the domains of an account.
const maxDossiers = 500

// DossierRequest asks for a dossier: an organization, an administrator of one
// that the account has, or a domain of an administrator.
type DossierRequest struct {
	// Kind is "organization", "contact" or "domain".
	Kind string `json:"kind"`
	// Account is whose it is; left out: the own one. Others only for administrators.
	Account string `json:"account,omitempty"`
	// Parent is the organization of a contact, or the contact of a domain.
	Parent string `json:"parent,omitempty"`
	// Organization, Contact and Domain: the one of the kind.
	Organization *order.Organization `json:"organization,omitempty"`
	Contact      *order.Contact      `json:"contact,omitempty"`
	Domain       string              `json:"domain,omitempty"`
}

// A DossierView is a dossier as its account and the reviewers see it.
type DossierView struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	Kind    string `json:"kind"`
	Parent  string `json:"parent,omitempty"`
	// State is "draft", "submitted", "ok", "invalid" or "expired".
	State string `json:"state"`
	// Reason is why it is invalid: "mismatch", "not-found", "not-authorized",
	// "withdrawn", "other". Note is the reviewer's.
	Reason       string              `json:"reason,omitempty"`
	Note         string              `json:"note,omitempty"`
	Organization *order.Organization `json:"organization,omitempty"`
	Contact      *order.Contact      `json:"contact,omitempty"`
	Domain       string              `json:"domain,omitempty"`
	// Products are what orders may be for that name it: ev needs two reviewers.
	Products []order.Product `json:"products"`
	// Claims are what was verified; in lists they are left out.
	Claims      []ClaimView `json:"claims,omitempty"`
	CreatedAt   time.Time   `json:"created_at"`
	SubmittedAt *time.Time  `json:"submitted_at,omitempty"`
	DecidedAt   *time.Time  `json:"decided_at,omitempty"`
	ExpiresAt   *time.Time  `json:"expires_at,omitempty"`
	ErasedAt    *time.Time  `json:"erased_at,omitempty"`
	// Version is the entity tag.
	Version int64 `json:"version"`
}

// WithoutSecret is the dossier as it may be kept with the answer of a request:
// what is personal is kept sealed, in one place, and can be erased there.
func (v DossierView) WithoutSecret() any {
	v.Organization, v.Contact, v.Note, v.Claims = nil, nil, "", nil
	return v
}

// DossierQuery narrows a list of dossiers.
type DossierQuery struct {
	Kind, Account, State, Parent string
	Cursor                       string
	Limit                        int // 1 to 200; 0: 50
}

// dossierBody is what is sealed of a dossier.
type dossierBody struct {
	Organization *order.Organization `json:"organization,omitempty"`
	Contact      *order.Contact      `json:"contact,omitempty"`
	Note         string              `json:"note,omitempty"`
}

// conceal encrypts a value as JSON for a row.
func (s *Service) conceal(row string, v any) ([]byte, error) {
	if s.Secrets == nil {
		return nil, &Problem{Kind: Unavailable, Message: "dossier.no-keys"}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return s.Secrets.Seal(row, raw)
}

// reveal decrypts one into into; nothing where it was erased.
func (s *Service) reveal(row string, sealed []byte, into any) error {
	if len(sealed) == 0 {
		return nil
	}
	if s.Secrets == nil {
		return &Problem{Kind: Unavailable, Message: "dossier.no-keys"}
	}
	raw, err := s.Secrets.Open(row, sealed)
	if err != nil {
		return &Problem{Kind: Unavailable, Message: "dossier.no-keys", Err: err}
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("what is sealed for %s: %w", row, err)
	}
	return nil
}

// seesDossier is [Principal.sees] for a dossier.
func (p Principal) seesDossier(d *store.Dossier) bool {
	return d.Tenant == p.Tenant && (p.Role != RoleApplicant || d.Account == p.Account)
}

func (s *Service) dossierView(d *store.Dossier) (*DossierView, error) {
	var b dossierBody
	if err := s.reveal("dossier:"+d.ID, d.Body, &b); err != nil {
		return nil, err
	}
	v := &DossierView{
		ID: d.ID, Account: d.Account, Kind: string(d.Kind), Parent: d.Parent, State: s.dossierState(d), Reason: d.Reason, Note: b.Note,
		Organization: b.Organization, Contact: b.Contact, Domain: d.Domain, Products: []order.Product{}, CreatedAt: d.Created,
		SubmittedAt: optional(d.Submitted), DecidedAt: optional(d.Decided), ExpiresAt: optional(d.Expires), ErasedAt: optional(d.Erased), Version: d.Version,
	}
	for _, p := range []order.Product{order.OV, order.EV} {
		if s.counts(d, p) {
			v.Products = append(v.Products, p)
		}
	}
	return v, nil
}

// dossierState is the state as it is shown: one that was approved expires.
func (s *Service) dossierState(d *store.Dossier) string {
	if d.State == store.DossierOK && !s.now().Before(d.Expires) {
		return "expired"
	}
	return string(d.State)
}

// counts reports whether a dossier stands for an order of a product: approved,
// not expired, and for EV by two (EVG 3.2.2.13).
func (s *Service) counts(d *store.Dossier, p order.Product) bool {
	return d != nil && d.Erased.IsZero() && s.dossierState(d) == string(store.DossierOK) && d.FirstBy != "" && (p != order.EV || d.SecondBy != "")
}

// NewDossier keeps a draft.
func (s *Service) NewDossier(ctx context.Context, p Principal, r DossierRequest) (*DossierView, error) {
	if err := allow(p, MayWriteFiles); err != nil {
		return nil, err
	}
	if r.Account == "" {
		r.Account = p.Account
	}
	if r.Account != p.Account && p.Role != RoleAdministrator {
		return nil, &Problem{Kind: Forbidden, Message: "service.other-account", Pairs: []any{"Account", r.Account}}
	}
	tail, err := s.random(8)
	if err != nil {
		return nil, err
	}
	now := s.now()
	d := &store.Dossier{
		ID: map[string]string{"organization": "org", "contact": "con", "domain": "dom"}[r.Kind] + "-" + tail, Tenant: p.Tenant, Account: r.Account,
		Kind: store.DossierKind(r.Kind), State: store.DossierDraft, Created: now, Version: 1,
	}
	if err := s.fillDossier(ctx, d, &r); err != nil {
		return nil, err
	}
	most := maxDossiers
	if d.Kind == store.DossierOrganization {
		most = MaxOrganizations
	}
	return unit(ctx, s, func(tx store.Tx) (*DossierView, error) {
		if err := s.ensureAccount(tx, d.Tenant, d.Account, false); err != nil {
			return nil, err
		}
		n, err := tx.CountDossiers(d.Tenant, d.Account, d.Kind, most)
		if err != nil {
			return nil, err
		}
		if n >= most {
			return nil, &Problem{Kind: WrongState, Message: "dossier.too-many", Pairs: []any{"Most", most, "Kind", message.ID("dossier.kind." + string(r.Kind))}}
		}
		alsoBy(d, p)
		if err := tx.InsertDossier(d); err != nil {
			return nil, err
		}
		if err := s.auditDossier(tx, p, d, "new", nil); err != nil {
			return nil, err
		}
		return s.dossierView(d)
	})
}

// auditDossier writes down what was done to a dossier: nothing of what is in it.
func (s *Service) auditDossier(tx store.Tx, p Principal, d *store.Dossier, action string, data map[string]any) error {
	all := map[string]any{"account": d.Account, "state": string(d.State)}
	for k, v := range data {
		all[k] = v
	}
	return s.audit(tx, p, nil, string(d.Kind)+"."+action, "dossier:"+d.ID, all)
}

// fillDossier takes over what a request says.
func (s *Service) fillDossier(ctx context.Context, d *store.Dossier, r *DossierRequest) error {
	wrong := func(field, allowed string) error {
		return &Problem{Kind: Invalid, Message: "dossier.field", Pairs: []any{"Field", field, "Allowed", allowed}}
	}
	given := map[string]bool{"organization": r.Organization != nil, "contact": r.Contact != nil, "domain": r.Domain != ""}
	if _, ok := given[r.Kind]; !ok {
		return &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", "kind", "Value", shownValue(r.Kind), "Allowed", "organization, contact, domain"}}
	}
	for field, there := range given {
		if there != (field == r.Kind) {
			return wrong(field, r.Kind)
		}
	}
	if r.Organization != nil && r.Organization.ProfileID != "" {
		return wrong("organization.profile_id", "-")
	}
	parentKind := map[string]store.DossierKind{"contact": store.DossierOrganization, "domain": store.DossierContact}[r.Kind]
	if (r.Parent != "") != (parentKind != "") {
		return wrong("parent", string(parentKind))
	}
	if parentKind != "" {
		parent, err := s.Store.Dossier(ctx, d.Tenant, r.Parent)
		if err == nil && (parent.Account != d.Account || parent.Kind != parentKind || !parent.Erased.IsZero()) {
			err = store.ErrNotFound
		}
		if errors.Is(err, store.ErrNotFound) {
			return &Problem{Kind: Invalid, Message: "dossier.unknown", Pairs: []any{"Field", "parent", "ID", shownValue(r.Parent)}}
		}
		if err != nil {
			return problemOf(err)
		}
	}
	d.Parent = r.Parent
	if r.Kind == "domain" {
		n := name.Parse(r.Domain)
		if len(n.Problems) > 0 || n.IP.IsValid() || n.Wildcard || len(n.Labels) < 2 {
			return wrong("domain", "orchard.net")
		}
		d.Domain = n.Clean
	}
	raw, err := json.Marshal(dossierBody{Organization: r.Organization, Contact: r.Contact})
	if err != nil || len(raw) > 16<<10 {
		return &Problem{Kind: Invalid, Message: "service.too-long", Pairs: []any{"Field", r.Kind}, Err: err}
	}
	d.Body, err = s.conceal("dossier:"+d.ID, dossierBody{Organization: r.Organization, Contact: r.Contact})
	return err
}

// findDossier reads a dossier that the principal may see.
func (s *Service) findDossier(ctx context.Context, p Principal, id string, do Permission) (*store.Dossier, error) {
	if err := allow(p, do); err != nil {
		return nil, err
	}
	if len(id) > 64 {
		return nil, problemOf(store.ErrNotFound)
	}
	d, err := s.Store.Dossier(ctx, p.Tenant, id)
	if err == nil && !p.seesDossier(d) {
		err = store.ErrNotFound
	}
	return d, problemOf(err)
}

// Dossier reads one dossier with its claims.
func (s *Service) Dossier(ctx context.Context, p Principal, id string) (*DossierView, error) {
	d, err := s.findDossier(ctx, p, id, MayReadFiles)
	if err != nil {
		return nil, err
	}
	v, err := s.dossierView(d)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Claims(ctx, store.FileFilter{Dossiers: []string{id}, Limit: 200})
	if err != nil {
		return nil, problemOf(err)
	}
	v.Claims, err = s.claimViews(list)
	return v, err
}

// Dossiers lists dossiers of a kind, newest first: an applicant's own, everybody
// else's of the tenant. next is the cursor of the following page, "" at the end.
func (s *Service) Dossiers(ctx context.Context, p Principal, q DossierQuery) (items []DossierView, next string, err error) {
	if err := allow(p, MayReadFiles); err != nil {
		return nil, "", err
	}
	f := store.DossierFilter{
		Tenant: p.Tenant, Account: q.Account, Kind: store.DossierKind(q.Kind), State: store.DossierState(q.State), Parent: q.Parent, Limit: pageSize(q.Limit),
	}
	if p.Role == RoleApplicant {
		if q.Account != "" && q.Account != p.Account {
			return []DossierView{}, "", nil
		}
		f.Account = p.Account
	}
	if f.Before, err = readCursor(q.Cursor); err != nil {
		return nil, "", err
	}
	rows, err := s.Store.Dossiers(ctx, f)
	if err != nil {
		return nil, "", problemOf(err)
	}
	items = make([]DossierView, len(rows))
	for i := range rows {
		v, err := s.dossierView(&rows[i])
		if err != nil {
			return nil, "", err
		}
		items[i] = *v
	}
	if len(rows) == f.Limit {
		last := &rows[len(rows)-1]
		next = writeCursor(store.OrderKeyset{Created: last.Created, ID: last.ID})
	}
	return items, next, nil
}

// changeDossier changes a dossier in one unit: version, change, audit.
func (s *Service) changeDossier(
	ctx context.Context, p Principal, id string, version int64, do Permission, action string, change func(tx store.Tx, d *store.Dossier) (map[string]any, error),
) (*DossierView, error) {
	if _, err := s.findDossier(ctx, p, id, do); err != nil {
		return nil, err
	}
	v, err := unit(ctx, s, func(tx store.Tx) (*DossierView, error) {
		if err := s.still(ctx, tx, p); err != nil {
			return nil, err
		}
		d, err := tx.DossierNow(p.Tenant, id)
		if err == nil && !p.seesDossier(d) {
			err = store.ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		if version != 0 && version != d.Version {
			return nil, &Problem{Kind: Conflict, Message: "service.version", Pairs: []any{"Version", d.Version}}
		}
		data, err := change(tx, d)
		if err != nil {
			return nil, err
		}
		if err := tx.UpdateDossier(d); err != nil {
			return nil, err
		}
		d.Version++
		if err := s.auditDossier(tx, p, d, action, data); err != nil {
			return nil, err
		}
		return s.dossierView(d)
	})
	if err == nil {
		s.wake()
	}
	return v, err
}

// still makes sure, inside a unit, that the token of who acts was not revoked
// since the request came in.
func (s *Service) still(ctx context.Context, tx store.Tx, p Principal) error {
	t, err := tx.Token(p.Token)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the service itself, and tests: no token was presented
	}
	if err != nil {
		return err
	}
	ended := &Problem{Kind: Unauthenticated, Message: "service.token.invalid"}
	if !t.Revoked.IsZero() || !t.Expires.IsZero() && !s.now().Before(t.Expires) || Role(t.Role) != p.Role {
		return ended
	}
	a, err := tx.Account(p.Tenant, p.Account)
	if err == nil && !a.Deactivated.IsZero() {
		return ended
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func wrongDossierState(d *store.Dossier, shown, action string) error {
	return &Problem{Kind: WrongState, Message: "dossier.wrong-state", Pairs: []any{"Action", message.ID("action." + action), "Kind", message.ID("dossier.kind." + string(d.Kind)), "State", message.ID("dossier.is." + shown)}}
}

// ChangeDossier replaces what a draft, or one that was refused, says.
func (s *Service) ChangeDossier(ctx context.Context, p Principal, id string, version int64, r DossierRequest) (*DossierView, error) {
	was, err := s.findDossier(ctx, p, id, MayWriteFiles)
	if err != nil {
		return nil, err
	}
	r.Kind, r.Account = string(was.Kind), was.Account
	fresh := *was
	if err := s.fillDossier(ctx, &fresh, &r); err != nil {
		return nil, err
	}
	return s.changeDossier(ctx, p, id, version, MayWriteFiles, "change", func(_ store.Tx, d *store.Dossier) (map[string]any, error) {
		alsoBy(d, p)
		if d.State != store.DossierDraft && d.State != store.DossierInvalid {
			return nil, wrongDossierState(d, s.dossierState(d), "change")
		}
		d.State, d.Reason, d.Parent, d.Domain, d.Body = store.DossierDraft, "", fresh.Parent, fresh.Domain, fresh.Body
		return nil, nil
	})
}

// SubmitDossier hands a draft to the reviewers, who get it as it is then: it
// cannot be changed while they look, nor once they approved it. What the rules
// refuse is refused here.
func (s *Service) SubmitDossier(ctx context.Context, p Principal, id string, version int64) (*DossierView, error) {
	was, err := s.findDossier(ctx, p, id, MayWriteFiles)
	if err != nil {
		return nil, err
	}
	if err := s.checkForm(ctx, was); err != nil {
		return nil, err
	}
	return s.changeDossier(ctx, p, id, version, MayWriteFiles, "submit", func(_ store.Tx, d *store.Dossier) (map[string]any, error) {
		if d.Version != was.Version {
			return nil, store.ErrConflict // what was checked is not what would be submitted
		}
		if d.State != store.DossierDraft {
			return nil, wrongDossierState(d, s.dossierState(d), "submit")
		}
		d.State, d.Submitted = store.DossierSubmitted, s.now()
		alsoBy(d, p)
		return nil, nil
	})
}

// formCauses are the rules about what a form says.
var formCauses = []cause.ID{
	cause.OrganizationFieldEmpty, cause.OrganizationFieldInvalid, cause.OrganizationPhoneEmpty, cause.OrganizationPhoneInvalid,
	cause.RequestContactEmailInvalid,
}

// checkForm has the rules of orders judge what an organization or a contact says.
func (s *Service) checkForm(ctx context.Context, d *store.Dossier) error {
	var b dossierBody
	if err := s.reveal("dossier:"+d.ID, d.Body, &b); err != nil {
		return err
	}
	prof, err := s.profileOf("")
	if err != nil {
		return err
	}
	o := &order.Order{Product: order.OV, Names: []string{}, Organization: b.Organization}
	about := "organization"
	if d.Kind == store.DossierContact {
		about, o.Contacts = "contacts.administrator", &order.Contacts{Administrator: b.Contact}
	} else if d.Kind == store.DossierDomain {
		return nil
	}
	r := assay.Reviewer{Profile: prof, Data: s.Data, Records: s.Lists, Lang: "-", Mode: review.Precheck, Now: s.now}
	report, err := r.Review(ctx, o)
	if err != nil {
		return err
	}
	report.Findings = slices.DeleteFunc(report.Findings, func(f review.Finding) bool {
		return f.Level != cause.Refuse || !strings.HasPrefix(f.Subject, about) || !slices.Contains(formCauses, f.Cause)
	})
	if len(report.Findings) > 0 {
		report.Verdict = review.VerdictRefuse
		return &Problem{Kind: Refused, Message: "dossier.refused", Report: report}
	}
	return nil
}

// DeleteDossier removes one that nobody approved and that nothing depends on.
// One that was approved is evidence of decisions: it can be erased.
func (s *Service) DeleteDossier(ctx context.Context, p Principal, id string, version int64) error {
	if _, err := s.findDossier(ctx, p, id, MayWriteFiles); err != nil {
		return err
	}
	_, err := unit(ctx, s, func(tx store.Tx) (struct{}, error) {
		none := struct{}{}
		d, err := tx.DossierNow(p.Tenant, id)
		if err != nil {
			return none, err
		}
		if version != 0 && version != d.Version {
			return none, &Problem{Kind: Conflict, Message: "service.version", Pairs: []any{"Version", d.Version}}
		}
		if d.FirstBy != "" || !d.Erased.IsZero() {
			return none, wrongDossierState(d, s.dossierState(d), "delete")
		}
		if err := tx.DeleteDossier(id); errors.Is(err, store.ErrConflict) {
			return none, &Problem{Kind: WrongState, Message: "dossier.in-use", Pairs: []any{"ID", id}, Err: err}
		} else if err != nil {
			return none, err
		}
		return none, s.auditDossier(tx, p, d, "delete", nil)
	})
	return err
}

// EraseDossier removes what is personal of a dossier, its claims, calls and
// letters, beyond recovery. It counts for no order any more. The audit chain,
// which holds none of it, stays.
func (s *Service) EraseDossier(ctx context.Context, p Principal, id string) (*DossierView, error) {
	if _, err := s.findDossier(ctx, p, id, MayErase); err != nil {
		return nil, err
	}
	v, err := unit(ctx, s, func(tx store.Tx) (*DossierView, error) {
		d, err := tx.DossierNow(p.Tenant, id)
		if err != nil {
			return nil, err
		}
		if err := tx.EraseDossier(id, s.now()); err != nil {
			return nil, err
		}
		d.Body, d.Erased, d.Version = nil, s.now(), d.Version+1
		if err := s.auditDossier(tx, p, d, "erase", nil); err != nil {
			return nil, err
		}
		return s.dossierView(d)
	})
	if err == nil {
		s.scrub(context.WithoutCancel(ctx))
	}
	return v, err
}
