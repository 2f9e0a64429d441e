package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"assay/evidence"
	"assay/internal/store"
	"assay/lookup"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// fileOf adds what is known of an order's organization and people: claims,
// calls, letters and approvals that are still fresh, of the dossiers it names and
// of the order itself. An order with approved dossiers so needs no person.
//
// What goes into a review is kept with it: people appear by their ids, not by
// their names.
func (s *Service) fileOf(ctx context.Context, o *store.Order, prof *profile.Profile, r *lookup.Records) error {
	if o.Product != order.OV && o.Product != order.EV {
		return nil
	}
	organization, contact, err := s.named(ctx, o)
	if err != nil {
		return err
	}
	f := &filed{Service: s, o: o, r: r, now: s.now()}
	if f.ordered, err = s.requesters(ctx, o); err != nil {
		return err
	}
	f.window = identityWindow(prof, f.now, o.Order.Plan)
	if contact != nil {
		status := s.personStatus(contact, o.Product)
		if status == "ok" && f.approvedByOwn(contact) {
			status = "audit"
		}
		r.People = append(r.People, evidence.Person{ID: contact.ID, Role: "administrator", Status: status})
	}
	stands := s.counts(organization, o.Product) && !f.approvedByOwn(organization)
	if stands {
		if stands, err = s.sameAs(o.Order, organization); err != nil {
			return err
		}
	}
	if stands {
		f.organization = organization
	}
	if s.counts(contact, o.Product) && !f.approvedByOwn(contact) {
		f.contact = contact
	}
	for _, read := range []func(context.Context) error{f.claims, f.calls, f.letters} {
		if err := read(ctx); err != nil {
			return problemOf(err)
		}
	}
	f.askers()
	f.steps()
	return nil
}

// askers are whoever ordered, held against the list of those whom the organization
// lets ask, where it keeps one (BR 3.2.5).
func (f *filed) askers() {
	if len(f.allowed) == 0 {
		return
	}
	slices.Sort(f.allowed)
	sum := sha256.Sum256([]byte(strings.Join(f.allowed, "\n")))
	version := hex.EncodeToString(sum[:4])
	for _, by := range f.ordered {
		listed := slices.ContainsFunc(f.allowed, func(a string) bool { return review.SamePerson(a, by) })
		f.r.People = append(f.r.People, evidence.Person{ID: by, Role: "requester", Status: "ok", Listed: listed, ListVersion: version})
	}
}

// steps says who gathered what counts, and who checked it without having gathered
// any of it (EVG 3.2.2.13): where all who approved had, the second of them, which
// the rules then find.
func (f *filed) steps() {
	slices.Sort(f.gathered)
	for _, by := range slices.Compact(f.gathered) {
		f.r.Reviews = append(f.r.Reviews, evidence.ReviewStep{Step: "validated", By: by})
	}
	d := f.organization
	if d == nil {
		return
	}
	checked := d.SecondBy
	for _, by := range []string{d.SecondBy, d.FirstBy} {
		if by != "" && !slices.ContainsFunc(f.gathered, func(g string) bool { return review.SamePerson(g, by) }) {
			checked = by
			break
		}
	}
	if checked != "" {
		f.r.Reviews = append(f.r.Reviews, evidence.ReviewStep{Step: "approved", By: checked, At: d.Decided})
	}
}

// requester reports whether somebody ordered: what such a one found does not count
// for the order, whoever's dossier it is in.
func (f *filed) requester(by string) bool {
	return by != "" && slices.ContainsFunc(f.ordered, func(o string) bool { return review.SamePerson(o, by) })
}

// approvedByOwn reports whether a dossier was approved by somebody who ordered.
func (f *filed) approvedByOwn(d *store.Dossier) bool {
	return f.requester(d.FirstBy) || f.requester(d.SecondBy)
}

// personStatus is a contact's state in the words of the rules.
func (s *Service) personStatus(d *store.Dossier, p order.Product) string {
	switch state := s.dossierState(d); {
	case !d.Erased.IsZero() || state == string(store.DossierDraft):
		return "none"
	case state == string(store.DossierSubmitted), state == string(store.DossierOK) && !s.counts(d, p):
		return "audit"
	default:
		return state
	}
}

// namedIDs are the dossiers that an order names; the cloud's API writes 0 for none.
func namedIDs(o *order.Order) (organization, contact string) {
	if o.Organization != nil {
		organization = strings.TrimSpace(o.Organization.ProfileID)
	}
	if o.Contacts != nil {
		contact = strings.TrimSpace(o.Contacts.AdministratorID)
	}
	if organization == "0" {
		organization = ""
	}
	if contact == "0" {
		contact = ""
	}
	return organization, contact
}

// named are the dossiers that an order names and that are its account's: nil for
// one that is not. A contact brings its organization along, and is none where
// the order names another one.
func (s *Service) named(ctx context.Context, o *store.Order) (organization, contact *store.Dossier, err error) {
	read := func(id string, kind store.DossierKind) (*store.Dossier, error) {
		if id == "" || len(id) > 64 {
			return nil, nil
		}
		d, err := s.Store.Dossier(ctx, o.Tenant, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && (d.Account != o.Account || d.Kind != kind) {
			return nil, nil
		}
		return d, problemOf(err)
	}
	organizationID, contactID := namedIDs(o.Order)
	if contact, err = read(contactID, store.DossierContact); err != nil {
		return nil, nil, err
	}
	if organizationID == "" && contact != nil {
		organizationID = contact.Parent
	}
	if organization, err = read(organizationID, store.DossierOrganization); err != nil {
		return nil, nil, err
	}
	if contact != nil && (organization == nil || contact.Parent != organization.ID) {
		contact = nil
	}
	return organization, contact, nil
}

// filed reads what is filed for one order.
type filed struct {
	*Service
	o   *store.Order
	r   *lookup.Records
	now time.Time
	// window is how long what was found counts.
	window time.Duration
	// organization and contact are the dossiers that stand for the order; nil: none.
	organization, contact *store.Dossier
	// ordered are the accounts of whoever ordered, gathered those of reviewers who
	// found what counts.
	ordered, gathered []string
	// allowed are the accounts that may ask, where the organization names any.
	allowed []string
}

// recent reports whether something of a time counts.
func (f *filed) recent(at time.Time) bool { return !at.After(f.now) && f.now.Before(at.Add(f.window)) }

// most bounds what is read of one kind for a review.
const most = 500

// about are the dossiers whose claims count for the order, by id.
func (f *filed) about(ctx context.Context) (map[string]*store.Dossier, error) {
	about := map[string]*store.Dossier{}
	for _, d := range []*store.Dossier{f.organization, f.contact} {
		if d != nil {
			about[d.ID] = d
		}
	}
	var domains []string
	for _, n := range f.orderNames(f.o.Order) {
		if !slices.Contains(domains, n.Domain) {
			domains = append(domains, n.Domain)
		}
	}
	// Who owns a domain counts whether its dossier was approved or not: it can
	// only speak against the order.
	owned, err := f.Store.DomainDossiers(ctx, f.o.Tenant, f.o.Account, domains)
	for i := range owned {
		about[owned[i].ID] = &owned[i]
	}
	return about, err
}

func (f *filed) claims(ctx context.Context) error {
	about, err := f.about(ctx)
	if err != nil {
		return err
	}
	filed, err := f.Store.Claims(ctx, store.FileFilter{Dossiers: slices.Sorted(maps.Keys(about)), Limit: most})
	if err != nil {
		return err
	}
	for i := range filed {
		c := &filed[i]
		d := about[c.Dossier]
		// What was found after the last approval two reviewers did not see.
		late := f.o.Product == order.EV && d.Kind != store.DossierDomain && c.Created.After(d.Decided) && c.Item != "requester"
		if !fresh(c, f.now, f.window) || !ofThis(d, c.Created) || late {
			continue
		}
		if err := f.count(c, func(claimBody) bool { return true }); err != nil {
			return err
		}
	}
	own, err := f.Store.Claims(ctx, store.FileFilter{Order: f.o.ID, Limit: most})
	if err != nil {
		return err
	}
	own = slices.DeleteFunc(own, func(c store.Claim) bool { return !fresh(&c, f.now, f.window) })
	bodies := make([]claimBody, len(own))
	for i := range own {
		if err := f.reveal("claim:"+own[i].ID, own[i].Body, &bodies[i]); err != nil {
			return err
		}
	}
	for i := range own {
		// For EV what is found for one order alone counts once two reviewers found
		// the same (EVG 3.2.2.13); who owns a domain speaks against it at once.
		err := f.count(&own[i], func(b claimBody) bool {
			if f.o.Product != order.EV || own[i].Item == "registrant" {
				return true
			}
			for j := range own {
				if own[j].Item == own[i].Item && bodies[j].Value == b.Value && !review.SamePerson(own[j].By, own[i].By) {
					return true
				}
			}
			return false
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// count adds a claim to what the rules judge, where its content lets it.
func (f *filed) count(c *store.Claim, counts func(claimBody) bool) error {
	if c.Item != "registrant" && f.requester(c.By) {
		if c.Item == "requester" {
			f.allowed = append(f.allowed, "") // there is a list, which this does not put anybody on
		}
		return nil
	}
	var b claimBody
	if err := f.reveal("claim:"+c.ID, c.Body, &b); err != nil || !counts(b) {
		return err
	}
	if c.Item == "requester" {
		f.allowed = append(f.allowed, b.Value)
		return nil
	}
	f.gathered = append(f.gathered, c.By)
	if c.Item != "authority" {
		f.r.Claims = append(f.r.Claims, evidence.Claim{Item: c.Item, Value: b.Value, Source: b.Source, Class: c.Class, Snapshot: c.Snapshot, ObtainedAt: c.Obtained})
		return nil
	}
	if f.contact != nil && c.Dossier == f.contact.ID && c.Class != "applicant" && c.Class != "registry" {
		f.r.People = append(f.r.People, evidence.Person{ID: f.contact.ID, Role: b.Value, Status: "ok", Authority: true})
	}
	return nil
}

func (f *filed) calls(ctx context.Context) error {
	seen := map[string]bool{}
	for _, filter := range []store.FileFilter{{Order: f.o.ID, Limit: most}, {Dossiers: f.own(), Limit: most}} {
		list, err := f.Store.Calls(ctx, filter)
		if err != nil {
			return err
		}
		for i := range list {
			c := &list[i]
			other := filter.Order == "" && !ofThis(f.organization, c.Created)
			// Only what speaks for the order is no requester's to say.
			if seen[c.ID] || other || !f.recent(c.At) || len(c.Body) == 0 || c.Result == "confirmed" && f.requester(c.By) {
				continue
			}
			f.gathered = append(f.gathered, c.By)
			seen[c.ID] = true
			var b callBody
			if err := f.reveal("call:"+c.ID, c.Body, &b); err != nil {
				return err
			}
			f.r.Calls = append(f.r.Calls, evidence.Call{Number: b.Number, At: c.At, Result: c.Result})
		}
	}
	return nil
}

// own is the organization that stands for the order, as a filter takes it.
func (f *filed) own() []string {
	if f.organization == nil {
		return nil
	}
	return []string{f.organization.ID}
}

// letters are those of the order, oldest first; where it has none, the newest
// that was accepted for its organization.
func (f *filed) letters(ctx context.Context) error {
	list, err := f.Store.Letters(ctx, store.FileFilter{Order: f.o.ID, Limit: most})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		all, err := f.Store.Letters(ctx, store.FileFilter{Dossiers: f.own(), Limit: most})
		if err != nil {
			return err
		}
		for i := range all {
			if l := &all[i]; l.State == "accepted" && f.recent(l.Decided) && ofThis(f.organization, l.Created) {
				list = append(list, *l)
				break
			}
		}
	}
	for _, l := range slices.Backward(list) {
		if !l.Erased.IsZero() {
			continue
		}
		e := evidence.Letter{Type: l.Type, Bytes: l.Bytes, State: l.State, Reason: l.Reason}
		if l.State == "accepted" && (!f.recent(l.Decided) || f.requester(l.DecidedBy)) {
			e.State = "pending" // too old to count: a new one is needed; or for another to decide
		}
		if e.State == "accepted" {
			f.gathered = append(f.gathered, l.DecidedBy)
		}
		f.r.Letters = append(f.r.Letters, e)
	}
	return nil
}

// adopt makes an order that is submitted ready for its dossiers: those it names
// must be its account's, and what is said about the organization is said by the
// dossier. It reports whether a letter is filed already.
func (s *Service) adopt(ctx context.Context, o *store.Order, prof *profile.Profile) (letter bool, err error) {
	if o.Product != order.OV && o.Product != order.EV {
		return false, nil
	}
	organization, contact, err := s.named(ctx, o)
	if err != nil {
		return false, err
	}
	organizationID, contactID := namedIDs(o.Order)
	for _, n := range []struct {
		field, id string
		found     *store.Dossier
	}{{"organization.profile_id", organizationID, organization}, {"contacts.administrator_id", contactID, contact}} {
		if n.id != "" && (n.found == nil || n.found.State == store.DossierDraft || !n.found.Erased.IsZero()) {
			return false, &Problem{Kind: Invalid, Message: "dossier.unknown", Pairs: []any{"Field", n.field, "ID", shownValue(n.id)}}
		}
	}
	if organization != nil {
		var b dossierBody
		if err := s.reveal("dossier:"+organization.ID, organization.Body, &b); err != nil {
			return false, err
		}
		if b.Organization != nil {
			if field := differing(b.Organization, o.Order.Organization); field != "" {
				return false, &Problem{Kind: Invalid, Message: "dossier.differs", Pairs: []any{"Field", field, "ID", organization.ID}}
			}
			whole := *b.Organization
			whole.ProfileID = organization.ID
			o.Order.Organization = &whole
		}
	}
	r := &lookup.Records{}
	if err := s.fileOf(ctx, o, prof, r); err != nil {
		return false, err
	}
	return len(r.Letters) > 0 && r.Letters[len(r.Letters)-1].State != "rejected", nil
}

// differing names the first field in which an order says of its organization
// something else than the dossier it names; "" where it says the same, or nothing.
// What reviewers approved is all that the dossier says, and claims are about some
// of it only: an order adds nothing to it and changes nothing of it.
func differing(dossier, given *order.Organization) string {
	if given == nil {
		return ""
	}
	for _, f := range []struct{ name, approved, given string }{
		{"name", dossier.Name, given.Name},
		{"department", dossier.Department, given.Department},
		{"country", dossier.Country, given.Country},
		{"province", dossier.Province, given.Province},
		{"city", dossier.City, given.City},
		{"address", dossier.Address, given.Address},
		{"postal_code", dossier.PostalCode, given.PostalCode},
		{"phone.country", dossier.Phone.Country, given.Phone.Country},
		{"phone.area", dossier.Phone.Area, given.Phone.Area},
		{"phone.number", dossier.Phone.Number, given.Phone.Number},
		{"website", dossier.Website, given.Website},
		{"registration_number", dossier.RegistrationNumber, given.RegistrationNumber},
		{"registration_scheme", dossier.RegistrationScheme, given.RegistrationScheme},
		{"business_category", dossier.BusinessCategory, given.BusinessCategory},
		{"jurisdiction_country", dossier.JurisdictionCountry, given.JurisdictionCountry},
		{"jurisdiction_state", dossier.JurisdictionState, given.JurisdictionState},
		{"jurisdiction_city", dossier.JurisdictionCity, given.JurisdictionCity},
	} {
		if said := strings.TrimSpace(f.given); said != "" && !strings.EqualFold(said, strings.TrimSpace(f.approved)) {
			return "organization." + f.name
		}
	}
	return ""
}

// sameAs reports whether an order says nothing of its organization that its
// dossier does not say now: one that was refused may have been changed since the
// order took it over.
func (s *Service) sameAs(o *order.Order, d *store.Dossier) (bool, error) {
	var b dossierBody
	if err := s.reveal("dossier:"+d.ID, d.Body, &b); err != nil {
		return false, err
	}
	return b.Organization != nil && differing(b.Organization, o.Organization) == "", nil
}
