package service

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"assay/data"
	"assay/internal/issuer"
	"assay/internal/notify"
	"assay/internal/store"
	"assay/lookup"
	"assay/perspective"
	"assay/probe/dial"
	"assay/profile"
	"assay/review"
)

// Config is what a service depends on. Store is needed; the zero value of all
// else has a meaning.
type Config struct {
	Store store.Store
	// Now is the clock; nil: the system's. Times are kept in microseconds.
	Now func() time.Time
	// Rand makes numbers, values and tokens; nil: crypto/rand.
	Rand io.Reader
	// Owner names this process in leases; "": a random name.
	Owner string
	// Profile is what orders are reviewed by that name none; "": "cloud".
	Profile string
	// Profiles finds a profile; nil: the embedded ones.
	Profiles func(name string) (*profile.Profile, error)
	// Offered are the profiles that an applicant may name; nil: any. That of Profile
	// is among them.
	Offered []string
	// Data are the snapshots; nil: the embedded ones.
	Data *data.Set
	// Lists are the operator's lists of keys, names and parties; nil: none.
	Lists *lookup.Source
	// Drafts is how many drafts an account may have at once; 0: 500. Requests of the
	// same moment can take it further by as many as they are: it is a bound for what
	// lies about, and who writes drafts is not to wait for others.
	Drafts int
	// Places are where to look from, the primary first. Without any no check can
	// be made: orders wait, and say so.
	Places []perspective.Place
	// Issuer is the CA that orders under a profile get their certificates from; nil, or
	// nil for a profile: they stay ready, and nothing is issued.
	Issuer func(profile string) issuer.Issuer
	// NoticeDays are how many days before its end a certificate's end is told; nil: 30,
	// 14, 7, 3 and 1.
	NoticeDays []int
	// Watch looks at where a certificate is used; nil: nobody does. newer is the
	// fingerprint of the one that took its place; "": none did.
	Watch func(ctx context.Context, c *store.Certificate, newer string) ([]review.Finding, error)
	// OnRevoked and OnList are told at once of what this process revoked and signed, for
	// caches; nil: nobody is.
	OnRevoked func(issuer, serial string)
	OnList    func(issuer string, shard int64)
	// ServerKeys lets requests and their keys be made here; KeepKeys leaves such keys
	// here after they were handed out once.
	ServerKeys, KeepKeys bool
	// Log is for the operator; nil: nothing is logged.
	Log *slog.Logger
	// AuditKey signs the heads of the audit chain; nil: they are not signed.
	AuditKey ed25519.PrivateKey
	// Workers is how many checks run at once; 0: 64.
	Workers int
	// Lease is how long a check may take before another process takes it; 0: 2 min.
	Lease time.Duration
	// NoticeLease is how long a process has what it took to deliver; a fifth of it is
	// more than one delivery takes. 0: 5 min.
	NoticeLease time.Duration
	// Identical is how many identical failures in a row pause the checks of an
	// order; 0: 48.
	Identical int
	// KeepReviews is how long reviews of ended orders are kept whole; 0: for ever.
	KeepReviews time.Duration
	// Mail sends notices by mail; nil: no channel of that kind can be made.
	Mail *notify.Mailer
	// Hooks sends notices by webhook; nil: to public addresses, over https.
	Hooks *notify.Webhook
	// Secrets seals what must not be read from the database; nil: nothing that has
	// to be sealed can be kept.
	Secrets Sealer
	// ScanLetter looks for malware in a letter before it is kept, see
	// [letter.Scanner]; nil: nothing does.
	ScanLetter func(ctx context.Context, raw []byte) error
	// LetterMax is how many bytes a letter may have, where the profile allows more;
	// 0: what the profile allows.
	LetterMax int
	// Meter is told what is done in the background; nil: nobody.
	Meter Meter
	// Prepare is called when [Service.Run] begins, before anything is looked at:
	// it finds out what works here. The audit log is sealed meanwhile. nil: nothing
	// has to be found out.
	Prepare func(context.Context)
}

// A Service is the order service. It is safe for concurrent use, and any number
// of them may work on one PostgreSQL database.
type Service struct {
	Config
	followers followers
	tokens    tokenCache
	jobs      jobs
	woken     chan struct{}
	own       authorities
	certified chan struct{} // something may be due for a certificate
	listed    chan struct{} // a CRL is due
	// listsUntil is how long the lease of the lists is ours, in microseconds since 1970.
	listsUntil atomic.Int64
	unclean    chan struct{} // something that was erased is in the database's log
	mails      chan struct{} // one for each connection to the mail server
	work       worker
	crowd      crowd // who applies
}

// New makes a service.
func New(c Config) (*Service, error) {
	if c.Store == nil {
		return nil, errors.New("service: there is no store")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Profile == "" {
		c.Profile = "cloud"
	}
	if c.Profiles == nil {
		c.Profiles = profile.Named
	}
	if c.Data == nil {
		c.Data = data.Embedded()
	}
	if c.Lists == nil {
		lists, err := lookup.Open(lookup.Config{Data: c.Data})
		if err != nil {
			return nil, err
		}
		c.Lists = lists
	}
	if c.Hooks == nil {
		c.Hooks = &notify.Webhook{Dialer: &dial.Dialer{Data: c.Data}, Now: c.Now}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Workers, c.Identical, c.Drafts = orDefault(c.Workers, 64), orDefault(c.Identical, 48), orDefault(c.Drafts, 500)
	if c.Lease == 0 {
		c.Lease = 2 * time.Minute
	}
	if c.NoticeLease == 0 {
		c.NoticeLease = 5 * time.Minute
	}
	s := &Service{Config: c, woken: make(chan struct{}, 1), certified: make(chan struct{}, 1), listed: make(chan struct{}, 1), unclean: make(chan struct{}, 1), mails: make(chan struct{}, mailsAtOnce)}
	if s.Owner == "" {
		id, err := s.random(8)
		if err != nil {
			return nil, err
		}
		s.Owner = id
	}
	if _, err := s.Profiles(s.Profile); err != nil {
		return nil, fmt.Errorf("the default profile: %w", err)
	}
	return s, nil
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// now is the time as the store keeps it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// random is n random bytes in hexadecimal.
func (s *Service) random(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.Rand, b); err != nil {
		return "", fmt.Errorf("reading random bytes: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// timed is a name that begins with the time: an index on it grows at its end and
// is not written all over.
func (s *Service) timed() (string, error) {
	tail, err := s.random(6)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%012x%s", s.now().UnixMicro(), tail), nil
}

// wake tells the workers that something may be due.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default: // they know already
	}
}

// A RequestKey makes a use case answer a repeated request as it did the first
// time: the answer is kept in the unit of writing that has the effect.
type RequestKey struct {
	Token, Key string
	Digest     []byte
	// Answer writes the answer down. It is called inside the unit and does
	// nothing else.
	Answer func(result any) (status int, headers json.RawMessage, body []byte, err error)
}

type requestKey struct{}

// WithRequest returns a context under which the next use case keeps its answer.
// Where the key was used before, the use case does nothing and returns
// [ErrAnswered]; the caller then reads [store.Reader.Request].
func WithRequest(ctx context.Context, k RequestKey) context.Context {
	return context.WithValue(ctx, requestKey{}, &k)
}

// ErrAnswered: the request was answered before.
var ErrAnswered = store.ErrAnswered

// unit runs fn as one unit of writing and keeps its result where the request
// has a key. fn may run more than once.
func unit[T any](ctx context.Context, s *Service, fn func(tx store.Tx) (T, error)) (T, error) {
	var result T
	key, _ := ctx.Value(requestKey{}).(*RequestKey)
	answered := false
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		answered = false
		r, err := fn(tx)
		if err != nil {
			return err
		}
		result = r
		if key == nil {
			return nil
		}
		status, headers, body, err := key.Answer(r)
		if err != nil {
			return err
		}
		err = tx.PutRequest(store.Request{
			Token: key.Token, Key: key.Key, Digest: key.Digest, Status: status, Headers: headers, Body: body, Order: orderOf(r), Created: s.now(),
		})
		answered = errors.Is(err, store.ErrAnswered)
		return err
	})
	if answered {
		return result, ErrAnswered
	}
	return result, problemOf(err)
}

// answered keeps the result of a use case that wrote nothing, where the request
// has a key: asked again it is answered the same, whatever happened since.
func answered[T any](ctx context.Context, s *Service, result T) (T, error) {
	if key, _ := ctx.Value(requestKey{}).(*RequestKey); key == nil {
		return result, nil
	}
	return unit(ctx, s, func(store.Tx) (T, error) { return result, nil })
}

// orderOf is the number of the order that a result shows, "" where it shows none.
func orderOf(result any) string {
	if v, ok := result.(*View); ok && v != nil {
		return v.ID
	}
	return ""
}

// problemOf turns errors of the store into problems.
func problemOf(err error) error {
	var p *Problem
	switch {
	case err == nil || errors.As(err, &p):
		return err
	case errors.Is(err, store.ErrNotFound):
		return &Problem{Kind: NotFound, Message: "service.not-found", Err: err}
	case errors.Is(err, store.ErrConflict):
		return &Problem{Kind: Conflict, Message: "service.conflict", Err: err}
	case errors.Is(err, store.ErrFull):
		return &Problem{Kind: Unavailable, Message: "service.full", Err: err}
	case errors.Is(err, store.ErrUnavailable):
		return &Problem{Kind: Unavailable, Message: "service.unavailable", Err: err}
	}
	return err
}

// followers are those who wait for the next change of an order.
type followers struct {
	mu    sync.Mutex
	waits map[string][]chan struct{}
}

func (f *followers) add(id string) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waits == nil {
		f.waits = map[string][]chan struct{}{}
	}
	c := make(chan struct{}, 1)
	f.waits[id] = append(f.waits[id], c)
	return c
}

func (f *followers) remove(id string, c chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.waits[id]
	for i := range list {
		if list[i] == c {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(f.waits, id)
	} else {
		f.waits[id] = list
	}
}

// changed tells those who follow an order. Another process's followers find the
// change by looking.
func (s *Service) changed(id string) {
	s.followers.mu.Lock()
	defer s.followers.mu.Unlock()
	for _, c := range s.followers.waits[id] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
