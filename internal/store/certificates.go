package store

import (
	"context"
	"time"

	"assay/order"
)

// The kinds and states of a CA.
const (
	// AuthorityRoot is one above issuing CAs: an intermediate too, which has a Parent.
	AuthorityRoot    = "root"
	AuthorityIssuing = "issuing"
	AuthorityActive  = "active"
	AuthorityRetired = "retired"
	// AuthorityRevoked: its certificate is in the list of the CA above it. It issues
	// nothing; its lists and OCSP go on.
	AuthorityRevoked = "revoked"
	// KeySealed and KeyAway are where the key of a CA is: in its row, or taken
	// elsewhere. Any other word says where a program finds it.
	KeySealed = "sealed"
	KeyAway   = "away"
)

// An Authority is a CA of our own.
type Authority struct {
	ID string
	// Parent is whose signature it bears, "" where that is its own or not here.
	Parent, Kind, State string
	Subject             string
	// URL is where its lists and OCSP are, from when it has one for as long as it lives:
	// certificates name it.
	URL      string
	DER      []byte
	KeyPlace string
	Sealed   []byte
	// Blocks counts the blocks of places in CRL shards that were given out.
	Blocks            int64
	NotAfter, Created time.Time
	Version           int64
}

// An Attempt is one time that an order was to get its certificate.
type Attempt struct {
	Order  string
	Seq    int
	Issuer string
	State  order.AttemptState
	// Serial is in hexadecimal, lower case, "" where an upstream CA chooses it.
	Serial string
	TBS    []byte
	Data   []byte
	Shard  int64
	// Review is the id of the review that it rests on.
	Review         string
	Lints, Detail  string
	Created, Ended time.Time
}

// An UpstreamOrder is the order at an upstream CA that one of ours is completed by.
type UpstreamOrder struct {
	Order, Issuer string
	// Reference names it at that CA. No two of ours have one; "": none.
	Reference       string
	Tenant, Account string
	Data            []byte
	// WaitsFor is the order that has what this one was offered by that CA, "": none;
	// Passed is when this one passed its review while it waited.
	WaitsFor                  string
	Passed, Deadline, Changed time.Time
}

// The sources of certificates.
const (
	SourceIssued   = "issued"
	SourceUploaded = "uploaded"
)

// A CertificateRow is what lists show of a certificate.
type CertificateRow struct {
	// ID is the number of its order where it was issued here.
	ID, Tenant, Account string
	Source              string
	Issuer, Serial      string
	Shard               int64
	State               order.CertificateState
	Reason              int
	Product             order.Product
	Profile             string
	// Name is the first of Names names.
	Name                  string
	Names                 int
	Fingerprint, Keyprint string
	NotBefore, NotAfter   time.Time
	Alias                 string
	// Tags are key=value, sorted, a line each.
	Tags             string
	AutoRenew, Muted bool
	Renews           string // the order that is to replace it
	ReplacedBy       string
	Asked, Revoked   time.Time
	Created, Deleted time.Time
	LookedAt         time.Time
	Version          int64
}

// A Certificate is one with its bytes.
type Certificate struct {
	CertificateRow
	// DER is the certificate, Chain what stands above it, one after the other: of an
	// uploaded one with its root at the end, where that is known.
	DER, Chain []byte
	// Sealed is its key where it is kept here.
	Sealed []byte
	// Findings are of the last look at where it is used, JSON.
	Findings []byte
}

// CertificateFilter says which certificates to list. Tenant is always given; the
// other fields narrow where they are set.
type CertificateFilter struct {
	Tenant, Account string
	State           order.CertificateState
	Source          string
	Name, Domain    string
	// EndsBefore lists those that end first, first; Before is then their last row's
	// end and id.
	EndsBefore time.Time
	EndsAfter  time.Time
	// NotRevoked leaves out what is revoked.
	NotRevoked bool
	Before     OrderKeyset
	Limit      int // 1 to 200
}

// CertificateDue is work for a certificate at a time.
type CertificateDue struct {
	Certificate string
	Kind        string
	At          time.Time
	Attempt     int
}

// The kinds of work that are due for a certificate.
const (
	DueEnd    = "end"    // something of its end: a notice, or the end itself
	DueRenew  = "renew"  // it is to be renewed
	DueWatch  = "watch"  // look where it is used
	DueRevoke = "revoke" // its revocation was not confirmed in time
)

// A Revocation is a serial number that is not to be trusted.
type Revocation struct {
	Issuer, Serial string
	Shard          int64
	Reason         int
	NotAfter, At   time.Time
}

// A CRL is one shard of a CA's list.
type CRL struct {
	Issuer string
	Shard  int64
	// Number grows with every list (RFC 5280 5.2.3); 0: none was signed yet.
	Number int64
	// Changes counts what came into the shard, Published how much of that the list has.
	Changes, Published          int64
	ThisUpdate, NextUpdate, Due time.Time
	DER                         []byte
}

// SerialStatus is what is known of a serial number.
type SerialStatus struct {
	// Known says that it was given out; Revoked with its time and reason.
	Known   bool
	Revoked time.Time
	Reason  int
}

// A CSR is a certificate request that is kept.
type CSR struct {
	ID, Tenant, Account string
	Name                string
	Names               int
	KeyType             string
	DER                 []byte
	Digest, Keyprint    string
	// Made says that the key was made here.
	Made             bool
	Note             string
	Sealed           []byte
	Taken            time.Time
	Created, Deleted time.Time
	Version          int64
}

// CSRFilter says which requests to list, newest first.
type CSRFilter struct {
	Tenant, Account string
	Before          OrderKeyset
	Limit           int
}

// CertificateReader reads certificates and what belongs to them.
type CertificateReader interface {
	Authorities(ctx context.Context) ([]Authority, error)
	// Attempts are those of an order, oldest first.
	Attempts(ctx context.Context, orderID string) ([]Attempt, error)
	UpstreamOrder(ctx context.Context, orderID string) (*UpstreamOrder, error)
	// UpstreamOrderBy is the one with a reference. ErrNotFound.
	UpstreamOrderBy(ctx context.Context, issuer, reference string) (*UpstreamOrder, error)
	// ValueOrders are the orders that some of these validation values belong to, by
	// value, however long ago they were shown them.
	ValueOrders(ctx context.Context, values []string) (map[string]string, error)
	// Certificate returns one of a tenant; tenant "" is any.
	Certificate(ctx context.Context, tenant, id string) (*Certificate, error)
	// CertificateAfter is the newest of those that took the place of one, or of each
	// other in it, and that is in force at a time. The line goes through those that are
	// deleted, revoked or over; it is followed a thousand times. ErrNotFound.
	CertificateAfter(ctx context.Context, tenant, id string, at time.Time) (*CertificateRow, error)
	Certificates(ctx context.Context, f CertificateFilter) ([]CertificateRow, error)
	// CertificatesByKey are those of any tenant with a public key, after an id.
	CertificatesByKey(ctx context.Context, keyprint, after string, limit int) ([]CertificateRow, error)
	// CertificateBy finds one of a tenant by its fingerprint, of an account where one is
	// named.
	CertificateBy(ctx context.Context, tenant, account, fingerprint string) (*CertificateRow, error)
	// ChainsOf are the chains, each certificates one after the other, of the newest
	// thousand certificates of a tenant: few, for most have the same.
	ChainsOf(ctx context.Context, tenant string) ([][]byte, error)
	CertificateDueOf(ctx context.Context, id string) ([]CertificateDue, error)
	// NextCertificateDue is when something is due next for a certificate.
	NextCertificateDue(ctx context.Context) (time.Time, error)
	// Serial says what is known of a serial number.
	Serial(ctx context.Context, issuer, serial string) (SerialStatus, error)
	// Revocations are those of a shard whose certificates end after a time, by serial.
	Revocations(ctx context.Context, issuer string, shard int64, after time.Time) ([]Revocation, error)
	// RevokedSince are those since a time, oldest first.
	RevokedSince(ctx context.Context, since time.Time, limit int) ([]Revocation, error)
	CRL(ctx context.Context, issuer string, shard int64) (*CRL, error)
	CRLs(ctx context.Context, issuer string, after int64, limit int) ([]CRL, error)
	// CRLsDue are those that are to be signed by a time, without their bytes; the
	// longest due first.
	CRLsDue(ctx context.Context, now time.Time, limit int) ([]CRL, error)
	NextCRL(ctx context.Context) (time.Time, error)
	// Blocked reports whether a key is blocked for ever, and since when.
	Blocked(ctx context.Context, keyprint string) (time.Time, error)
	CSR(ctx context.Context, tenant, id string) (*CSR, error)
	CSRs(ctx context.Context, f CSRFilter) ([]CSR, error)
	// OrdersReady are the orders, by number, that have passed and have no certificate
	// and nothing due.
	OrdersReady(ctx context.Context, after string, limit int) ([]string, error)
}

// CertificateTx writes them.
type CertificateTx interface {
	InsertAuthority(a *Authority) error
	// UpdateAuthority writes one that is still at a.Version. ErrConflict otherwise.
	UpdateAuthority(a *Authority) error
	// NextBlock gives out the next block of places in CRL shards, from 0.
	NextBlock(authority string) (int64, error)
	AttemptsNow(orderID string) ([]Attempt, error)
	// InsertAttempt writes one that was prepared. ErrConflict: the serial was given
	// out before, or another attempt of the order gave a certificate or may yet.
	InsertAttempt(a *Attempt) error
	// EndAttempt writes the state, bytes and end of one that is prepared.
	// ErrConflict: it is not.
	EndAttempt(a *Attempt) error
	// PutUpstreamOrder writes the one of an order. ErrConflict: another order has its
	// reference.
	PutUpstreamOrder(u *UpstreamOrder) error
	CertificateNow(tenant, id string) (*Certificate, error)
	// AfterNow is [CertificateReader.CertificateAfter] as of now.
	AfterNow(tenant, id string, at time.Time) (*CertificateRow, error)
	// InsertCertificate writes a new one with its names. ErrConflict: the id or the
	// serial exists.
	InsertCertificate(c *Certificate, names []OrderName) error
	// UpdateCertificate writes what can change of one that is still at c.Version
	// and makes that c.Version+1. ErrConflict otherwise; ErrStep where its state does
	// not lead to that of c.
	UpdateCertificate(c *Certificate) error
	// SetCertificateDue sets when work is due, each of a certificate and kind once, and ends
	// the leases of that.
	SetCertificateDue(list ...CertificateDue) error
	ClearCertificateDue(id string, kinds ...string) error
	TakeCertificateDue(now time.Time, owner string, until time.Time, limit int) ([]CertificateDue, error)
	FinishCertificateDue(d CertificateDue, owner string) error
	// Revoke writes a revocation, once: ErrConflict where there is one. The shard's
	// list is due with it.
	Revoke(r Revocation) error
	// DueByKey has what is to be done about every other certificate with a key that
	// is compromised due as [DueRevoke].
	DueByKey(keyprint, except string, at time.Time) error
	// EnsureCRL makes the row of a shard that has none; its first list is due.
	EnsureCRL(issuer string, shard int64, at time.Time) error
	// PutCRL writes a list that was made out of one as it was read. ErrConflict:
	// another was written since.
	PutCRL(c *CRL, before int64) error
	// BlockKey blocks a key for ever.
	BlockKey(keyprint, certificate string, at time.Time) error
	// DueIfBlocked is SetCertificateDue where a key is blocked as of now.
	DueIfBlocked(keyprint string, d CertificateDue) error
	// BlockedNow is [CertificateReader.Blocked] as of now.
	BlockedNow(keyprint string) (time.Time, error)
	// KeyElsewhere reports whether another account, of any tenant, has had a key sign: for
	// a certificate that was issued here, or a request that is kept. A certificate that was
	// uploaded is public, and shows nothing of who has its key.
	KeyElsewhere(keyprint, tenant, account string) (bool, error)
	// RestCRL has a list that could not be signed due at another time.
	RestCRL(issuer string, shard int64, at time.Time) error
	CSRNow(tenant, id string) (*CSR, error)
	InsertCSR(c *CSR) error
	UpdateCSR(c *CSR) error
}
