package storetest

import (
	"testing"

	"assay/internal/store"
)

// testCertificateNotices: a notice is about an order, a certificate or both, and is
// found by either; about nothing, or about what is not there, there is none.
func testCertificateNotices(t *testing.T, w *world) {
	w.channels(channel("c1", "root", "", "x"))
	w.put(fresh("root", "o1", noon))
	w.certify(certificate("o1", "0a", noon), "www.orchard.net")
	own := certificate("u1", "0b", noon)
	own.Source, own.Issuer = store.SourceUploaded, ""
	w.certify(own, "www.orchard.net")
	add := func(n store.NewNotice) error {
		n.Tenant, n.Event, n.At = "root", "x", noon
		return w.Write(ctx, func(tx store.Tx) error { return tx.AddNotices(n) })
	}
	for _, n := range []store.NewNotice{
		{Entry: "order", Order: "o1"}, {Entry: "issued", Order: "o1", Certificate: "o1"}, {Entry: "uploaded", Certificate: "u1"},
	} {
		if err := add(n); err != nil {
			t.Fatalf("%s: %v", n.Entry, err)
		}
	}
	for _, n := range []store.NewNotice{{Entry: "nothing"}, {Entry: "no certificate", Certificate: "none"}, {Entry: "no order", Order: "none"}} {
		if err := add(n); err == nil {
			t.Errorf("%s: written", n.Entry)
		}
	}
	for _, c := range []struct {
		f    store.NoticeFilter
		want []string
	}{
		{store.NoticeFilter{}, []string{"uploaded", "order", "issued"}},
		{store.NoticeFilter{Order: "o1"}, []string{"order", "issued"}},
		{store.NoticeFilter{Certificate: "o1"}, []string{"issued"}},
		{store.NoticeFilter{Certificate: "u1"}, []string{"uploaded"}},
		{store.NoticeFilter{Certificate: "u1", Channel: "c1", State: store.NoticeDue}, []string{"uploaded"}},
		{store.NoticeFilter{Order: "o1", Certificate: "u1"}, nil},
	} {
		c.f.Tenant, c.f.Limit = "root", 9
		list, err := w.Notices(ctx, c.f)
		if err != nil || len(list) != len(c.want) {
			t.Errorf("%+v: %+v, %v", c.f, list, err)
			continue
		}
		for i := range list {
			if list[i].Entry != c.want[i] {
				t.Errorf("%+v: %d is %s, want %s", c.f, i, list[i].Entry, c.want[i])
			}
		}
	}
	for _, n := range w.taken(noon, "me", 9) {
		want := store.Notice{Entry: n.Entry}
		switch n.Entry {
		case "order":
			want.Order = "o1"
		case "issued":
			want.Order, want.Certificate = "o1", "o1"
		default:
			want.Certificate = "u1"
		}
		if n.Order != want.Order || n.Certificate != want.Certificate {
			t.Errorf("%+v", n)
		}
	}
}
