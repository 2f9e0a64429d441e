package store

import (
	"context"
	"time"
)

// DossierKind is what a dossier is about.
type DossierKind string

// The kinds. A contact (an administrator) belongs to an organization, a domain
// to a contact.
const (
	DossierOrganization DossierKind = "organization"
	DossierContact      DossierKind = "contact"
	DossierDomain       DossierKind = "domain"
)

// DossierState is where a dossier stands. That one has expired is no state: its
// Expires says so.
type DossierState string

// The states.
const (
	DossierDraft     DossierState = "draft"     // its account still writes it
	DossierSubmitted DossierState = "submitted" // a reviewer looks at it
	DossierOK        DossierState = "ok"
	DossierInvalid   DossierState = "invalid" // see Reason
)

// A Dossier is an organization, a person or a domain of an account, kept for
// the orders that name it.
type Dossier struct {
	ID, Tenant, Account string
	Kind                DossierKind
	Parent              string
	State               DossierState
	Reason              string
	// Domain is the name of a domain.
	Domain string
	// Body is sealed; empty once erased.
	Body []byte
	// SubmittedBy, FirstBy and SecondBy are accounts: those who made, changed or
	// submitted it, with commas where it was not its account alone, and the
	// reviewers who approved it.
	SubmittedBy, FirstBy, SecondBy               string
	Created, Submitted, Decided, Expires, Erased time.Time
	Version                                      int64
}

// DossierFilter says which dossiers to list. Tenant and Kind are always given.
type DossierFilter struct {
	Tenant, Account string
	Kind            DossierKind
	State           DossierState
	Parent          string
	Before          OrderKeyset
	Limit           int // 1 to 200
}

// FileFilter says which claims, calls or letters to list: those of dossiers or
// those of an order, one of the two.
type FileFilter struct {
	Dossiers []string
	Order    string
	Before   OrderKeyset
	Limit    int
}

// A Claim is one fact that a reviewer found. Dossier or Order says about what.
type Claim struct {
	ID, Tenant, Dossier, Order string
	Item, Class                string
	Body                       []byte // sealed
	Snapshot                   string
	By                         string // account
	Obtained, Created          time.Time
	Withdrawn                  time.Time
}

// A Call is one attempt to reach an organization.
type Call struct {
	ID, Tenant, Dossier, Order string
	Result                     string
	Body                       []byte // sealed
	By                         string
	At, Created                time.Time
}

// A Letter is a confirmation letter that was uploaded for an order, without its
// content.
type Letter struct {
	ID, Tenant, Dossier, Order string
	// State is "pending", "accepted" or "rejected".
	State string
	Type  string
	Bytes int
	// SHA256 is of the content, in hexadecimal.
	SHA256                   string
	Reason                   string
	Note                     []byte // sealed
	By, DecidedBy            string
	Created, Decided, Erased time.Time
}

// FilesReader reads dossiers and what belongs to them. Lists are newest first.
type FilesReader interface {
	Dossier(ctx context.Context, tenant, id string) (*Dossier, error)
	Dossiers(ctx context.Context, f DossierFilter) ([]Dossier, error)
	// DomainDossiers are those of an account for these domains.
	DomainDossiers(ctx context.Context, tenant, account string, domains []string) ([]Dossier, error)
	Claims(ctx context.Context, f FileFilter) ([]Claim, error)
	Calls(ctx context.Context, f FileFilter) ([]Call, error)
	Letters(ctx context.Context, f FileFilter) ([]Letter, error)
	Letter(ctx context.Context, tenant, id string) (*Letter, error)
	// LetterParts is the sealed content of a letter, in order; none once erased.
	LetterParts(ctx context.Context, id string) ([][]byte, error)
}

// FilesTx writes them.
type FilesTx interface {
	// DossierNow reads a dossier as of now, for a change of it.
	DossierNow(tenant, id string) (*Dossier, error)
	// CountDossiers counts the dossiers of a kind that an account has, up to most.
	// Until the unit ends no other unit gets an answer for the same account and
	// kind.
	CountDossiers(tenant, account string, kind DossierKind, most int) (int, error)
	// OrdersWaiting are the newest orders of an account that are pending.
	OrdersWaiting(tenant, account string, limit int) ([]string, error)
	// InsertDossier writes a new one. ErrConflict: the id exists.
	InsertDossier(d *Dossier) error
	// UpdateDossier writes one that is still at version d.Version and makes that
	// d.Version+1 in the store. ErrConflict otherwise.
	UpdateDossier(d *Dossier) error
	// DeleteDossier removes one with its claims. ErrConflict: another dossier, a
	// call or a letter belongs to it.
	DeleteDossier(id string) error
	InsertClaim(c *Claim) error
	// WithdrawClaim ends a claim. ErrNotFound: there is none that counts.
	WithdrawClaim(tenant, id string, at time.Time) error
	InsertCall(c *Call) error
	InsertLetter(l *Letter, parts [][]byte) error
	// DecideLetter writes what was decided on a letter that is pending.
	// ErrConflict: it is not.
	DecideLetter(l *Letter) error
	// EraseDossier removes what is sealed: of the dossier, its claims, calls and
	// letters.
	EraseDossier(id string, at time.Time) error
}
