package harness

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/crypto/ocsp"

	"assay/internal/issuer"
)

// reasons are those that clients revoke for.
var reasons = []string{"superseded", "cessation-of-operation", issuer.Reasons()[issuer.KeyCompromise]}

// certificates are what clients saw of certificates, lists and OCSP, part of a
// [book] and under its lock.
type certificates struct {
	// issued are the orders that clients know to have a certificate.
	issued []string
	// seen are the certificates that were handed out, by order; prints the SHA-256 that
	// orders and certificates were shown with.
	seen   map[string][]byte
	prints map[string]string
	// signed are all that keys made, by SHA-256.
	signed map[string]*x509.Certificate
	// revoked are the revocations that were acknowledged, by certificate; dead what
	// OCSP said is revoked.
	revoked map[string]deed
	dead    map[string]bool
	// knows are those that a server of this round has revoked or said to be revoked, by
	// server and certificate; fixed those that were when the round began.
	knows, fixed map[string]bool
	// lists are those that clients got, by shard and number.
	lists map[int64]map[int64]*x509.RevocationList
	// newest is the highest number of a shard that a server has answered with, by
	// server and shard; floor what all had when the round began.
	newest, floor map[string]int64
	ca            *x509.Certificate
	// given is how many serial numbers were given up, when it was last proved.
	given int
	// revokes is told of acknowledged revocations.
	revokes chan struct{}
}

func newCertificates() certificates {
	return certificates{
		seen: map[string][]byte{}, prints: map[string]string{}, signed: map[string]*x509.Certificate{}, revoked: map[string]deed{}, dead: map[string]bool{},
		knows: map[string]bool{}, fixed: map[string]bool{},
		lists: map[int64]map[int64]*x509.RevocationList{}, newest: map[string]int64{}, floor: map[string]int64{},
		revokes: make(chan struct{}, 1),
	}
}

func (c *certificates) describe() string {
	lists, entries := 0, 0
	for _, l := range c.lists {
		lists += len(l)
		for _, one := range l {
			entries = max(entries, len(one.RevokedCertificateEntries))
		}
	}
	return fmt.Sprintf("%d certificates signed, %d handed out, %d revocations, %d OCSP answers of them, %d lists of up to %d", len(c.signed), len(c.seen), len(c.revoked), len(c.dead), lists, entries)
}

// shows reports whether enough was seen during n kills to show anything.
func (c *certificates) shows(n int) bool {
	return n < perDatabase || len(c.seen) > 0 && len(c.revoked) > 0 && len(c.lists) > 0
}

// opens is called when a round begins: what one server said holds for those that
// are started now.
func (b *book) opens() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for at, n := range b.newest {
		shard := at[strings.LastIndexByte(at, ' '):]
		b.floor[shard] = max(b.floor[shard], n)
	}
	clear(b.newest)
	for id := range b.revoked {
		b.fixed[id] = true
	}
	maps.Copy(b.fixed, b.dead)
	clear(b.knows)
}

// pick is an order that is known to have a certificate, or "".
func (b *book) pick(r *mathrand.Rand) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.issued) == 0 {
		return ""
	}
	return b.issued[r.IntN(len(b.issued))]
}

// signatures writes down what a key made.
func (b *book) signatures(all [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, der := range all {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			b.wrong = append(b.wrong, fmt.Sprintf("the key made what is no certificate: %v", err))
			continue
		}
		b.signed[fingerprint(der)] = c
	}
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func serialOf(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }

// look is a client that reads: an order, a certificate, a list, an OCSP response.
func (b *book) look(ctx context.Context, client *http.Client, server string, r *mathrand.Rand) {
	b.mu.Lock()
	orders := b.orders
	b.mu.Unlock()
	if len(orders) == 0 {
		return
	}
	id := orders[r.IntN(len(orders))]
	switch r.IntN(6) {
	case 0:
		b.showOrder(id, b.get(ctx, client, server+"/api/v1/orders/"+id))
	case 1, 2:
		id = b.awaited(r, id)
		b.handedOut(id, b.get(ctx, client, server+"/api/v1/certificates/"+id+"/file?format=pem"))
	case 3:
		b.list(ctx, client, server, int64(r.IntN(2)))
	case 4:
		b.list(ctx, client, server, 0)
	case 5:
		if id = b.pick(r); id != "" {
			b.ocsp(ctx, client, server, id)
		}
	}
}

// awaited is an order whose certificate is still waited for, if there is one.
func (b *book) awaited(r *mathrand.Rand, otherwise string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for _, d := range b.sent {
		if a, told := b.done[d.key]; told && d.does == "apply" && b.seen[a.ID] == nil && (fateOf(d.name) == passes || fateOf(d.name) == asks) {
			ids = append(ids, a.ID)
		}
	}
	if len(ids) == 0 || r.IntN(4) == 0 {
		return otherwise
	}
	return ids[r.IntN(len(ids))]
}

// get is the body of an answer 200, nil of any other.
func (b *book) get(ctx context.Context, client *http.Client, url string) []byte {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil
	}
	q.Header.Set("Authorization", "Bearer "+b.token)
	return answerOf(client.Do(q))
}

func answerOf(resp *http.Response, err error) []byte {
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return raw
}

func (b *book) showOrder(id string, raw []byte) {
	var v struct {
		State       string
		Certificate struct{ Fingerprint string }
	}
	if raw == nil || json.Unmarshal(raw, &v) != nil || v.State != "issued" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.print(id, v.Certificate.Fingerprint)
}

// print writes down what a certificate was shown with.
func (b *book) print(id, print string) {
	if print == "" {
		b.wrong = append(b.wrong, fmt.Sprintf("order %s is issued, and shows no certificate", id))
		return
	}
	if before := b.prints[id]; before != "" && before != print {
		b.wrong = append(b.wrong, fmt.Sprintf("two certificates: order %s was shown with %s and with %s", id, before, print))
	}
	b.prints[id] = print
	if !slices.Contains(b.issued, id) {
		b.issued = append(b.issued, id)
	}
}

func (b *book) handedOut(id string, raw []byte) {
	block, _ := pem.Decode(raw)
	if raw == nil || block == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if before := b.seen[id]; before != nil && !bytes.Equal(before, block.Bytes) {
		b.wrong = append(b.wrong, fmt.Sprintf("two certificates: order %s was handed out %s and %s", id, fingerprint(before), fingerprint(block.Bytes)))
	}
	b.seen[id] = block.Bytes
	b.print(id, fingerprint(block.Bytes))
}

// list gets a shard of the list, and compares it with what was seen of it before.
func (b *book) list(ctx context.Context, client *http.Client, server string, shard int64) {
	name := fmt.Sprintf(" %d", shard)
	b.mu.Lock()
	before := max(b.newest[server+name], b.floor[name])
	b.mu.Unlock()
	raw := b.get(ctx, client, fmt.Sprintf("%s/crl/%s/%d.crl", server, caID, shard))
	if raw == nil {
		return
	}
	l, err := x509.ParseRevocationList(raw)
	if err != nil {
		b.blame("shard %d of the list: %v", shard, err)
		return
	}
	number := l.Number.Int64()
	b.mu.Lock()
	defer b.mu.Unlock()
	if number < before {
		b.wrong = append(b.wrong, fmt.Sprintf("list: shard %d has number %d after %d", shard, number, before))
	}
	b.newest[server+name] = max(b.newest[server+name], number)
	if b.lists[shard] == nil {
		b.lists[shard] = map[int64]*x509.RevocationList{}
	}
	if other := b.lists[shard][number]; other != nil && !bytes.Equal(other.Raw, raw) {
		b.wrong = append(b.wrong, fmt.Sprintf("list: two of shard %d have the number %d", shard, number))
	}
	b.lists[shard][number] = l
}

// ocsp asks what became of a certificate. It is revoked for a server that revoked it, or
// has said so, and for all that were started since; others that run may take 15 seconds.
func (b *book) ocsp(ctx context.Context, client *http.Client, server, id string) {
	b.mu.Lock()
	der, ca := b.seen[id], b.ca
	must := b.fixed[id] || b.knows[server+" "+id]
	b.mu.Unlock()
	if ca == nil {
		ca, _ = x509.ParseCertificate(b.get(ctx, client, server+"/ca/"+caID+".crt"))
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil || ca == nil {
		return
	}
	raw, err := ocsp.CreateRequest(leaf, ca, &ocsp.RequestOptions{Hash: crypto.SHA1})
	if err != nil {
		b.blame("OCSP: %v", err)
		return
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/ocsp", bytes.NewReader(raw))
	if err != nil {
		return
	}
	q.Header.Set("Content-Type", "application/ocsp-request")
	answer := answerOf(client.Do(q))
	if answer == nil {
		return
	}
	r, err := ocsp.ParseResponseForCert(answer, leaf, ca)
	if _, unsigned := err.(ocsp.ResponseError); unsigned && string(answer) == string(ocsp.TryLaterErrorResponse) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ca = ca
	switch {
	case err != nil:
		b.wrong = append(b.wrong, fmt.Sprintf("OCSP of certificate %s, that was handed out: %v", id, err))
	case r.Status == ocsp.Revoked:
		b.dead[id], b.knows[server+" "+id] = true, true
	case must:
		b.wrong = append(b.wrong, fmt.Sprintf("revocation lost: OCSP says %d of certificate %s, which is revoked", r.Status, id))
	}
}
