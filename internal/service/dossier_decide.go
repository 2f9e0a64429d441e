package service

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"assay/internal/store"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// Items are what a claim can be about.
func Items() []string {
	return []string{"name", "number", "address", "phone", "operational-existence", "requester", "authority", "registrant"}
}

// Classes are the kinds of source that a claim can come from.
func Classes() []string {
	return []string{"QGIS", "QTIS", "QIIS", "RDS", "letter", "visit", "phone-company", "registry", "applicant"}
}

// DossierReasons are why a dossier is refused.
func DossierReasons() []string {
	return []string{"mismatch", "not-found", "not-authorized", "withdrawn", "other"}
}

// ClaimRequest is one fact that a reviewer found, and where.
type ClaimRequest struct {
	// Item is "name", "number", "address", "phone", "operational-existence",
	// "requester" (an account that may ask: with one or more, no other may),
	// "authority" (of a contact: value "signer" or "approver") or "registrant"
	// (of a domain).
	Item  string `json:"item"`
	Value string `json:"value"`
	// Source names the register, directory or letter; Class is its kind: "QGIS",
	// "QTIS", "QIIS", "RDS", "letter", "visit", "phone-company", "registry",
	// "applicant".
	Source string `json:"source"`
	Class  string `json:"class"`
	// Snapshot is the SHA-256 of what was seen, in hexadecimal.
	Snapshot string `json:"snapshot,omitempty"`
	// ObtainedAt is when it was found; left out: now.
	ObtainedAt *time.Time `json:"obtained_at,omitempty"`
}

// A ClaimView is one verified fact.
type ClaimView struct {
	ID       string `json:"id"`
	Item     string `json:"item"`
	Value    string `json:"value"`
	Source   string `json:"source"`
	Class    string `json:"class"`
	Snapshot string `json:"snapshot,omitempty"`
	// By is the reviewer's account.
	By         string    `json:"by"`
	ObtainedAt time.Time `json:"obtained_at"`
	// ExpiresAt is when the default profile lets it count no more.
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	WithdrawnAt *time.Time `json:"withdrawn_at,omitempty"`
}

// DecisionRequest is what a reviewer decides.
type DecisionRequest struct {
	// Accept approves; else it is refused.
	Accept bool `json:"accept"`
	// Reason is a word for why it is refused, Note what the applicant is told.
	Reason string `json:"reason,omitempty"`
	Note   string `json:"note,omitempty"`
}

// claimBody is what is sealed of a claim.
type claimBody struct {
	Value  string `json:"value"`
	Source string `json:"source"`
}

// checkText refuses a text that is empty, too long, or has characters that do
// not show.
func checkText(field, text string, least int) error {
	const most = 500
	if n := utf8.RuneCountInString(text); n < least || n > most {
		return &Problem{Kind: Invalid, Message: "dossier.text", Pairs: []any{"Field", field, "Least", least, "Most", most}}
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}) {
		return &Problem{Kind: Invalid, Message: "service.note-form", Pairs: []any{"Field", field, "Value", shownValue(text)}}
	}
	return nil
}

func checkWord(field, word string, allowed []string) error {
	if slices.Contains(allowed, word) {
		return nil
	}
	return &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", field, "Value", shownValue(word), "Allowed", strings.Join(allowed, ", ")}}
}

// madeBy are the accounts of whoever made, changed or submitted a dossier, and its own.
func madeBy(d *store.Dossier) []string {
	list := []string{d.Account}
	for by := range strings.SplitSeq(d.SubmittedBy, ",") {
		if by != "" {
			list = append(list, by)
		}
	}
	return list
}

// alsoBy adds who did something to a dossier to those who made it.
func alsoBy(d *store.Dossier, p Principal) {
	if !slices.ContainsFunc(madeBy(d), func(by string) bool { return by == p.Account }) {
		d.SubmittedBy = strings.TrimPrefix(d.SubmittedBy+","+p.Account, ",")
	}
}

// notOwn refuses a reviewer who decides on the own account, or on what he
// submitted (EVG 5.2.4).
func notOwn(p Principal, accounts ...string) error {
	if slices.ContainsFunc(accounts, func(a string) bool { return review.SamePerson(a, p.Account) }) {
		return &Problem{Kind: WrongState, Message: "dossier.own", Pairs: []any{"Account", p.Account}}
	}
	return nil
}

// identityWindow is how long a profile lets what was verified about an
// organization count (BR 4.2.1).
func identityWindow(p *profile.Profile, at time.Time, plan string) time.Duration {
	days, _, _ := p.On(profile.IdentityReuseDays, at, plan)
	return time.Duration(days) * 24 * time.Hour
}

var digestForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

// newClaim makes the row of a claim.
func (s *Service) newClaim(p Principal, r *ClaimRequest, kind store.DossierKind) (*store.Claim, error) {
	items := Items()
	switch kind {
	case store.DossierOrganization:
		items = []string{"name", "number", "address", "phone", "operational-existence", "requester"}
	case store.DossierContact:
		items = []string{"authority"}
	case store.DossierDomain:
		items = []string{"registrant"}
	}
	for _, err := range []error{
		checkWord("item", r.Item, items), checkWord("class", r.Class, Classes()), checkText("value", r.Value, 1), checkText("source", r.Source, 1),
	} {
		if err != nil {
			return nil, err
		}
	}
	if r.Item == "authority" {
		if err := checkWord("value", r.Value, []string{"signer", "approver"}); err != nil {
			return nil, err
		}
	}
	if r.Item == "requester" {
		if err := checkAccountID("value", r.Value); err != nil {
			return nil, err
		}
	}
	if r.Snapshot != "" && !digestForm().MatchString(r.Snapshot) {
		return nil, &Problem{Kind: Invalid, Message: "dossier.field", Pairs: []any{"Field", "snapshot", "Allowed", "SHA-256"}}
	}
	now := s.now()
	obtained := now
	if r.ObtainedAt != nil {
		obtained = r.ObtainedAt.UTC().Truncate(time.Microsecond)
	}
	if obtained.After(now) || obtained.Year() < 2000 {
		return nil, &Problem{Kind: Invalid, Message: "dossier.future", Pairs: []any{"Field", "obtained_at", "At", obtained.Format(time.RFC3339)}}
	}
	tail, err := s.random(8)
	if err != nil {
		return nil, err
	}
	c := &store.Claim{ID: "clm-" + tail, Tenant: p.Tenant, Item: r.Item, Class: r.Class, Snapshot: r.Snapshot, By: p.Account, Obtained: obtained, Created: now}
	c.Body, err = s.conceal("claim:"+c.ID, claimBody{Value: r.Value, Source: r.Source})
	return c, err
}

func (s *Service) claimViews(list []store.Claim) ([]ClaimView, error) {
	prof, err := s.profileOf("")
	if err != nil {
		return nil, err
	}
	window := identityWindow(prof, s.now(), "")
	views := make([]ClaimView, len(list))
	for i := range list {
		c := &list[i]
		var b claimBody
		if err := s.reveal("claim:"+c.ID, c.Body, &b); err != nil {
			return nil, err
		}
		views[i] = ClaimView{
			ID: c.ID, Item: c.Item, Value: b.Value, Source: b.Source, Class: c.Class, Snapshot: c.Snapshot, By: c.By,
			ObtainedAt: c.Obtained, ExpiresAt: optional(c.Obtained.Add(window)), WithdrawnAt: optional(c.Withdrawn),
		}
	}
	return views, nil
}

// mostFiled bounds the claims and the calls of one dossier or order.
const mostFiled = 200

// tooMany refuses what would be more than can be shown, and so withdrawn.
func tooMany(n int) error {
	if n < mostFiled {
		return nil
	}
	return &Problem{Kind: WrongState, Message: "dossier.too-many-filed", Pairs: []any{"Most", mostFiled}}
}

// AddClaim writes down what a reviewer found about a dossier.
func (s *Service) AddClaim(ctx context.Context, p Principal, id string, r ClaimRequest) (*DossierView, error) {
	was, err := s.findDossier(ctx, p, id, MayVerify)
	if err != nil {
		return nil, err
	}
	c, err := s.newClaim(p, &r, was.Kind)
	if err != nil {
		return nil, err
	}
	c.Dossier = id
	had, err := s.Store.Claims(ctx, store.FileFilter{Dossiers: []string{id}, Limit: mostFiled})
	if err := errors.Join(problemOf(err), tooMany(len(had))); err != nil {
		return nil, err
	}
	return s.changeDossier(ctx, p, id, 0, MayVerify, "claim", func(tx store.Tx, d *store.Dossier) (map[string]any, error) {
		if err := notOwn(p, madeBy(d)...); err != nil {
			return nil, err
		}
		if d.State == store.DossierDraft || !d.Erased.IsZero() {
			return nil, wrongDossierState(d, s.dossierState(d), "claim")
		}
		return map[string]any{"claim": c.ID, "item": c.Item, "class": c.Class, "snapshot": c.Snapshot}, tx.InsertClaim(c)
	})
}

// WithdrawClaim ends a claim of a dossier: what relied on it is judged without it
// from now on.
func (s *Service) WithdrawClaim(ctx context.Context, p Principal, id, claim string) (*DossierView, error) {
	v, err := s.changeDossier(ctx, p, id, 0, MayVerify, "withdraw", func(tx store.Tx, d *store.Dossier) (map[string]any, error) {
		if err := notOwn(p, madeBy(d)...); err != nil { // it may speak against the own account
			return nil, err
		}
		list, err := s.Store.Claims(ctx, store.FileFilter{Dossiers: []string{id}, Limit: 200})
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(c store.Claim) bool { return c.ID == claim }) {
			return nil, store.ErrNotFound
		}
		if err := tx.WithdrawClaim(p.Tenant, claim, s.now()); err != nil {
			return nil, err
		}
		return map[string]any{"claim": claim}, s.lookAgain(tx, d)
	})
	if err == nil {
		err = s.reopen(ctx, p.Tenant, v.Account, "")
	}
	return v, err
}

// DecideDossier approves or refuses a dossier. The first approval lets it stand
// for OV orders; that of a second reviewer, for EV orders. An organization needs
// claims about its name, address and phone first, a contact an approved
// organization, a domain a validation by its account. Where something was found
// since the last approval, one who approved before approves anew, as the first.
//
// An approval is of what the reviewer read: the version is needed, and where it is
// not the newest the dossier is not approved ([Conflict]). To refuse, 0 is enough.
func (s *Service) DecideDossier(ctx context.Context, p Principal, id string, version int64, r DecisionRequest) (*DossierView, error) {
	was, err := s.findDossier(ctx, p, id, MayVerify)
	if err != nil {
		return nil, err
	}
	if r.Note != "" || !r.Accept {
		if err := checkText("note", r.Note, 1); err != nil {
			return nil, err
		}
	}
	if !r.Accept {
		if err := checkWord("reason", r.Reason, DossierReasons()); err != nil {
			return nil, err
		}
		return s.refuseDossier(ctx, p, id, version, r)
	}
	switch version {
	case 0:
		return nil, &Problem{Kind: Invalid, Message: "dossier.which-version"}
	case was.Version:
	default:
		return nil, &Problem{Kind: Conflict, Message: "service.version", Pairs: []any{"Version", was.Version}}
	}
	prof, err := s.profileOf("")
	if err != nil {
		return nil, err
	}
	claims, err := s.Store.Claims(ctx, store.FileFilter{Dossiers: []string{id}, Limit: mostFiled})
	if err != nil {
		return nil, problemOf(err)
	}
	if missing, err := s.missing(ctx, was, claims, prof); err != nil {
		return nil, err
	} else if len(missing) > 0 {
		return nil, &Problem{Kind: WrongState, Message: "dossier.missing", Pairs: []any{"Missing", strings.Join(missing, ", ")}}
	}
	// Whoever found something since the last approval approves it as the first:
	// the second looks at what others found (EVG 3.2.2.13).
	found, own := foundSince(claims, was.Decided, p.Account)
	return s.changeDossier(ctx, p, id, version, MayVerify, "approve", func(tx store.Tx, d *store.Dossier) (map[string]any, error) {
		if err := notOwn(p, madeBy(d)...); err != nil {
			return nil, err
		}
		now, shown := s.now(), s.dossierState(d)
		switch {
		case !d.Erased.IsZero() || shown != string(store.DossierSubmitted) && shown != string(store.DossierOK) && shown != "expired":
			return nil, wrongDossierState(d, shown, "approve")
		case shown != string(store.DossierOK), own, found && approvedBy(d, p.Account):
			d.State, d.Reason, d.FirstBy, d.SecondBy = store.DossierOK, "", p.Account, ""
			d.Decided, d.Expires = now, now.Add(identityWindow(prof, now, ""))
		case approvedBy(d, p.Account):
			return nil, &Problem{Kind: WrongState, Message: "dossier.same-reviewer", Pairs: []any{"Account", p.Account}}
		default:
			d.SecondBy, d.Decided = p.Account, now
		}
		return map[string]any{"second": d.SecondBy != ""}, s.lookAgain(tx, d)
	})
}

// foundSince reports whether claims were added after a time, and whether somebody
// added one of them.
func foundSince(claims []store.Claim, at time.Time, by string) (found, own bool) {
	for i := range claims {
		if c := &claims[i]; c.Created.After(at) && c.Withdrawn.IsZero() {
			found, own = true, own || review.SamePerson(c.By, by)
		}
	}
	return found, own
}

// approvedBy reports whether somebody's approval counts already.
func approvedBy(d *store.Dossier, account string) bool {
	return review.SamePerson(d.FirstBy, account) || d.SecondBy != "" && review.SamePerson(d.SecondBy, account)
}

func (s *Service) refuseDossier(ctx context.Context, p Principal, id string, version int64, r DecisionRequest) (*DossierView, error) {
	v, err := s.changeDossier(ctx, p, id, version, MayVerify, "refuse", func(tx store.Tx, d *store.Dossier) (map[string]any, error) {
		if err := notOwn(p, madeBy(d)...); err != nil {
			return nil, err
		}
		if d.State != store.DossierSubmitted && d.State != store.DossierOK || !d.Erased.IsZero() {
			return nil, wrongDossierState(d, s.dossierState(d), "refuse")
		}
		var b dossierBody
		if err := s.reveal("dossier:"+id, d.Body, &b); err != nil {
			return nil, err
		}
		b.Note = r.Note
		var err error
		if d.Body, err = s.conceal("dossier:"+id, b); err != nil {
			return nil, err
		}
		d.State, d.Reason, d.FirstBy, d.SecondBy, d.Decided = store.DossierInvalid, r.Reason, "", "", s.now()
		return map[string]any{"reason": r.Reason}, s.lookAgain(tx, d)
	})
	if err == nil {
		err = s.reopen(ctx, p.Tenant, v.Account, "")
	}
	return v, err
}

// missing is what a dossier lacks to be approved.
func (s *Service) missing(ctx context.Context, d *store.Dossier, list []store.Claim, prof *profile.Profile) (missing []string, err error) {
	now := s.now()
	window := identityWindow(prof, now, "")
	switch d.Kind {
	case store.DossierOrganization:
		for _, item := range []string{"name", "address", "phone"} {
			classes := prof.Organization.SourceClasses
			if item == "phone" {
				classes = append(slices.Clone(classes), "phone-company")
			}
			if !slices.ContainsFunc(list, func(c store.Claim) bool {
				return c.Item == item && slices.Contains(classes, c.Class) && fresh(&c, now, window) && ofThis(d, c.Created)
			}) {
				missing = append(missing, item)
			}
		}
	case store.DossierContact, store.DossierDomain:
		parent, err := s.Store.Dossier(ctx, d.Tenant, d.Parent)
		if err != nil {
			return nil, problemOf(err)
		}
		if !s.counts(parent, order.OV) {
			missing = append(missing, string(parent.Kind)+" "+parent.ID)
		}
		if d.Kind == store.DossierDomain {
			found, err := s.Store.Validations(ctx, d.Tenant, d.Account, []string{s.reusableKey(prof.Name)}, []string{d.Domain})
			if err != nil {
				return nil, problemOf(err)
			}
			within := reuseWindow(prof, now, "")
			if !slices.ContainsFunc(found, func(v store.Validation) bool { return !v.At.After(now) && now.Before(v.At.Add(within)) }) {
				missing = append(missing, "validation of "+d.Domain)
			}
		}
	default:
		return nil, fmt.Errorf("a dossier of kind %q", d.Kind)
	}
	return missing, nil
}

// fresh reports whether a claim counts at a time: not withdrawn, not erased, not
// older than the window, and not from the future (a clock was wrong).
func fresh(c *store.Claim, now time.Time, window time.Duration) bool {
	return c.Withdrawn.IsZero() && len(c.Body) > 0 && !c.Obtained.After(now) && now.Before(c.Obtained.Add(window))
}

// ofThis reports whether something of a time is about what a dossier says now: it
// cannot be changed from when it is submitted until it is refused, and what was
// found about what it said before is about somebody else.
func ofThis(d *store.Dossier, at time.Time) bool { return !at.Before(d.Submitted) }

// lookAgain has the orders looked at that may wait for what was decided on a
// dossier: the newest open ones of its account.
func (s *Service) lookAgain(tx store.Tx, d *store.Dossier) error {
	ids, err := tx.OrdersWaiting(d.Tenant, d.Account, 200)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := tx.SetDue(store.Due{Order: id, Kind: store.DueCheck, At: s.now()}); err != nil {
			return err
		}
	}
	return nil
}
