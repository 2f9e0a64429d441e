package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"assay/internal/store"
)

// channel is one that is not written yet.
func channel(id, tenant, account string, events ...string) store.Channel {
	return store.Channel{
		ID: id, Tenant: tenant, Account: account, Role: "applicant", Kind: "webhook", Language: "zh", Events: events,
		Shown: "https://" + id + ".net/…", Sealed: []byte{0, 1, 255}, By: "t1", Created: noon,
	}
}

// event has channels hear of an event of an order.
func event(entry, tenant, account, name, order string, at time.Time) store.NewNotice {
	return store.NewNotice{Entry: entry, Tenant: tenant, Account: account, Event: name, Order: order, At: at}
}

func (w *world) channels(list ...store.Channel) {
	w.t.Helper()
	w.do(func(tx store.Tx) error {
		for _, c := range list {
			if err := tx.PutChannel(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// taken takes what is due.
func (w *world) taken(now time.Time, owner string, limit int) (list []store.Notice) {
	w.t.Helper()
	w.do(func(tx store.Tx) (err error) {
		list, err = tx.TakeNotices(now, owner, now.Add(time.Minute), limit)
		return err
	})
	return list
}

func testChannels(t *testing.T, w *world) {
	a, b, other := channel("c1", "root", "a", "order.ready", "order.refused"), channel("c2", "root", ""), channel("c0", "other", "a", "order.ready")
	w.channels(a, b, other)
	for _, c := range []struct {
		f    store.ChannelFilter
		want []store.Channel
	}{
		{store.ChannelFilter{Limit: 9}, []store.Channel{a, b}},
		{store.ChannelFilter{Account: "a", Limit: 9}, []store.Channel{a}},
		{store.ChannelFilter{Whole: true, Limit: 9}, []store.Channel{b}},
		{store.ChannelFilter{After: "c1", Limit: 9}, []store.Channel{b}},
		{store.ChannelFilter{Limit: 1}, []store.Channel{a}},
		{store.ChannelFilter{Role: "reviewer", Limit: 9}, []store.Channel{}},
	} {
		c.f.Tenant = "root"
		got, err := w.Channels(ctx, c.f)
		for i := range c.want {
			if c.want[i].Events == nil {
				c.want[i].Events = []string{}
			}
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v %s", c, err, diff)
		}
	}
	tried := func(last, at time.Time) error {
		return w.Write(ctx, func(tx store.Tx) error { return tx.TriedChannel("root", "c1", last, at) })
	}
	if err := tried(time.Time{}, noon.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if err := tried(time.Time{}, noon.Add(time.Hour)); !errors.Is(err, store.ErrConflict) {
		t.Error("tried twice at once:", err)
	}
	a.Events, a.Language = []string{"order.refused", "order.expired"}, "en"
	w.do(func(tx store.Tx) error { return tx.ChangeChannel(a) })
	if got, err := w.Channel(ctx, "root", "c1"); err != nil || !got.Tested.Equal(noon.Add(time.Hour)) || got.Language != "en" || !slices.Equal(got.Events, a.Events) {
		t.Errorf("%+v, %v", got, err)
	}
	w.put(fresh("root", "o1", noon))
	for entry, name := range map[string]string{"e1": "order.ready", "e2": "order.expired"} {
		w.do(func(tx store.Tx) error { return tx.AddNotices(event(entry, "root", "a", name, "o1", noon)) })
	}
	if list, err := w.Notices(ctx, store.NoticeFilter{Tenant: "root", Limit: 9}); err != nil || len(list) != 1 || list[0].Entry != "e2" {
		t.Errorf("of what it is told of now: %+v, %v", list, err)
	}
	foreign := a
	foreign.Tenant = "other"
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.ChangeChannel(foreign) }); !errors.Is(err, store.ErrNotFound) {
		t.Error("another tenant's channel is changed:", err)
	}
	if _, err := w.Channel(ctx, "other", "c1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("another tenant's channel is read:", err)
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.RemoveChannel("other", "c1", noon) }); !errors.Is(err, store.ErrNotFound) {
		t.Error("another tenant's channel is removed:", err)
	}
}

// testOutbox: an event is written for each channel that wants it, once, and only
// where its unit is kept.
func testOutbox(t *testing.T, w *world) {
	staff := channel("staff", "root", "a", "order.ready")
	staff.Role = "reviewer"
	w.channels(staff, channel("mine", "root", "a", "order.ready"), channel("all", "root", "", "order.ready", "order.failed"),
		channel("others", "root", "b", "order.ready"), channel("foreign", "other", "", "order.ready"))
	w.put(fresh("root", "o1", noon))
	add := func(n store.NewNotice) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.AddNotices(n) }
	}
	ready := event("e1", "root", "a", "order.ready", "o1", noon)
	w.do(add(ready))
	w.do(add(ready)) // as where the event's unit runs again
	w.do(add(event("e2", "root", "a", "order.failed", "o1", noon.Add(time.Second))))
	w.do(add(event("e3", "root", "a", "order.submitted", "o1", noon)))
	lost := errors.New("lost")
	if err := w.Write(ctx, func(tx store.Tx) error {
		return errors.Join(add(event("e4", "root", "a", "order.ready", "o1", noon))(tx), lost)
	}); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	list, err := w.Notices(ctx, store.NoticeFilter{Tenant: "root", Limit: 9})
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Notice{
		{Entry: "e2", Channel: "all", Tenant: "root", Event: "order.failed", Order: "o1", At: noon.Add(time.Second), Due: noon.Add(time.Second), State: store.NoticeDue},
		{Entry: "e1", Channel: "staff", Tenant: "root", Event: "order.ready", Order: "o1", At: noon, Due: noon, State: store.NoticeDue},
		{Entry: "e1", Channel: "mine", Tenant: "root", Account: "a", Event: "order.ready", Order: "o1", At: noon, Due: noon, State: store.NoticeDue},
		{Entry: "e1", Channel: "all", Tenant: "root", Event: "order.ready", Order: "o1", At: noon, Due: noon, State: store.NoticeDue},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	next, err := w.NextNotice(ctx)
	if err != nil || !next.Equal(noon) {
		t.Errorf("due next at %v, %v", next, err)
	}
}

// testDelivery: what was taken is finished by whoever holds it, once.
func testDelivery(t *testing.T, w *world) {
	w.channels(channel("c1", "root", "", "order.ready"))
	w.put(fresh("root", "o1", noon))
	w.do(func(tx store.Tx) error { return tx.AddNotices(event("e1", "root", "a", "order.ready", "o1", noon)) })
	if got := w.taken(noon.Add(-1e6), "early", 9); len(got) != 0 {
		t.Fatalf("taken before they are due: %+v", got)
	}
	first := w.taken(noon, "one", 9)
	if len(first) != 1 || first[0].Attempt != 1 || len(w.taken(noon.Add(time.Second), "two", 9)) != 0 {
		t.Fatalf("%+v", first)
	}
	if next, err := w.NextNotice(ctx); err != nil || !next.Equal(noon.Add(time.Minute)) {
		t.Errorf("due next at %v, %v", next, err)
	}
	second := w.taken(noon.Add(time.Minute), "two", 9) // the lease has ended
	if len(second) != 1 || second[0].Attempt != 2 {
		t.Fatalf("%+v", second)
	}
	finish := func(n store.Notice, owner string, r store.NoticeResult) error {
		return w.Write(ctx, func(tx store.Tx) error { return tx.FinishNotice(n, owner, r) })
	}
	sent := store.NoticeResult{State: store.NoticeSent, At: noon, Digest: "d", Try: &store.NoticeTry{Attempt: 2, At: noon, Took: 3 * time.Millisecond, Delivered: true, Detail: "250 ok"}}
	if err := finish(first[0], "one", sent); !errors.Is(err, store.ErrLeaseLost) {
		t.Error("finished without the lease:", err)
	}
	failed := sent
	failed.State, failed.Due, failed.Reason = store.NoticeDue, noon.Add(time.Hour), "421 busy"
	failed.Try = &store.NoticeTry{Attempt: 2, At: noon, Detail: "421 busy"}
	if err := finish(second[0], "two", failed); err != nil {
		t.Fatal(err)
	}
	third := w.taken(noon.Add(time.Hour), "two", 9)
	if len(third) != 1 || third[0].Attempt != 3 || third[0].Reason != "421 busy" {
		t.Fatalf("%+v", third)
	}
	// Given back without an attempt it counts none.
	if err := finish(third[0], "two", store.NoticeResult{State: store.NoticeDue, Due: noon, At: noon}); err != nil {
		t.Fatal(err)
	}
	last := w.taken(noon, "two", 9)
	sent.Try.Attempt = 3
	if err := finish(last[0], "two", sent); err != nil || last[0].Attempt != 3 {
		t.Fatal(err, last[0].Attempt)
	}
	if err := finish(last[0], "two", sent); !errors.Is(err, store.ErrLeaseLost) {
		t.Error("finished twice:", err)
	}
	n, err := w.Notice(ctx, "root", "e1", "c1")
	if err != nil || n.State != store.NoticeSent || !n.Settled.Equal(noon) || n.Digest != "d" {
		t.Errorf("%+v, %v", n, err)
	}
	tries, err := w.NoticeTries(ctx, "e1", "c1")
	if diff := cmp.Diff([]store.NoticeTry{*failed.Try, *sent.Try}, tries); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := w.Notice(ctx, "other", "e1", "c1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("another tenant's notice is read:", err)
	}
	for digest, want := range map[string]bool{"d": true, "e": false} {
		if said, err := w.Said(ctx, n, digest, noon.Add(-1e6)); err != nil || said != want {
			t.Errorf("said %s: %t, %v", digest, said, err)
		}
	}
	if said, err := w.Said(ctx, n, "d", noon); err != nil || said {
		t.Errorf("said since: %t, %v", said, err)
	}
	if next, err := w.NextNotice(ctx); err != nil || !next.IsZero() {
		t.Errorf("due next at %v, %v", next, err)
	}
}

// testNoticeTakers: of many takers each notice has one.
func testNoticeTakers(t *testing.T, w *world) {
	const rows = 60
	w.channels(channel("c1", "root", "", "order.ready"))
	w.put(fresh("root", "o1", noon))
	w.do(func(tx store.Tx) error {
		for i := range rows {
			if err := tx.AddNotices(event(fmt.Sprintf("e%02d", i), "root", "a", "order.ready", "o1", noon)); err != nil {
				return err
			}
		}
		return nil
	})
	var mu sync.Mutex
	var all []string
	var running sync.WaitGroup
	for who := range 4 {
		running.Go(func() {
			for {
				var list []store.Notice
				err := w.Write(ctx, func(tx store.Tx) (err error) {
					list, err = tx.TakeNotices(noon, fmt.Sprint(who), noon.Add(time.Hour), 7)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, n := range list {
					all = append(all, n.Entry)
				}
				done := len(all) >= rows || len(list) == 0
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	running.Wait()
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("some were taken twice: %v", all)
	}
}

// testRemoved: a channel that is removed gets nothing more, and keeps no secret.
func testRemoved(t *testing.T, w *world) {
	w.channels(channel("c1", "root", "", "order.ready"))
	w.put(fresh("root", "o1", noon))
	add := func(id string) {
		w.do(func(tx store.Tx) error { return tx.AddNotices(event(id, "root", "a", "order.ready", "o1", noon)) })
	}
	add("e1")
	held := w.taken(noon, "me", 1)
	add("e2")
	w.do(func(tx store.Tx) error { return tx.RemoveChannel("root", "c1", noon) })
	add("e3")
	for _, entry := range []string{"e1", "e2"} {
		if n, err := w.Notice(ctx, "root", entry, "c1"); err != nil || n.State != store.NoticeDropped {
			t.Errorf("%s: %+v, %v", entry, n, err)
		}
	}
	if _, err := w.Notice(ctx, "root", "e3", "c1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("a removed channel hears of an event:", err)
	}
	err := w.Write(ctx, func(tx store.Tx) error {
		return tx.FinishNotice(held[0], "me", store.NoticeResult{State: store.NoticeSent})
	})
	if !errors.Is(err, store.ErrLeaseLost) {
		t.Error(err)
	}
	c, err := w.Channel(ctx, "root", "c1")
	if err != nil || len(c.Sealed) != 0 || c.Removed.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
	if list, err := w.Channels(ctx, store.ChannelFilter{Tenant: "root", Limit: 9}); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	for what, fn := range map[string]func(tx store.Tx) error{
		"removed": func(tx store.Tx) error { return tx.RemoveChannel("root", "c1", noon) },
		"changed": func(tx store.Tx) error { return tx.ChangeChannel(*c) },
	} {
		if err := w.Write(ctx, fn); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s after it was removed: %v", what, err)
		}
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.TriedChannel("root", "c1", time.Time{}, noon) }); !errors.Is(err, store.ErrConflict) {
		t.Error("tried after it was removed:", err)
	}
}

// testPostpone: what waits for a channel waits longer; a dead notice is revived.
func testPostpone(t *testing.T, w *world) {
	w.channels(channel("c1", "root", "", "x"), channel("c2", "root", "", "x"))
	w.put(fresh("root", "o1", noon))
	w.do(func(tx store.Tx) error {
		return errors.Join(tx.AddNotices(event("e1", "root", "a", "x", "o1", noon)), tx.AddNotices(event("e2", "root", "a", "x", "o1", noon)))
	})
	held := w.taken(noon, "me", 1)[0]
	later := noon.Add(time.Hour)
	w.do(func(tx store.Tx) error { return tx.PostponeNotices("c1", noon, later, 9) })
	if n, err := w.Notice(ctx, "root", "e2", "c1"); err != nil || !n.Due.Equal(later) {
		t.Errorf("%+v, %v", n, err)
	}
	if got := w.taken(noon, "me", 9); len(got) != 2 || got[0].Channel != "c2" || got[1].Channel != "c2" {
		t.Errorf("%+v", got)
	}
	revive := func(tenant string) error {
		return w.Write(ctx, func(tx store.Tx) error { return tx.ReviveNotice(tenant, held.Entry, held.Channel, later) })
	}
	if err := revive("root"); !errors.Is(err, store.ErrNotFound) {
		t.Error("revived what is not dead:", err)
	}
	w.do(func(tx store.Tx) error {
		return tx.FinishNotice(held, "me", store.NoticeResult{State: store.NoticeDead, At: noon, Reason: "gone"})
	})
	if err := revive("other"); !errors.Is(err, store.ErrNotFound) {
		t.Error("revived by another tenant:", err)
	}
	if err := revive("root"); err != nil {
		t.Error(err)
	}
	if n, err := w.Notice(ctx, "root", held.Entry, held.Channel); err != nil || n.State != store.NoticeDue || !n.Due.Equal(later) || n.Reason != "" {
		t.Errorf("%+v, %v", n, err)
	}
}

func testNoticeLists(t *testing.T, w *world) {
	w.channels(channel("c1", "root", "a", "x"), channel("c2", "root", "", "x"), channel("c3", "other", "", "x"))
	for _, o := range []string{"o1", "o2"} {
		w.put(fresh("root", o, noon))
	}
	w.put(fresh("other", "o3", noon))
	for i := range 12 {
		o := []string{"o1", "o2", "o3"}[i%3]
		tenant := map[string]string{"o3": "other"}[o]
		if tenant == "" {
			tenant = "root"
		}
		w.do(func(tx store.Tx) error {
			return tx.AddNotices(event(fmt.Sprintf("e%02d", i), tenant, "a", "x", o, noon.Add(time.Duration(i/4)*time.Second)))
		})
	}
	for _, n := range w.taken(noon, "me", 3) {
		w.do(func(tx store.Tx) error {
			return tx.FinishNotice(n, "me", store.NoticeResult{State: store.NoticeSent, At: noon})
		})
	}
	all, err := w.Notices(ctx, store.NoticeFilter{Tenant: "root", Limit: 200})
	if err != nil || len(all) != 16 {
		t.Fatalf("%d notices, %v", len(all), err)
	}
	for _, f := range []store.NoticeFilter{
		{},
		{Account: "a"},
		{Order: "o1"},
		{Channel: "c2"},
		{State: store.NoticeSent},
		{Order: "o2", Channel: "c1"},
		{Account: "a", State: store.NoticeDue},
		{Order: "o3"},
		{Channel: "c3"},
	} {
		f.Tenant, f.Limit = "root", 3
		var want, got []store.Notice
		for _, n := range all {
			if (f.Account == "" || n.Account == f.Account) && (f.Order == "" || n.Order == f.Order) && (f.Channel == "" || n.Channel == f.Channel) &&
				(f.State == "" || n.State == f.State) {
				want = append(want, n)
			}
		}
		for {
			list, err := w.Notices(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, list...)
			if len(list) < f.Limit {
				break
			}
			last := list[len(list)-1]
			f.Before = store.NoticeKey{At: last.At, Entry: last.Entry, Channel: last.Channel}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: %s", f, diff)
		}
	}
	n := 0
	w.do(func(tx store.Tx) (err error) {
		n, err = tx.Prune(store.Prune{Notices: noon.Add(time.Hour)}, 9)
		return err
	})
	left, err := w.Notices(ctx, store.NoticeFilter{Tenant: "root", Limit: 200})
	if err != nil || n != 3 || len(left)+n < 16 || slices.ContainsFunc(left, func(n store.Notice) bool { return n.State != store.NoticeDue }) {
		t.Errorf("%d were removed, %d are left, %v", n, len(left), err)
	}
}

func testEntry(t *testing.T, w *world) {
	w.append(3)
	got, err := w.Entry(ctx, entry(1).ID)
	if err != nil || got.ID != entry(1).ID || got.Action != entry(1).Action {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := w.Entry(ctx, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
