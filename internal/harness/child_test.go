package harness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"assay/data"
	"assay/internal/notify"
	"assay/internal/server/rest"
	"assay/internal/service"
	"assay/internal/store"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/perspective"
	"assay/probe/dial"
	"assay/profile"
)

// childEnv holds the [part] of a process that is to be a server.
const childEnv = "ASSAY_HARNESS_CHILD"

// lease is how long a check belongs to a process that died.
const lease = 400 * time.Millisecond

// patience is as long as a check may take that nobody interrupts.
const patience = 5 * time.Second

// A part is what a child plays.
type part struct {
	// Database is a path, or the address of a PostgreSQL database.
	Database string
	// Published is where applicants publish their values, see [publish].
	Published string
	// Defect is what is wrong with its store, see [broken]; "": nothing.
	Defect string
	// Jump has its clock jump forth and back under way, see [jump].
	Jump bool
	// Fickle has the key of its CA not sign now and then, by a file that is there or not.
	Fickle bool
}

// serve is the child: the service with its API on loopback until it is killed,
// or the parent is gone. It prints its address, and at the first start the token.
func serve(raw string) error {
	var p part
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ) // a limit to files is to be an error, as a full disk is
	ctx := context.Background()
	db, err := openStore(ctx, p.Database)
	if err != nil {
		return err
	}
	if err := firstCA(ctx, db, p); err != nil {
		return err
	}
	db = broken(db, p.Defect)
	now := time.Now
	if p.Jump {
		now = jumping(time.Now())
	}
	s, err := newService(db, p.Published, now, lease)
	if err != nil {
		return err
	}
	w, err := openCA(ctx, s, db, p, func(der []byte) { fmt.Println("signed", base64.StdEncoding.EncodeToString(der)) })
	if err != nil {
		return err
	}
	token, _, err := s.Bootstrap(ctx)
	if err != nil {
		return err
	}
	api, err := rest.New(rest.Config{Service: s, Records: db, Now: now, TokenRate: -1, AddressRate: -1})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		os.Exit(1)
	}()
	fmt.Printf("ready %s %s\n", l.Addr(), token)
	go s.Run(ctx)
	return (&http.Server{Handler: w.before(api), ReadHeaderTimeout: time.Minute}).Serve(l)
}

func openStore(ctx context.Context, database string) (store.Store, error) {
	if strings.HasPrefix(database, "postgres://") {
		db, err := postgres.Open(ctx, database)
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	db, err := sqlite.Open(ctx, database)
	if err != nil {
		return nil, err
	}
	return db, nil
}

// left waits until the database has done what servers sent it before they were killed:
// PostgreSQL goes on with what it has, also with a commit, until it finds them gone. What
// is read before is of several moments.
func left(ctx context.Context, database string) (err error) {
	if !strings.HasPrefix(database, "postgres://") {
		return nil
	}
	db, err := postgres.Look(database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if used, err := postgres.InUse(ctx, db); err != nil || !used {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("a server that was killed is still in the database: %w", ctx.Err())
		}
	}
}

func newService(db store.Store, published string, now func() time.Time, lease time.Duration) (*service.Service, error) {
	p, err := often()
	if err != nil {
		return nil, err
	}
	return service.New(service.Config{
		Store: db, Now: now, Secrets: sealer{}, NoticeLease: lease, Places: []perspective.Place{world{published}}, Lease: lease, Profiles: func(string) (*profile.Profile, error) { return p, nil }, Workers: 8,
		AuditKey: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
		Hooks:    &notify.Webhook{Dialer: &dial.Dialer{Data: data.Embedded(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
	})
}

// sealer keeps nothing secret: what is tried is that it is kept.
type sealer struct{}

func (sealer) Seal(row string, b []byte) ([]byte, error) { return append([]byte(row+" "), b...), nil }

func (sealer) Open(row string, b []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(b, []byte(row+" "))
	if !ok {
		return nil, errors.New("of another row")
	}
	return plain, nil
}

// often is the cloud's profile, as far as it may be signed from what is no internet,
// with a check by hand whenever somebody asks, and
// for an order that [fails].
func often() (*profile.Profile, error) {
	return profile.Parse([]byte("name = \"cloud\"\ninherits = \"cloud\"\nversion = \"harness\"\npublic = false\n[limits]\nmanual_check_minutes = 0\n[levels]\n\"caa.forbids\" = \"refuse\"\n"))
}

// jump is how far a clock jumps each way. From one end to the other is less than
// the 24 hours, by this clock, for which the service keeps its answers to
// idempotency keys: it may forget older ones, and a client that then repeats its
// request would be a new one.
const jump = 11 * time.Hour

// jumping is a clock that is set forth by a jump, back, and right again, 50 ms each.
func jumping(began time.Time) func() time.Time {
	return func() time.Time {
		t := time.Now()
		return t.Add([]time.Duration{0, jump, -jump}[int(t.Sub(began)/(50*time.Millisecond))%3])
	}
}

// The defects that the harness must find.
const (
	// early acknowledges a unit before it is on disk.
	early = "early"
	// forgetful keeps no answers, so that a request repeated has its effect again.
	forgetful = "forgetful"
	// greedy lets whoever likes do what another has the lease of.
	greedy = "greedy"
	// idle loses checks that were begun.
	idle = "idle"
	// mute tells nobody of an event now and then.
	mute = "mute"
	// hasty counts a notice as sent when it is taken.
	hasty = "hasty"
	// chatty tells of an event twice.
	chatty = "chatty"
	// again signs once more what a process that died may have signed.
	again = "again"
	// eager hands certificates out before they are stored.
	eager = "eager"
	// still signs lists over and over, and does not count them on.
	still = "still"
	// lenient acknowledges revocations and forgets them.
	lenient = "lenient"
)

// broken is a store with a defect.
func broken(db store.Store, defect string) store.Store {
	if defect == "" {
		return db
	}
	return &faulty{Store: db, defect: defect}
}

type faulty struct {
	store.Store
	defect string
	// numbers are those of the lists that are signed, by issuer and shard.
	numbers sync.Map
}

func (f *faulty) Write(ctx context.Context, fn func(store.Tx) error) error {
	inner := func(tx store.Tx) error { return fn(&faultyTx{tx, f.defect, &f.numbers}) }
	if f.defect != early {
		return f.Store.Write(ctx, inner)
	}
	told := make(chan error, 2)
	go func() {
		told <- f.Store.Write(context.WithoutCancel(ctx), func(tx store.Tx) error {
			err := inner(tx)
			select {
			case told <- err:
				<-time.After(5 * time.Millisecond) // as a disk that is slow
			default: // it runs again
			}
			return err
		})
	}()
	return <-told
}

type faultyTx struct {
	store.Tx
	defect  string
	numbers *sync.Map
}

func (f *faultyTx) PutRequest(r store.Request) error {
	if f.defect == forgetful {
		return nil
	}
	return f.Tx.PutRequest(r)
}

func (f *faultyTx) TakeDue(now time.Time, owner string, until time.Time, limit int) ([]store.Due, error) {
	if f.defect == greedy {
		until = now
	}
	due, err := f.Tx.TakeDue(now, owner, until, limit)
	if f.defect == idle {
		for _, d := range due {
			if err := f.Tx.ClearDue(d.Order, d.Kind); err != nil {
				return nil, err
			}
		}
	}
	return due, err
}

func (f *faultyTx) AddNotices(n store.NewNotice) error {
	switch {
	case f.defect == mute && n.At.UnixMicro()%3 == 0:
		return nil
	case f.defect == chatty:
		again := n
		again.Entry = "again-" + n.Entry
		return errors.Join(f.Tx.AddNotices(n), f.Tx.AddNotices(again))
	}
	return f.Tx.AddNotices(n)
}

func (f *faultyTx) TakeNotices(now time.Time, owner string, until time.Time, limit int) ([]store.Notice, error) {
	list, err := f.Tx.TakeNotices(now, owner, until, limit)
	if f.defect == hasty {
		for _, n := range list {
			if err := f.FinishNotice(n, owner, store.NoticeResult{State: store.NoticeSent, At: now}); err != nil {
				return nil, err
			}
		}
	}
	return list, err
}

func (f *faulty) CRLsDue(ctx context.Context, now time.Time, limit int) ([]store.CRL, error) {
	list, err := f.Store.CRLsDue(ctx, now, limit)
	for i := range list {
		if f.defect == still {
			f.numbers.Store(fmt.Sprint(list[i].Issuer, list[i].Shard), list[i].Number)
			list[i].Number = 0
		}
	}
	return list, err
}

func (f *faultyTx) PutCRL(c *store.CRL, before int64) error {
	if f.defect != still {
		return f.Tx.PutCRL(c, before)
	}
	soon := *c
	if n, taken := f.numbers.Load(fmt.Sprint(c.Issuer, c.Shard)); taken {
		before = n.(int64)
		soon.Number = max(before+1, c.Number) // as the row has it, and not the list
	}
	soon.Due = time.Now().Add(20 * time.Millisecond) // more than one comes in a second, whose number is the least
	return f.Tx.PutCRL(&soon, before)
}

func (f *faultyTx) Revoke(r store.Revocation) error {
	if f.defect == lenient {
		return nil
	}
	return f.Tx.Revoke(r)
}

func (f *faultyTx) FinishDue(d store.Due, owner string) error {
	if f.defect == greedy || f.defect == idle {
		return f.Tx.ClearDue(d.Order, d.Kind)
	}
	return f.Tx.FinishDue(d, owner)
}
