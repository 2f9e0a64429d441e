package harness

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/issuer/status"
	"assay/internal/service"
	"assay/internal/store"
)

const (
	// caID is the CA that issues.
	caID = "issuing-1"
	// device is where its key is.
	device = "harness:device"
	// blockPlaces are how many certificates have their places in a block of a list's
	// shard, shardPlaces how many a shard has.
	blockPlaces, shardPlaces = 100, 10_000
	// used are the blocks that were given out before: the second shard begins soon.
	used = shardPlaces/blockPlaces - 3
)

func settings(keyAt func(string) (crypto.Signer, error)) service.AuthoritySettings {
	return service.AuthoritySettings{Name: private.Name{CommonName: "Orchard", Organization: "Orchard", Country: "CN"}, URL: "http://ca.orchard.net", KeyAt: keyAt}
}

// firstCA makes the CA, where there is none, with a store and a clock that are in
// order, and has its key in a [device].
func firstCA(ctx context.Context, db store.Store, p part) error {
	all, err := db.Authorities(ctx)
	if err != nil || len(all) > 0 {
		return err
	}
	s, err := newService(db, p.Published, func() time.Time { return time.Now().Add(-2 * jump) }, lease)
	if err != nil {
		return err
	}
	if _, err := s.OpenAuthorities(ctx, settings(nil)); err != nil {
		return err
	}
	a, err := issuingCA(ctx, db)
	if err != nil {
		return err
	}
	a.KeyPlace = device
	return db.Write(ctx, func(tx store.Tx) error {
		for range used {
			if _, err := tx.NextBlock(caID); err != nil {
				return err
			}
		}
		return tx.UpdateAuthority(a)
	})
}

func issuingCA(ctx context.Context, db store.Store) (*store.Authority, error) {
	all, err := db.Authorities(ctx)
	for i := range all {
		if all[i].ID == caID {
			return &all[i], err
		}
	}
	return nil, errors.Join(err, errors.New("there is no CA"))
}

// openCA has a service issue with the CA, and serve lists and OCSP. tell is told of
// each certificate that its key made.
func openCA(ctx context.Context, s *service.Service, db store.Store, p part, tell func(der []byte)) (*witness, error) {
	a, err := issuingCA(ctx, db)
	if err != nil {
		return nil, err
	}
	sealed, err := (sealer{}).Open("authority:"+caID, a.Sealed)
	if err != nil {
		return nil, err
	}
	var der []byte
	if err := json.Unmarshal(sealed, &der); err != nil {
		return nil, err
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	w := &witness{tell: tell, defect: p.Defect, key: k.(*ecdsa.PrivateKey), early: map[string][]byte{}}
	if p.Fickle {
		w.away = filepath.Join(p.Published, "away")
	}
	ca, err := s.OpenAuthorities(ctx, settings(func(string) (crypto.Signer, error) { return w, nil }))
	if err != nil {
		return nil, err
	}
	w.Issuer = ca
	s.Issuer = func(string) issuer.Issuer { return w }
	w.status, err = status.New(status.Config{Source: s.StatusSource(), Recheck: time.Millisecond})
	if err != nil {
		return nil, err
	}
	s.OnRevoked, s.OnList = w.status.Forget, w.status.ForgetList
	return w, w.status.SetIssuers(s.IssuerCertificates())
}

// A witness is the CA, and says of every certificate that its key made it, as the
// log of a device does. What it says outlives its process.
type witness struct {
	issuer.Issuer
	status *status.Handler
	tell   func(der []byte)
	key    *ecdsa.PrivateKey
	// away is the file that has the key not sign while it is there.
	away   string
	defect string
	mu     sync.Mutex
	// early are certificates that are handed out before they are stored, by order.
	early map[string][]byte
	// asks are who asked, by serial number.
	asks sync.Map
}

// Public and Sign are the key's.
func (w *witness) Public() crypto.PublicKey { return w.key.Public() }

func (w *witness) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if w.away != "" {
		if _, err := os.Stat(w.away); err == nil {
			return nil, errors.New("the device does not answer")
		}
	}
	return w.key.Sign(random, digest, opts)
}

func (w *witness) Prepare(ctx context.Context, r *issuer.Request) (*issuer.Prepared, error) {
	p, err := w.Issuer.Prepare(ctx, r)
	if err == nil {
		w.asks.Store(p.Serial, r.Order)
	}
	return p, err
}

func (w *witness) Complete(ctx context.Context, p *issuer.Prepared) (*issuer.Issued, error) {
	var c *issuer.Issued
	var err error
	if w.defect == again && p.Ticket == nil {
		c, err = w.anew(p)
	} else {
		c, err = w.Issuer.Complete(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	slow := 3 * time.Millisecond // as a device
	if id, asked := w.asks.Load(p.Serial); asked && w.defect == eager {
		w.mu.Lock()
		w.early[id.(string)] = c.Certificate.Raw
		w.mu.Unlock()
		slow *= 50 // somebody gets it
		<-time.After(slow)
	}
	w.tell(c.Certificate.Raw)
	<-time.After(slow)
	return c, nil
}

// Resume is right, but for a defect.
func (w *witness) Resume(ctx context.Context, r *issuer.Request, a *issuer.Attempt) (*issuer.Prepared, error) {
	if w.defect != again {
		return w.Issuer.Resume(ctx, r, a)
	}
	return &issuer.Prepared{Serial: a.Serial, TBS: a.TBS, State: a.State, Shard: a.Shard}, nil
}

// anew signs what was prepared, whoever signed it before.
func (w *witness) anew(p *issuer.Prepared) (*issuer.Issued, error) {
	digest := sha256.Sum256(p.TBS)
	signature, err := w.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: p.TBS}, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	return &issuer.Issued{Certificate: c}, err
}

// before serves what a CA serves to whoever meets a certificate, and with a defect
// certificates that nobody stored.
func (w *witness) before(api http.Handler) http.Handler {
	return w.status.Before(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		id, isFile := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/api/v1/certificates/"), "/file")
		w.mu.Lock()
		der := w.early[id]
		w.mu.Unlock()
		if isFile && der != nil {
			_ = pem.Encode(out, &pem.Block{Type: "CERTIFICATE", Bytes: der})
			return
		}
		api.ServeHTTP(out, r)
	}))
}
