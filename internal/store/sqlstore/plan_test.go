package sqlstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assay/internal/store"
	"assay/internal/store/pgtest"
	"assay/internal/store/postgres"
	"assay/internal/store/sqlite"
	"assay/internal/store/sqlstore"
	"assay/order"
)

var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }

// A statement as the store sent it.
type statement struct {
	sql  string
	args []any
}

// everything calls each method that looks for rows, with each filter.
func everything(t *testing.T, db *sqlstore.DB) []statement {
	var mu sync.Mutex
	var all []statement
	db.Watch(func(query string, args []any) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, statement{query, args})
	})
	ctx, at := context.Background(), time.Unix(1, 0)
	var errs []error
	keep := func(err error) {
		if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrLeaseLost) && !errors.Is(err, store.ErrConflict) {
			errs = append(errs, err)
		}
	}
	list := func(_ any, err error) { keep(err) }
	for _, before := range []store.OrderKeyset{{}, {Created: at, ID: "x"}} {
		for n := range 16 {
			f := store.OrderFilter{Tenant: "t", Before: before, Limit: 50}
			for bit, set := range []func(){func() { f.Account = "a" }, func() { f.State = order.StateReady }, func() { f.Name = "n" }, func() { f.Domain = "d" }} {
				if n>>bit&1 == 1 {
					set()
				}
			}
			list(db.Orders(ctx, f))
		}
	}
	for n := range 64 {
		f := store.EntryFilter{Limit: 50}
		for bit, set := range []func(){
			func() { f.Tenant = "t" }, func() { f.Order = "o" }, func() { f.Actor = "a" }, func() { f.Action = "x" },
			func() { f.Since, f.Until = at, at }, func() { f.BeforeAt, f.BeforeID = at, "x" },
		} {
			if n>>bit&1 == 1 {
				set()
			}
		}
		if f.Tenant == "" {
			continue // always given
		}
		list(db.Entries(ctx, f))
	}
	list(db.Order(ctx, "", "o"))
	list(db.Order(ctx, "t", "o"))
	list(db.Challenges(ctx, "o"))
	list(db.Standing(ctx, "o"))
	list(db.DueOf(ctx, "o"))
	list(db.PastOrders(ctx, store.PastQuery{Tenant: "t", Account: "a", CSR: "c", Key: "k", Domains: []string{"d"}, Since: at, Limit: 9}))
	list(db.Validations(ctx, "t", "a", []string{"p", "q"}, []string{"d", "e"}))
	list(db.Review(ctx, "o", 0))
	list(db.Review(ctx, "o", 1))
	list(db.Reviews(ctx, "o", 5, 5))
	list(db.Observations(ctx, "o", nil))
	list(db.Token(ctx, "t"))
	list(db.Tokens(ctx, "t", "x", 9))
	list(db.Tenant(ctx, "t"))
	list(db.Tenants(ctx, "x", 9))
	list(db.Account(ctx, "t", "a"))
	list(db.OrderEntries(ctx, "o", 1, 9))
	list(db.HasUnsealed(ctx))
	notices(ctx, db, list)
	list(db.Request(ctx, "t", "k"))
	list(db.Secret(ctx, "s"))
	list(db.NextDue(ctx))
	list(db.Stats(ctx, at))
	for n := range 16 {
		f := store.DeskFilter{Tenant: "t", State: store.DeskOpen, Limit: 50}
		for bit, set := range []func(){
			func() { f.Account = "a" }, func() { f.Product = order.EV }, func() { f.ClaimedBy = "r" }, func() { f.After = store.DeskKeyset{Due: at, Order: "x"} },
		} {
			if n>>bit&1 == 1 {
				set()
			}
		}
		list(db.Desk(ctx, f))
	}
	list(db.Around(ctx, store.AroundQuery{Tenant: "t", Account: "a", Past: store.PastQuery{Tenant: "t", Key: "k"}, Profiles: []string{"p"}, Domains: []string{"d"}}))
	list(db.CountDrafts(ctx, "t", "a", 9))
	list(db.DeskItem(ctx, "", "o"))
	list(db.DeskItem(ctx, "t", "o"))
	list(db.Decisions(ctx, "o", 9))
	list(db.Approvals(ctx, "t", "a", []string{"d"}, at))
	for _, tenant := range []string{"", "t"} {
		for n := range 32 {
			f := store.ReviewFilter{Tenant: tenant, Open: n&1 == 1, Newest: n&2 == 2, Seen: n&4 == 4, Issued: n&16 == 16}
			if n&8 == 8 && tenant != "" {
				f.Account = "a"
			}
			keep(db.EachReview(ctx, f, func(*store.OrderReview) error { return nil }))
		}
	}
	fileLists(ctx, db, at, list)
	certificateLists(ctx, db, at, list)
	keep(db.Sealed(ctx, 1, func(*store.Entry) error { return nil }))
	list(db.Heads(ctx))
	o := &store.Order{Order: &order.Order{}, OrderRow: store.OrderRow{ID: "none", State: order.StateReady}}
	for _, fn := range []func(tx store.Tx) error{
		func(tx store.Tx) error { _, err := tx.Order("t", "o"); return err },
		func(tx store.Tx) error { return tx.UpdateOrder(o) },
		func(tx store.Tx) error {
			_, err := tx.LockKeys("root", store.OrderKey{Kind: "key", Digest: "d"})
			return err
		},
		func(tx store.Tx) error { return tx.ClearDue("o") },
		func(tx store.Tx) error { return tx.ClearDue("o", store.DueCheck) },
		func(tx store.Tx) error { _, err := tx.TakeDue(at, "me", at, 10); return err },
		func(tx store.Tx) error { return tx.FinishDue(store.Due{Order: "o"}, "me") },
		func(tx store.Tx) error { return tx.RepeatReview("r", at) },
		func(tx store.Tx) error { _, err := tx.Unsealed(9); return err },
		func(tx store.Tx) error { _, err := tx.LastSealed(); return err },
		func(tx store.Tx) error { return tx.Seal([]store.Entry{{ID: "e", Seq: 1}}) },
		func(tx store.Tx) error {
			_, err := tx.Prune(store.Prune{Requests: at, Reviews: at, Notices: at}, 9)
			return err
		},
		func(tx store.Tx) error { return tx.RemoveChannel("t", "c", at) },
		func(tx store.Tx) error { return tx.ChangeChannel(store.Channel{ID: "c", Tenant: "t"}) },
		func(tx store.Tx) error { return tx.TriedChannel("t", "c", at, at) },
		func(tx store.Tx) error {
			return tx.AddNotices(store.NewNotice{Entry: "e", Tenant: "t", Event: "x", Order: "o", At: at})
		},
		func(tx store.Tx) error { _, err := tx.TakeNotices(at, "me", at, 9); return err },
		func(tx store.Tx) error {
			return tx.FinishNotice(store.Notice{Entry: "e", Channel: "c"}, "me", store.NoticeResult{State: store.NoticeSent})
		},
		func(tx store.Tx) error { return tx.PostponeNotices("c", at, at, 9) },
		func(tx store.Tx) error { return tx.ReviveNotice("t", "e", "c", at) },
		func(tx store.Tx) error { _, err := tx.DeskItem("t", "o"); return err },
		func(tx store.Tx) error { return tx.UpdateDesk(store.DeskItem{Order: "o", Version: 1}) },
		func(tx store.Tx) error { return tx.CloseDesk("o", at) },
		func(tx store.Tx) error { _, err := tx.LateDesk(at, 9); return err },
		func(tx store.Tx) error { _, err := tx.Decisions("o"); return err },
		func(tx store.Tx) error { _, err := tx.Token("t"); return err },
		func(tx store.Tx) error { _, err := tx.Account("t", "a"); return err },
		func(tx store.Tx) error { return tx.Erase("o", at) },
		func(tx store.Tx) error { _, err := tx.DossierNow("t", "d"); return err },
		func(tx store.Tx) error { _, err := tx.CountDossiers("t", "a", "organization", 10); return err },
		func(tx store.Tx) error { _, err := tx.OrdersWaiting("t", "a", 9); return err },
		func(tx store.Tx) error { return tx.UpdateDossier(&store.Dossier{ID: "d", State: store.DossierOK}) },
		func(tx store.Tx) error { return tx.DeleteDossier("d") },
		func(tx store.Tx) error { return tx.WithdrawClaim("t", "c", at) },
		func(tx store.Tx) error { return tx.DecideLetter(&store.Letter{ID: "l", State: "accepted"}) },
		func(tx store.Tx) error { return tx.EraseDossier("d", at) },
		func(tx store.Tx) error { return tx.UpdateAuthority(&store.Authority{ID: "x"}) },
		func(tx store.Tx) error { _, err := tx.NextBlock("x"); return err },
		func(tx store.Tx) error { _, err := tx.AttemptsNow("o"); return err },
		func(tx store.Tx) error {
			return tx.DueIfBlocked("k", store.CertificateDue{Certificate: "c", Kind: "revoke"})
		},
		func(tx store.Tx) error {
			_, err := tx.KeyElsewhere("k", "t", "a")
			return err
		},
		func(tx store.Tx) error {
			_, err := tx.Now(store.NowQuery{Order: "o", Tenant: "t", Keys: []store.OrderKey{{Kind: "csr", Digest: "d"}, {Kind: "key", Digest: "e"}}, Account: "a", Keyprint: "k"})
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		},
		func(tx store.Tx) error { return tx.EndAttempt(&store.Attempt{Order: "o", State: order.AttemptIssued}) },
		func(tx store.Tx) error { _, err := tx.CertificateNow("t", "c"); return err },
		func(tx store.Tx) error {
			return tx.UpdateCertificate(&store.Certificate{CertificateRow: store.CertificateRow{ID: "c", State: order.CertificateValid}})
		},
		func(tx store.Tx) error { return tx.ClearCertificateDue("c") },
		func(tx store.Tx) error { return tx.ClearCertificateDue("c", store.DueEnd) },
		func(tx store.Tx) error { _, err := tx.TakeCertificateDue(at, "me", at, 9); return err },
		func(tx store.Tx) error { return tx.FinishCertificateDue(store.CertificateDue{Certificate: "c"}, "me") },
		func(tx store.Tx) error { return tx.PutCRL(&store.CRL{Issuer: "own", Number: 1}, 0) },
		func(tx store.Tx) error { _, err := tx.CSRNow("t", "c"); return err },
		func(tx store.Tx) error { return tx.UpdateCSR(&store.CSR{ID: "c"}) },
	} {
		keep(db.Write(ctx, fn))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("%d statements were seen", len(all))
	}
	return all
}

// notices calls each method that looks for notices or channels.
func notices(ctx context.Context, db *sqlstore.DB, list func(any, error)) {
	for _, before := range []store.NoticeKey{{}, {At: time.Unix(1, 0), Entry: "e", Channel: "c"}} {
		for n := range 32 {
			f := store.NoticeFilter{Tenant: "t", Before: before, Limit: 50}
			for bit, set := range []func(){
				func() { f.Account = "a" }, func() { f.Order = "o" }, func() { f.Channel = "c" }, func() { f.State = store.NoticeDead }, func() { f.Certificate = "c" },
			} {
				if n>>bit&1 == 1 {
					set()
				}
			}
			list(db.Notices(ctx, f))
		}
	}
	for _, name := range []string{"", "x"} {
		list(db.Channel(ctx, name, "c"))
		for _, role := range []string{"", "applicant"} {
			list(db.Channels(ctx, store.ChannelFilter{Tenant: "t", Account: name, Whole: role != "" && name == "", Role: role, After: "c", Limit: 9}))
		}
	}
	list(db.Notice(ctx, "t", "e", "c"))
	list(db.NoticeTries(ctx, "e", "c"))
	list(db.NextNotice(ctx))
	list(db.Said(ctx, &store.Notice{Channel: "c", Order: "o", Event: "x"}, "d", time.Unix(1, 0)))
	list(db.Entry(ctx, "e"))
}

// fileLists calls each list of dossiers and what belongs to them.
func fileLists(ctx context.Context, db *sqlstore.DB, at time.Time, list func(any, error)) {
	for _, before := range []store.OrderKeyset{{}, {Created: at, ID: "x"}} {
		for n := range 8 {
			f := store.DossierFilter{Tenant: "t", Kind: "contact", Before: before, Limit: 50}
			for bit, set := range []func(){func() { f.Account = "a" }, func() { f.State = store.DossierOK }, func() { f.Parent = "p" }} {
				if n>>bit&1 == 1 {
					set()
				}
			}
			list(db.Dossiers(ctx, f))
		}
		for _, f := range []store.FileFilter{{Order: "o"}, {Dossiers: []string{"d"}}, {Dossiers: []string{"d", "e"}}} {
			f.Before, f.Limit = before, 50
			list(db.Claims(ctx, f))
			list(db.Calls(ctx, f))
			list(db.Letters(ctx, f))
		}
	}
	list(db.Dossier(ctx, "t", "d"))
	list(db.DomainDossiers(ctx, "t", "a", []string{"d", "e"}))
	list(db.Letter(ctx, "t", "l"))
	list(db.LetterParts(ctx, "l"))
}

// certificateLists calls each list of certificates and what belongs to them.
func certificateLists(ctx context.Context, db *sqlstore.DB, at time.Time, list func(any, error)) {
	for _, before := range []store.OrderKeyset{{}, {Created: at, ID: "x"}} {
		for n := range 128 {
			f := store.CertificateFilter{Tenant: "t", Before: before, Limit: 50}
			for bit, set := range []func(){
				func() { f.Account = "a" }, func() { f.State = order.CertificateValid }, func() { f.Source = store.SourceIssued },
				func() { f.Name = "n" }, func() { f.Domain = "d" }, func() { f.EndsBefore, f.EndsAfter = at, at },
				func() { f.NotRevoked = true },
			} {
				if n>>bit&1 == 1 {
					set()
				}
			}
			list(db.Certificates(ctx, f))
		}
		for _, account := range []string{"", "a"} {
			list(db.CSRs(ctx, store.CSRFilter{Tenant: "t", Account: account, Before: before, Limit: 9}))
		}
	}
	list(db.Authorities(ctx))
	list(db.Attempts(ctx, "o"))
	list(db.UpstreamOrder(ctx, "o"))
	list(db.UpstreamOrderBy(ctx, "i", "r"))
	list(db.ValueOrders(ctx, []string{"u", "v"}))
	list(db.Certificate(ctx, "", "c"))
	list(db.Certificate(ctx, "t", "c"))
	list(db.CertificateAfter(ctx, "t", "c", at))
	list(db.CertificatesByKey(ctx, "k", "x", 9))
	list(db.CertificateBy(ctx, "t", "", "f"))
	list(db.CertificateBy(ctx, "t", "a", "f"))
	list(db.ChainsOf(ctx, "t"))
	list(db.CertificateDueOf(ctx, "c"))
	list(db.NextCertificateDue(ctx))
	list(db.Serial(ctx, "i", "s"))
	list(db.Revocations(ctx, "i", 1, at))
	list(db.RevokedSince(ctx, at, 9))
	list(db.CRL(ctx, "i", 1))
	list(db.CRLs(ctx, "i", 1, 9))
	list(db.CRLsDue(ctx, at, 9))
	list(db.NextCRL(ctx))
	list(db.Blocked(ctx, "k"))
	list(db.CSR(ctx, "t", "c"))
	list(db.OrdersReady(ctx, "a", 9))
}

// fewRows may be sorted: their number is bounded by one order, one page or one
// request.
var fewRows = regexp.MustCompile(`FROM validations|FROM audit WHERE order_id =|WHERE order_id IN|r\.order_id IN|DELETE FROM requests|dossier IN |WITH RECURSIVE line `)

// small are tables of few rows.
var small = []string{"audit_heads", "authorities"}

// TestPlanSQLite: nothing reads a whole table, and nothing sorts what may be many.
func TestPlanSQLite(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "assay.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	scan := regexp.MustCompile(`SCAN (\w+)( USING (COVERING )?INDEX \w+)?`)
	for _, s := range everything(t, db) {
		rows, err := db.Reading().QueryContext(ctx, "EXPLAIN QUERY PLAN "+s.sql, s.args...)
		if err != nil {
			t.Fatalf("%s: %v", s.sql, err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "; ")
		// What another SELECT of the statement found is read through, and it has a limit.
		inner := regexp.MustCompile(`(?:CO-ROUTINE|MATERIALIZE) (w\d+|line);`).FindAllStringSubmatch(text, -1)
		for _, c := range inner {
			text = regexp.MustCompile(`SCAN `+c[1]+`\b`).ReplaceAllString(text, "")
		}
		bad := strings.Contains(text, "TEMP B-TREE") && !fewRows.MatchString(s.sql)
		for _, m := range scan.FindAllStringSubmatch(text, -1) {
			bad = bad || m[2] == "" && !slices.Contains(small, m[1])
		}
		if bad {
			t.Errorf("%s\n  %s", s.sql, text)
		}
	}
}

// TestPlanPostgres: the same. The planner is told not to scan and not to sort;
// what it still does so has no index.
func TestPlanPostgres(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	at := server.Database(t)
	db, err := postgres.Open(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := pgx.Connect(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off"); err != nil {
		t.Fatal(err)
	}
	for _, s := range everything(t, db) {
		if s.sql == "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))" {
			continue
		}
		var raw []byte
		if err := c.QueryRow(ctx, "EXPLAIN (FORMAT JSON) "+s.sql, s.args...).Scan(&raw); err != nil {
			t.Fatalf("%s: %v", s.sql, err)
		}
		var plans []struct{ Plan node }
		if err := json.Unmarshal(raw, &plans); err != nil {
			t.Fatal(err)
		}
		if bad := plans[0].Plan.bad(); bad != "" && (bad != "Sort" || !fewRows.MatchString(s.sql)) && !strings.Contains(s.sql, "audit_heads") && !strings.Contains(s.sql, "FROM authorities") {
			t.Errorf("%s: %s\n%s", bad, s.sql, raw)
		}
	}
}

type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Plans    []node
}

func (n node) bad() string {
	switch n.Type {
	case "Seq Scan":
		return fmt.Sprintf("%s of %s", n.Type, n.Relation)
	case "Sort", "Incremental Sort":
		return "Sort"
	}
	for _, p := range n.Plans {
		if bad := p.bad(); bad != "" {
			return bad
		}
	}
	return ""
}
