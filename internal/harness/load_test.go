package harness

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"assay/order"
)

// A deed is one request with a key, which its client repeats until it is told
// what became of it.
type deed struct {
	key, path, body string
	// does is "apply", "token", or what is done to an order; desk is set where a
	// reviewer does it.
	does, order string
	desk        bool
	// name is what the request makes.
	name string
}

// A book is what the clients remember: what they asked for and what they were
// told. Nothing of it comes from the database.
type book struct {
	several bool // servers on one database
	mu      sync.Mutex
	token   string
	next    int
	// reviewer is the token of who reviews; waiting are the orders that a
	// reviewer will have to decide about.
	reviewer string
	waiting  []string
	// sent are all deeds, done the answers to those that were acknowledged.
	sent   map[string]deed
	done   map[string]answer
	unsure []deed // asked and not answered
	orders []string
	// published is where values are published; values are those of acknowledged
	// orders, by name.
	published string
	values    map[string]string
	// unavailable is how many requests the server could not do now.
	unavailable int
	// passed and failed are how often an order did, when it was last proved.
	passed, failed int
	// decided is how many decisions of people there were then.
	decided int
	// repeated is how many requests were sent again after an answer; wrong is
	// what clients could see was not right.
	repeated int
	wrong    []string
	// certificates are what clients saw of certificates.
	certificates
	// ear hears the notices; nil: nobody does.
	ear *ear
	// heard is told of answers.
	heard chan struct{}
}

// An answer is what a client was told.
type answer struct {
	ID      string      `json:"id"`
	Version int64       `json:"version"`
	State   order.State `json:"state"`
}

func newBook(published string) *book {
	return &book{published: published, values: map[string]string{}, sent: map[string]deed{}, done: map[string]answer{}, heard: make(chan struct{}, 1), certificates: newCertificates()}
}

// most is how many orders a book begins.
const most = 24

// think makes up the next request, or takes one that was not answered.
func (b *book) think(ctx context.Context, client *http.Client, server string, r *mathrand.Rand) (deed, error) {
	b.mu.Lock()
	if n := len(b.unsure); n > 0 {
		d := b.unsure[n-1]
		b.unsure = b.unsure[:n-1]
		b.mu.Unlock()
		return d, nil
	}
	b.next++
	d := deed{key: fmt.Sprintf("k%d", b.next), name: nameOf(b.next)}
	orders, waiting := b.orders, b.waiting
	b.mu.Unlock()
	choice := r.IntN(18)
	issued := b.pick(r)
	switch {
	case choice >= 16 && issued != "":
		d.does, d.order = "revoke", issued
		d.path, d.body = "/api/v1/certificates/"+issued+"/revoke", fmt.Sprintf(`{"reason":%q}`, reasons[r.IntN(len(reasons))])
	case choice >= 10 && len(waiting) > 0 && b.reviewer != "":
		d.order = waiting[r.IntN(len(waiting))]
		b.judge(ctx, client, server, r, &d)
	case len(orders) == 0 || choice < 4 && len(orders) < most:
		request, err := request(d.name)
		if err != nil {
			return d, err
		}
		body, err := json.Marshal(map[string]any{"order": map[string]any{"product": "dv", "method": "dns", "names": []string{d.name}, "csr": request}})
		if err != nil {
			return d, err
		}
		d.does, d.path, d.body = "apply", "/api/v1/orders", string(body)
	case choice == 4:
		d.does, d.path, d.body = "token", "/api/v1/tokens", fmt.Sprintf(`{"role":"applicant","name":%q}`, d.name)
	default:
		d.order = orders[r.IntN(len(orders))]
		d.does = []string{"verify", "verify", "verify", "resubmit", "cancel"}[choice%5]
		d.path = "/api/v1/orders/" + d.order + "/" + d.does
	}
	b.mu.Lock()
	b.sent[d.key] = d
	b.mu.Unlock()
	return d, nil
}

func request(name string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}, key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), err
}

// use is a client that does one deed after another until its server is gone.
// Each request is sent up to times times, acknowledged or not.
func (b *book) use(ctx context.Context, server string, r *mathrand.Rand, times int) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	for ctx.Err() == nil {
		if r.IntN(3) == 0 {
			b.look(ctx, client, server, r)
			continue
		}
		d, err := b.think(ctx, client, server, r)
		if err != nil {
			b.blame("%v", err)
			return
		}
		for range 1 + r.IntN(times) { // whether it was answered or not
			if alive := b.send(ctx, client, server, d); !alive {
				return
			}
		}
	}
}

// send sends a deed once and writes down what came of it.
func (b *book) send(ctx context.Context, client *http.Client, server string, d deed) (alive bool) {
	token := b.token
	if d.desk {
		token = b.reviewer
	}
	status, replayed, raw, err := post(ctx, client, server+d.path, token, d)
	if err == nil {
		select {
		case b.heard <- struct{}{}:
		default: // somebody said so
		}
	}
	if err != nil || status >= 500 {
		b.mu.Lock()
		if !slices.ContainsFunc(b.unsure, func(u deed) bool { return u.key == d.key }) {
			b.unsure = append(b.unsure, d)
		}
		b.mu.Unlock()
		if err == nil {
			b.failure(d, status, raw)
		}
		return err == nil
	}
	if status >= 300 {
		b.refused(d, status, raw)
		return true
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		b.blame("%s: %v", d.path, err)
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if before, again := b.done[d.key]; again {
		b.repeated++
		if before != a {
			b.wrong = append(b.wrong, fmt.Sprintf("double effect: request %s (%s) was answered %+v, and repeated %+v", d.key, d.does, before, a))
		}
		return true
	}
	b.done[d.key] = a
	if d.does == "revoke" {
		b.revoked[d.order] = d
		// What is only said again another server may have done.
		if !replayed || !b.several {
			b.knows[server+" "+d.order] = true
		}
		select {
		case b.revokes <- struct{}{}:
		default: // somebody said so
		}
	}
	if d.does == "apply" {
		b.orders = append(b.orders, a.ID)
		if fateOf(d.name) == asks {
			b.waiting = append(b.waiting, a.ID)
		}
		if err := b.publish(d, raw); err != nil {
			b.wrong = append(b.wrong, err.Error())
		}
	}
	return true
}

// failure: the server may say that it cannot now, in words.
func (b *book) failure(d deed, status int, raw []byte) {
	var problem struct {
		Kind, Title, Detail string
	}
	err := json.Unmarshal(raw, &problem)
	if err != nil || status != http.StatusServiceUnavailable || problem.Kind != "unavailable" || problem.Title == "" || problem.Detail == "" {
		b.blame("%s %s: %d %s", d.does, d.order, status, raw)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unavailable++
}

// counts are how many requests the server could not do, and how many it did.
func (b *book) counts() (unavailable, done int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unavailable, len(b.done)
}

// publish does what the applicant of an acknowledged order was told to do.
func (b *book) publish(d deed, raw []byte) error {
	var told struct {
		Challenges []order.Challenge `json:"challenges"`
	}
	if err := json.Unmarshal(raw, &told); err != nil {
		return err
	}
	if len(told.Challenges) != 1 || told.Challenges[0].Value == "" {
		return fmt.Errorf("the order for %s was acknowledged without a value: %s", d.name, raw)
	}
	b.values[d.name] = told.Challenges[0].Value
	return publish(b.published, d.name, told.Challenges[0].Value)
}

// refused: that is an answer too, but none to what was acknowledged before.
func (b *book) refused(d deed, status int, raw []byte) {
	b.mu.Lock()
	_, acknowledged := b.done[d.key]
	b.mu.Unlock()
	if acknowledged {
		b.blame("double effect: request %s (%s) was acknowledged, and repeated answered %d %s", d.key, d.does, status, raw)
	}
	if status != http.StatusConflict && !strings.Contains(string(raw), `"wrong-state"`) {
		b.blame("%s %s: %d %s", d.does, d.order, status, raw)
	}
}

func (b *book) blame(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
}

func post(ctx context.Context, client *http.Client, url, token string, d deed) (status int, replayed bool, raw []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(d.body))
	if err != nil {
		return 0, false, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Idempotency-Key", d.key)
	if d.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, false, nil, err
	}
	defer resp.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return resp.StatusCode, resp.Header.Get("Idempotency-Replayed") != "", raw, err
}
