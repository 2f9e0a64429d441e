package service

import (
	"testing"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/store"
	"assay/order"
)

// TestStateWords: what a problem says of a state or an action has a word in both
// languages, whichever it is.
func TestStateWords(t *testing.T) {
	t.Parallel()
	var ids []message.ID
	add := func(table string, words ...string) {
		for _, w := range words {
			ids = append(ids, message.ID(table+"."+w))
		}
	}
	for _, tr := range order.Transitions() {
		add("order.is", string(tr.From), string(tr.To))
		add("action", string(tr.Action))
	}
	add("action", "letter", "call", "claim", "change", "submit", "delete", "approve", "refuse")
	add("dossier.kind", string(store.DossierOrganization), string(store.DossierContact), string(store.DossierDomain))
	add("dossier.is", string(store.DossierDraft), string(store.DossierSubmitted), string(store.DossierOK), string(store.DossierInvalid), "expired")
	add("cert.is", string(order.CertificateValid), string(order.CertificateRevocationLetter), string(order.CertificateRevoking), string(order.CertificateRevoked), string(order.CertificateExpired))
	add("notify.is", string(store.NoticeDue), string(store.NoticeSent), string(store.NoticeQuiet), string(store.NoticeDead), string(store.NoticeDropped))
	en, zh := message.New(cause.English), message.New(cause.Chinese)
	for _, id := range ids {
		if !en.Has(string(id)) || !zh.Has(string(id)) || en.Text(string(id)) == zh.Text(string(id)) {
			t.Errorf("%s: %q in English, %q in Chinese", id, en.Text(string(id)), zh.Text(string(id)))
		}
	}
}
