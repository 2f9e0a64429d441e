package service

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/internal/letter"
	"assay/internal/message"
	"assay/internal/secret"
	"assay/internal/store"
	"assay/order"
)

// maxLetters bounds the letters of one order.
const maxLetters = 20

// LetterReasons are why a letter is rejected.
func LetterReasons() []string { return []string{"illegible", "no-seal", "wrong-content"} }

// A LetterView is a confirmation letter without its content.
type LetterView struct {
	ID string `json:"id"`
	// State is "pending", "accepted" or "rejected".
	State string `json:"state"`
	// Type is "jpg", "png" or "pdf", as the file itself shows.
	Type   string `json:"type"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Reason is "illegible", "no-seal" or "wrong-content"; Note the reviewer's.
	Reason string `json:"reason,omitempty"`
	Note   string `json:"note,omitempty"`
	// By and DecidedBy are accounts.
	By         string     `json:"by"`
	DecidedBy  string     `json:"decided_by,omitempty"`
	UploadedAt time.Time  `json:"uploaded_at"`
	DecidedAt  *time.Time `json:"decided_at,omitempty"`
	ErasedAt   *time.Time `json:"erased_at,omitempty"`
}

// piece is how much of a letter is sealed at once.
const piece = secret.MaxPlain / 2

func partRow(id string, n int) string { return fmt.Sprintf("letter:%s:%d", id, n) }

// identityOrder refuses an order that no person verifies, or that has ended.
func (s *Service) identityOrder(o *store.Order, action string) error {
	if o.Product != order.OV && o.Product != order.EV {
		return &Problem{Kind: WrongState, Message: "letter.not-needed", Pairs: []any{"Product", string(o.Product)}}
	}
	if o.State != order.StateLetter && o.State != order.StatePending {
		return &Problem{Kind: WrongState, Message: "service.wrong-state", Pairs: []any{"Action", message.ID("action." + action), "State", message.ID("order.is." + string(o.State))}, Allowed: o.Standing().Allowed(s.now())}
	}
	return nil
}

// UploadLetter takes the signed letter of an order: a jpg, png or pdf file of a
// size that the profile allows. A further one takes the place of the one before.
func (s *Service) UploadLetter(ctx context.Context, p Principal, id string, raw []byte) (*View, error) {
	o, err := s.find(ctx, p, id, MayWriteOrders)
	if err != nil {
		return nil, err
	}
	if err := s.identityOrder(o, "letter"); err != nil {
		return nil, err
	}
	l, parts, err := s.takeLetter(ctx, p, o, raw)
	if err != nil {
		return nil, err
	}
	return s.do(ctx, p, id, 0, step{needs: MayWriteOrders, name: "letter", change: func(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
		if err := s.still(ctx, tx, p); err != nil {
			return nil, nil, err
		}
		if err := s.identityOrder(o, "letter"); err != nil {
			return nil, nil, err
		}
		if to, ok := o.State.Next(order.ActionLetter); ok {
			o.State, o.Phase = to, order.PhasePreReview
		}
		due, err := s.recheck(tx, o)
		if err != nil {
			return nil, nil, err
		}
		return due, map[string]any{"letter": l.ID, "type": l.Type, "bytes": l.Bytes, "sha256": l.SHA256}, tx.InsertLetter(l, parts)
	}})
}

// recheck writes an order whose file changed and has it looked at now.
func (s *Service) recheck(tx store.Tx, o *store.Order) ([]store.Due, error) {
	o.Paused, o.Identical = "", 0
	if err := s.update(tx, o); err != nil {
		return nil, err
	}
	if o.State != order.StatePending {
		return nil, nil
	}
	return s.checkNow(tx, o)
}

// takeLetter checks a file and seals it.
func (s *Service) takeLetter(ctx context.Context, p Principal, o *store.Order, raw []byte) (*store.Letter, [][]byte, error) {
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return nil, nil, err
	}
	least, largest := prof.Organization.LetterMinBytes, prof.Organization.LetterMaxBytes
	if largest <= 0 || largest > letter.MaxBytes {
		largest = letter.MaxBytes
	}
	if s.LetterMax > 0 {
		largest = min(largest, s.LetterMax)
	}
	if len(raw) < least || len(raw) > largest {
		return nil, nil, &Problem{Kind: Invalid, Message: "letter.size", Pairs: []any{"Bytes", len(raw), "Least", least, "Most", largest}}
	}
	kind, err := letter.Check(raw)
	if err != nil {
		return nil, nil, &Problem{Kind: Invalid, Message: "letter.fault." + letter.Fault(err), Err: err}
	}
	if s.ScanLetter != nil {
		if err := s.ScanLetter(ctx, raw); errors.Is(err, letter.ErrInfected) {
			return nil, nil, &Problem{Kind: Invalid, Message: "letter.infected"}
		} else if err != nil {
			s.Log.Error("letters cannot be scanned", "error", err.Error())
			return nil, nil, &Problem{Kind: Unavailable, Message: "letter.no-scan", Err: err}
		}
	}
	had, err := s.Store.Letters(ctx, store.FileFilter{Order: o.ID, Limit: maxLetters})
	if err != nil {
		return nil, nil, problemOf(err)
	}
	if len(had) >= maxLetters {
		return nil, nil, &Problem{Kind: WrongState, Message: "letter.too-many", Pairs: []any{"Most", maxLetters}}
	}
	organization, _, err := s.named(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	tail, err := s.random(8)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(raw)
	l := &store.Letter{
		ID: "let-" + tail, Tenant: o.Tenant, Order: o.ID, State: "pending", Type: string(kind), Bytes: len(raw), SHA256: hex.EncodeToString(sum[:]),
		By: p.Account, Created: s.now(),
	}
	if organization != nil {
		l.Dossier = organization.ID
	}
	if s.Secrets == nil {
		return nil, nil, &Problem{Kind: Unavailable, Message: "dossier.no-keys"}
	}
	var parts [][]byte
	for part := range slices.Chunk(raw, piece) {
		sealed, err := s.Secrets.Seal(partRow(l.ID, len(parts)), part)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, sealed)
	}
	return l, parts, nil
}

// DecideLetter accepts or rejects a letter that is pending.
func (s *Service) DecideLetter(ctx context.Context, p Principal, id, letterID string, r DecisionRequest) (*View, error) {
	if _, err := s.find(ctx, p, id, MayVerify); err != nil {
		return nil, err
	}
	if !r.Accept {
		if err := checkWord("reason", r.Reason, LetterReasons()); err != nil {
			return nil, err
		}
	} else {
		r.Reason = ""
	}
	if r.Note != "" {
		if err := checkText("note", r.Note, 1); err != nil {
			return nil, err
		}
	}
	l, err := s.orderLetter(ctx, p, id, letterID)
	if err != nil {
		return nil, err
	}
	l.State, l.Reason, l.DecidedBy = map[bool]string{true: "accepted", false: "rejected"}[r.Accept], r.Reason, p.Account
	if r.Note != "" {
		if l.Note, err = s.conceal("letter-note:"+l.ID, r.Note); err != nil {
			return nil, err
		}
	}
	word := map[bool]string{true: "letter-accepted", false: "letter-rejected"}[r.Accept]
	ordered, err := s.orderedBy(ctx, p, id)
	if err != nil {
		return nil, err
	}
	return s.do(ctx, p, id, 0, step{needs: MayVerify, name: word, change: func(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
		if err := s.still(ctx, tx, p); err != nil {
			return nil, nil, err
		}
		if err := errors.Join(notOwn(p, append(ordered, l.By)...), s.identityOrder(o, "letter")); err != nil {
			return nil, nil, err
		}
		decided := *l
		decided.Decided = s.now()
		due, err := s.recheck(tx, o)
		if err != nil {
			return nil, nil, err
		}
		return due, map[string]any{"letter": l.ID, "reason": r.Reason}, tx.DecideLetter(&decided)
	}})
}

// orderLetter reads a letter of an order.
func (s *Service) orderLetter(ctx context.Context, p Principal, id, letterID string) (*store.Letter, error) {
	if len(letterID) > 64 {
		return nil, problemOf(store.ErrNotFound)
	}
	l, err := s.Store.Letter(ctx, p.Tenant, letterID)
	if err == nil && l.Order != id {
		err = store.ErrNotFound
	}
	return l, problemOf(err)
}

// Letters lists the letters of an order, newest first.
func (s *Service) Letters(ctx context.Context, p Principal, id string) ([]LetterView, error) {
	if _, err := s.find(ctx, p, id, MayReadFiles); err != nil {
		return nil, err
	}
	list, err := s.Store.Letters(ctx, store.FileFilter{Order: id, Limit: maxLetters})
	if err != nil {
		return nil, problemOf(err)
	}
	views := make([]LetterView, len(list))
	for i := range list {
		l := &list[i]
		views[i] = LetterView{
			ID: l.ID, State: l.State, Type: l.Type, Bytes: l.Bytes, SHA256: l.SHA256, Reason: l.Reason, By: l.By, DecidedBy: l.DecidedBy,
			UploadedAt: l.Created, DecidedAt: optional(l.Decided), ErasedAt: optional(l.Erased),
		}
		if err := s.reveal("letter-note:"+l.ID, l.Note, &views[i].Note); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// LetterContent is the file that was uploaded. It is what was taken, or an error.
func (s *Service) LetterContent(ctx context.Context, p Principal, id, letterID string) ([]byte, letter.Type, error) {
	if _, err := s.find(ctx, p, id, MayReadFiles); err != nil {
		return nil, "", err
	}
	l, err := s.orderLetter(ctx, p, id, letterID)
	if err != nil {
		return nil, "", err
	}
	parts, err := s.Store.LetterParts(ctx, l.ID)
	if err == nil && len(parts) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, "", problemOf(err)
	}
	if s.Secrets == nil {
		return nil, "", &Problem{Kind: Unavailable, Message: "dossier.no-keys"}
	}
	var whole bytes.Buffer
	for n, sealed := range parts {
		part, err := s.Secrets.Open(partRow(l.ID, n), sealed)
		if err != nil {
			return nil, "", &Problem{Kind: Unavailable, Message: "dossier.no-keys", Err: err}
		}
		whole.Write(part)
	}
	if sum := sha256.Sum256(whole.Bytes()); hex.EncodeToString(sum[:]) != l.SHA256 {
		return nil, "", fmt.Errorf("letter %s is not what was uploaded", l.ID)
	}
	return whole.Bytes(), letter.Type(l.Type), nil
}

// LetterForm is the letter of an order to print, sign and seal, as HTML.
func (s *Service) LetterForm(ctx context.Context, p Principal, id string, words *message.Printer) ([]byte, error) {
	o, err := s.find(ctx, p, id, MayReadFiles)
	if err != nil {
		return nil, err
	}
	if o.Product != order.OV && o.Product != order.EV {
		return nil, s.identityOrder(o, "letter")
	}
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return nil, err
	}
	f := letter.Form{Order: o.ID, Profile: prof.Title, Product: map[order.Product]string{order.OV: "OV", order.EV: "EV"}[o.Product], Names: o.Order.Names, At: s.now()}
	_, contact, err := s.named(ctx, o)
	if err != nil {
		return nil, err
	}
	if org := o.Order.Organization; org != nil {
		f.Organization, f.Number = org.Name, org.RegistrationNumber
		f.Address = slices.DeleteFunc([]string{org.Address, org.PostalCode, org.City, org.Province, org.Country}, func(line string) bool { return line == "" })
		f.Phone = org.Phone.Country + " " + org.Phone.Area + " " + org.Phone.Number
	}
	who := (*order.Contact)(nil)
	if o.Order.Contacts != nil {
		who = o.Order.Contacts.Administrator
	}
	if contact != nil {
		var b dossierBody
		if err := s.reveal("dossier:"+contact.ID, contact.Body, &b); err != nil {
			return nil, err
		}
		who = b.Contact
	}
	if who != nil {
		f.Administrator, f.Title = who.FirstName+" "+who.LastName, who.Title
	}
	var b bytes.Buffer
	if err := f.Write(&b, words); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
