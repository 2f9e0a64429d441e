// Package storetest is the suite that every engine of package store must pass:
// a test for each sentence of its contract.
package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"assay/internal/store"
	"assay/order"
)

// An Engine is what the suite is run on.
type Engine struct {
	// New makes an empty database and returns how to open it. What it opens is
	// closed by the suite.
	New func(t testing.TB) (open func() (store.Store, error))
}

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"an order with what belongs to it", testOrder},
		{"what a judgement rests on", testNow},
		{"an order is changed under its version", testVersion},
		{"only steps of the table", testSteps},
		{"a value is of one order", testValues},
		{"a number is of one order", testTaken},
		{"an order replaced", testReplace},
		{"tenants see nothing of each other", testTenants},
		{"lists by page, filter and order", testLists},
		{"a page stays where it is while rows come in", testStablePages},
		{"an order once in a list by domain", testDomainOnce},
		{"past orders", testPast},
		{"one unit fails, the others commit", testGroup},
		{"units that failed cost later ones nothing", testRunsOnce},
		{"a unit is whole or not there", testWhole},
		{"an error dooms its unit", testDoomed},
		{"a unit is lost of which a statement met nothing", testUnmet},
		{"and none beside it", testUnmetBeside},
		{"a panic is its caller's", testPanic},
		{"a caller who leaves", testLeave},
		{"a closed store says so", testClosed},
		{"a unit sees its own writes", testOwnWrites},
		{"what was committed is there again", testReopen},
		{"two takers never get one row", testTakers},
		{"a lease that ended is taken over", testTakenOver},
		{"due rows are set, moved and cleared", testDue},
		{"what is due next", testNext},
		{"a key is locked until the unit ends", testLockKeys},
		{"a lease on what one does for all", testLease},
		{"the chain of two sealers", testSealers},
		{"audit entries by page and filter", testEntries},
		{"heads", testHeads},
		{"reviews and what they saw", testReviews},
		{"what is seen again", testSeenAgain},
		{"each review", testEachReview},
		{"reviews of what is to be renewed", testIssuedReviews},
		{"validations", testValidations},
		{"tokens, tenants, accounts", testPeople},
		{"answers to requests", testRequests},
		{"secrets", testSecrets},
		{"prune", testPrune},
		{"erase", testErase},
		{"stats", testStats},
		{"an order in the review queue", testDesk},
		{"two who claim one item", testClaims},
		{"the review queue by page and filter", testQueue},
		{"decisions and approvals", testDecisions},
		{"who asks, within a unit", testPeopleInUnit},
		{"channels", testChannels},
		{"notices of an event, in its unit", testOutbox},
		{"a notice is delivered under a lease", testDelivery},
		{"two takers never get one notice", testNoticeTakers},
		{"a removed channel hears nothing", testRemoved},
		{"notices are postponed and revived", testPostpone},
		{"notices by page and filter", testNoticeLists},
		{"notices of certificates", testCertificateNotices},
		{"one audit entry", testEntry},
		{"dossiers are changed under their version", testDossiers},
		{"dossiers by page and filter", testDossierLists},
		{"dossiers counted by several at once", testDossierCount},
		{"claims and calls", testFiles},
		{"attempts: one at a time, a serial once", testAttempts},
		{"of many who prepare one does", testPrepareRace},
		{"a value belongs to one order for ever", testValueOrders},
		{"certificates are changed under their version and by their states", testCertificates},
		{"certificates by page and filter", testCertificateLists},
		{"the newest in the place of a certificate", testCertificateAfter},
		{"what is due for a certificate", testCertificateDue},
		{"revocations and lists", testRevocations},
		{"CAs of our own", testAuthorities},
		{"requests that are kept", testCSRs},
		{"a key that another account had sign", testKeyElsewhere},
		{"orders that wait for their certificate", testReadyOrders},
		{"letters", testLetters},
		{"what is sealed is erased", testEraseFiles},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, open: e.New(t)}
			w.start()
			c.test(t, w)
		})
	}
}

// noon is when the tests begin.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// A world is one database and the store on it.
type world struct {
	t    testing.TB
	open func() (store.Store, error)
	store.Store
	n int
}

func (w *world) start() {
	w.t.Helper()
	s, err := w.open()
	if err != nil {
		w.t.Fatal(err)
	}
	w.Store = s
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error("closing:", err)
		}
	})
	w.do(func(tx store.Tx) error {
		for _, id := range []string{"root", "other"} {
			if err := tx.PutTenant(store.Tenant{ID: id, Name: id, Created: noon}); err != nil {
				return err
			}
		}
		return nil
	})
}

// do writes and must succeed.
func (w *world) do(fn func(store.Tx) error) {
	w.t.Helper()
	if err := w.Write(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// fresh is an order that is not written yet.
func fresh(tenant, id string, at time.Time) *store.Order {
	return &store.Order{
		OrderRow: store.OrderRow{
			ID: id, Tenant: tenant, Account: "a", State: order.StatePending, Phase: order.PhaseValidation, Product: order.DV, Kind: order.New,
			Profile: "cloud", Method: order.MethodDNS, Name: id + ".net", Names: 1, Created: at, Submitted: at, Deadline: at.Add(72 * time.Hour), Changed: at,
		},
		Order: &order.Order{ID: id, Product: order.DV, Names: []string{id + ".net"}, Method: order.MethodDNS, SubmittedAt: at},
	}
}

// with is what belongs to it.
func with(o *store.Order, names ...string) store.NewOrder {
	x := store.NewOrder{
		Keys:       []store.OrderKey{{Kind: "csr", Digest: "c-" + o.ID}, {Kind: "key", Digest: "k-" + o.ID}},
		Challenges: []order.Challenge{{Name: o.Name, Method: o.Method, Type: "TXT", Owner: "_dnsauth." + o.Name, Value: "v-" + o.ID, Origin: "own", Created: o.Created, Expires: o.Created.Add(time.Hour)}},
		Due:        []store.Due{{Kind: store.DueCheck, At: o.Created}, {Kind: store.DueDeadline, At: o.Deadline}},
	}
	if len(names) == 0 {
		names = []string{o.Name}
	}
	for _, n := range names {
		x.Names = append(x.Names, store.OrderName{Name: n, Domain: registrable(n)})
	}
	return x
}

// registrable is the last two labels: enough for the names of these tests.
func registrable(name string) string {
	dots := 0
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			if dots++; dots == 2 {
				return name[i+1:]
			}
		}
	}
	return name
}

// put writes an order as with has it.
func (w *world) put(o *store.Order, names ...string) *store.Order {
	w.t.Helper()
	w.do(func(tx store.Tx) error { return tx.InsertOrder(o, with(o, names...)) })
	return o
}

// id makes the next number of an order.
func (w *world) id() string {
	w.n++
	return fmt.Sprintf("o%04d", w.n)
}
