// Package issuer turns orders that passed their review into certificates.
//
// An [Issuer] is one CA: our own (package private), or another one that is
// reached by ACME (package upstream). The service drives both in the same steps,
// and stores what each step says before it takes the next, so that a process can
// die between any two of them:
//
//	Open      at an upstream CA: the order and the values it wants to see
//	          (the review then looks for those); our own CA needs nothing
//	Prepare   what will be issued: at our own CA the serial number and the
//	          bytes to be signed, linted; nothing is signed yet
//	Complete  the certificate
//	Resume    what is to become of a prepared attempt whose process died
//	Revoke    the issuer is told; our own CA needs nothing
//
// The issuer judges no order: that it passed, and passes still, is the
// service's gate. It judges what is to be signed: package lint.
package issuer

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"assay/cause"
	"assay/order"
	"assay/profile"
)

// An Issuer is one CA. It is safe for concurrent use, and the processes of a
// service have one each.
type Issuer interface {
	// ID names it in attempts and certificates: a word that is its own in this
	// service and never changes.
	ID() string
	// Upstream says that the values to publish are its own: see Open.
	Upstream() bool
	// Open begins, at an upstream CA, the order that a request will be completed
	// by. Asked again with the state of an earlier answer it returns that order as
	// it is now. Of our own CA the answer is empty.
	Open(ctx context.Context, r *Request) (*Opened, error)
	// Prepare makes what is to be issued, and nothing that has an effect.
	Prepare(ctx context.Context, r *Request) (*Prepared, error)
	// Complete issues what was prepared, and stored. A Prepared is completed at
	// most once: a second time is [ErrUsed].
	Complete(ctx context.Context, p *Prepared) (*Issued, error)
	// Resume is asked for an attempt that is stored as prepared and whose process
	// may have died. It returns what can be completed without a second certificate
	// coming of it, or [ErrAbandon].
	Resume(ctx context.Context, r *Request, a *Attempt) (*Prepared, error)
	// Revoke tells the issuer that a certificate is revoked. It may be told twice.
	Revoke(ctx context.Context, r *Revocation) error
}

// An Adviser is an issuer that says when it wants its certificates to be renewed
// (RFC 9773).
type Adviser interface {
	// RenewalInfo asks it about one of its certificates. [ErrNoAdvice] is for an
	// issuer that says nothing about it; one's own schedule holds then, as it does
	// while the answer is an [Unavailable].
	RenewalInfo(ctx context.Context, certificate *x509.Certificate) (*Advice, error)
}

// A Follower is an upstream issuer that says how far its order is, and gives it up. Of
// both the request's State says which.
type Follower interface {
	// Sent reports whether a certificate may come of the order, or has: the CSR was sent.
	// A [Refusal] is for an order that none can come of any more.
	Sent(ctx context.Context, r *Request) (bool, error)
	// GiveUp has the CA forget the values of the order that it still waits for, so that
	// it gives others where it is asked again. It may be given up twice.
	GiveUp(ctx context.Context, r *Request) error
}

// Advice is when an issuer wants a certificate to be renewed.
type Advice struct {
	// Start and End bound the time; Start is before End. Both may lie in the past:
	// then it is to be renewed now.
	Start, End time.Time
	// Explanation is an https address where the issuer says why, for the operator;
	// "" where there is none.
	Explanation string
	// Retry is when to ask again, from a minute to a day ahead.
	Retry time.Time
}

// A Request is what a certificate is asked for: the order as the gate passed it.
type Request struct {
	// Order is the order's number, Attempt counts its attempts from 1.
	Order   string
	Attempt int
	Profile *profile.Profile
	// Plan as in [order.Order].
	Plan    string
	Product order.Product
	// Names are the identifiers as they are to stand in the certificate: DNS names
	// as A-labels in lower case, wildcards with "*.", IP addresses in canonical
	// text. None twice, at least one.
	Names []string
	// CommonName is one of Names, or "" for none.
	CommonName string
	// Subject is the verified organization of OV and EV, else nil.
	Subject *order.Organization
	// CSR is the certificate request, DER. Of it our own CA takes the public key
	// and nothing else.
	CSR []byte
	// NotAfter is the last second asked for; zero: as long as the profile's plan
	// allows. It is cut to what the dated table and the issuer's own life allow.
	NotAfter time.Time
	// ClientAuth is set where client authentication is wanted too.
	ClientAuth bool
	// Method is how the names were validated, for an upstream CA.
	Method order.Method
	// Replaces is the certificate that this one renews or replaces; nil for none.
	// An upstream CA is told of it (RFC 9773 5).
	Replaces *x509.Certificate
	// State is what [Issuer.Open] said of this order; nil where it was not asked.
	State json.RawMessage
	// Now is the time of signing.
	Now time.Time
}

// Opened is the order at an upstream CA.
//
// To that CA all orders of a service come from one account. It may answer two of
// them for the same names with one order of its own, or with the same values, and
// asks nothing for a name that this account was validated for lately. Neither says
// anything about who ordered: the service completes one of its orders by an order of
// that CA and shows a value to one, for ever, and looks for a value of its own for
// every name without a challenge.
type Opened struct {
	// Reference names the order at that CA.
	Reference string
	// State is what the issuer needs to find it again, at most 16 KiB.
	State json.RawMessage
	// Challenges are the values that the upstream CA wants to see: of origin
	// "upstream", one for each name and method that is offered.
	Challenges []order.Challenge
	// Deadline is when the upstream's own order or its authorizations end; zero:
	// it said nothing.
	Deadline time.Time
}

// Prepared is what an attempt stores before anything is issued.
type Prepared struct {
	// Serial is the serial number in hexadecimal, lower case; "" where an upstream
	// CA chooses it.
	Serial string
	// TBS are the bytes to be signed (RFC 5280 4.1.1.1); nil at an upstream CA.
	TBS []byte
	// State is what Complete and Resume need beside that.
	State json.RawMessage
	// Shard is the part of the CRL that will hold the serial, from 0; fixed for
	// ever in the certificate's distribution point.
	Shard int
	// Lints says what was linted: "zlint 3.7.1, 182 lints".
	Lints string
	// Warnings are what the lints found that does not stop it.
	Warnings []Problem
	// Ticket is the issuer's own: what proves that these bytes were linted.
	Ticket any
}

// An Attempt is what is stored of an earlier one.
type Attempt struct {
	Serial string
	TBS    []byte
	State  json.RawMessage
	Shard  int
}

// Issued is a certificate.
type Issued struct {
	Certificate *x509.Certificate
	// Chain are the certificates above it, without itself and without the root,
	// its issuer first.
	Chain []*x509.Certificate
	// Root is the trust anchor, where it is known.
	Root *x509.Certificate
}

// Reason is why a certificate is revoked (RFC 5280 5.3.1; BR 7.2.2.1 allows
// these for subscriber certificates).
type Reason int

// The reasons that may be given.
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	CACompromise         Reason = 2 // of the certificate of a CA, see [CAReasons]
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	PrivilegeWithdrawn   Reason = 9
)

// CAReasons are those for which the certificate of a CA is revoked, with their words.
// There is none without a reason (BR 7.2.2).
func CAReasons() map[Reason]string {
	return map[Reason]string{
		CACompromise: "ca-compromise", AffiliationChanged: "affiliation-changed", Superseded: "superseded", CessationOfOperation: "cessation-of-operation",
	}
}

// Reasons lists those of other certificates with their words.
func Reasons() map[Reason]string {
	return map[Reason]string{
		Unspecified: "unspecified", KeyCompromise: "key-compromise", AffiliationChanged: "affiliation-changed", Superseded: "superseded",
		CessationOfOperation: "cessation-of-operation", PrivilegeWithdrawn: "privilege-withdrawn",
	}
}

// A Revocation is a certificate that is revoked.
type Revocation struct {
	Certificate *x509.Certificate
	Reason      Reason
	At          time.Time
}

// A Problem is a cause that keeps a certificate from being issued, without a
// level: that is the profile's to say.
type Problem struct {
	Cause cause.ID
	// Condition is the catalogue's, or "".
	Condition  string
	Subject    string
	Parameters map[string]any
}

// A Refusal is the error for what cannot be issued as it is.
type Refusal struct {
	Problems []Problem
	// Over: the issuer knows the order no more, or calls it failed. Nothing comes of it
	// any more; what else is refused may be given later.
	Over bool
	// Err is what lies behind it, for the operator; nil: the problems say all.
	Err error
}

// Over reports whether an error is a refusal for good.
func Over(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && r.Over
}

// ErrElsewhere: an order was begun at another CA, the configuration has changed since.
var ErrElsewhere = errors.New("the order was begun at another CA")

func (r *Refusal) Error() string {
	words := make([]string, len(r.Problems))
	for i := range r.Problems {
		words[i] = string(r.Problems[i].Cause)
	}
	text := "refused: " + strings.Join(words, ", ")
	if r.Err != nil {
		text += ": " + r.Err.Error()
	}
	return text
}

func (r *Refusal) Unwrap() error { return r.Err }

// Unavailable is the error for an issuer that cannot issue now: nothing is
// wrong with the order, and it is tried again. It becomes issuance.ca-unavailable.
type Unavailable struct {
	// Problem is a word of that cause: "busy", "network", "key-offline", "pause",
	// "error".
	Problem string
	// Retry is the earliest time that a further attempt makes sense; zero: the
	// service's own back-off.
	Retry time.Time
	Err   error
}

func (u *Unavailable) Error() string {
	return fmt.Sprintf("the issuer is not available (%s): %v", u.Problem, u.Err)
}
func (u *Unavailable) Unwrap() error { return u.Err }

// ErrNoAdvice is returned by an [Adviser] that says nothing about a certificate.
var ErrNoAdvice = errors.New("the issuer does not say when the certificate is to be renewed")

// Errors of attempts.
var (
	// ErrUsed: what was prepared was completed before.
	ErrUsed = errors.New("this was signed before, or lies unsigned with another process")
	// ErrAbandon: nobody knows whether it was signed; its serial has to be revoked
	// and a new one taken.
	ErrAbandon = errors.New("whether this was signed cannot be known: its serial is to be revoked")
)
