package service

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/store"
)

const (
	// shardPlaces is how many certificates have their place in one shard of a CRL,
	// blockPlaces how many a process takes at a time.
	shardPlaces = 10_000
	blockPlaces = 100
	// watchAfter is how long after a download it is looked where a certificate is used.
	watchAfter = 10 * time.Minute
)

// AuthoritySettings say what our own CA is made of at the first start.
type AuthoritySettings struct {
	// Name is its subject; of the root and of the issuing CA differ in the common name.
	Name private.Name
	// Constraints are the names that it may certify; none: any.
	Constraints private.Constraints
	// URL is where lists and OCSP are served: http://ca.example.net. "": nowhere, and
	// certificates name neither. CAs that have none yet are given it at a start.
	URL string
	// KeyAt finds a key that is not kept here, by [store.Authority.KeyPlace]; nil:
	// none can be.
	KeyAt func(place string) (crypto.Signer, error)
}

// authorities are the CAs of our own that this process has the keys of.
type authorities struct {
	lock sync.RWMutex
	// byID are the issuing ones, active the one that issues.
	byID   map[string]*private.Authority
	active *private.Authority
	// roots are those that nobody else's certificate is above, rootOf the root of each CA.
	roots  []*x509.Certificate
	rootOf map[string]*x509.Certificate
	// certs are the certificates of all, rootKeys the keys of those roots that are here.
	certs    map[string]*x509.Certificate
	rootKeys map[string]crypto.Signer
	// away are those whose key was taken elsewhere, idle those that issued here and may
	// no more: somebody retired or revoked them while this process ran.
	away, idle map[string]bool
	settings   AuthoritySettings
}

// A block is a run of places in the shards of a CRL that this process has.
type block struct {
	lock  sync.Mutex
	next  int64
	until int64
}

// OpenAuthorities makes a root and an issuing CA where there are none, and takes
// all that there are into use.
func (s *Service) OpenAuthorities(ctx context.Context, in AuthoritySettings) (*private.Authority, error) {
	all, err := s.Store.Authorities(ctx)
	if err != nil {
		return nil, problemOf(err)
	}
	if len(all) == 0 {
		if err := s.firstAuthorities(ctx, in); err != nil {
			return nil, err
		}
		if all, err = s.Store.Authorities(ctx); err != nil {
			return nil, problemOf(err)
		}
	}
	if in.URL != "" && slices.ContainsFunc(all, placeless) {
		if all, err = s.placeAuthorities(ctx, all, in.URL); err != nil {
			return nil, err
		}
	}
	return s.takeAuthorities(all, in)
}

// placeless is an issuing CA whose certificates name neither lists nor OCSP.
func placeless(a store.Authority) bool {
	return a.Kind == store.AuthorityIssuing && a.State == store.AuthorityActive && a.URL == ""
}

// placeAuthorities gives issuing CAs that have no URL the one of this start: they keep it.
func (s *Service) placeAuthorities(ctx context.Context, all []store.Authority, url string) ([]store.Authority, error) {
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		for i := range all {
			a := all[i] // the unit may run again
			if !placeless(a) {
				continue
			}
			a.URL = url
			if err := tx.UpdateAuthority(&a); err != nil {
				return err
			}
			if err := s.audit(tx, operator(), nil, "ca.url", "ca:"+a.ID, map[string]any{"url": url}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrConflict) { // another process did
		return nil, problemOf(err)
	}
	all, err = s.Store.Authorities(ctx)
	return all, problemOf(err)
}

// firstAuthorities makes root and issuing CA. Of two processes that start at once
// one's are kept.
func (s *Service) firstAuthorities(ctx context.Context, in AuthoritySettings) error {
	rootKey, err := private.GenerateKey(elliptic.P384())
	if err != nil {
		return err
	}
	now := s.now()
	name := in.Name
	name.CommonName += " Root"
	root, err := private.CreateRoot(name, rootKey, now)
	if err != nil {
		return err
	}
	key, err := private.GenerateKey(elliptic.P256())
	if err != nil {
		return err
	}
	name = in.Name
	name.CommonName += " Issuing 1"
	issuing, err := private.CreateIssuing(name, key.Public(), in.Constraints, root, rootKey, urlsAt(in.URL, "root-1"), now)
	if err != nil {
		return err
	}
	rootRow, err := s.authorityRow("root-1", "", store.AuthorityRoot, root, rootKey)
	if err != nil {
		return err
	}
	row, err := s.authorityRow("issuing-1", "root-1", store.AuthorityIssuing, issuing, key)
	if err != nil {
		return err
	}
	rootRow.URL, row.URL = in.URL, in.URL
	p := Principal{Tenant: RootTenant, Token: serviceActor, Role: RoleAdministrator}
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		for _, a := range []*store.Authority{rootRow, row} {
			if err := tx.InsertAuthority(a); err != nil {
				return err
			}
			if err := s.audit(tx, p, nil, "ca.new", "ca:"+a.ID, map[string]any{"fingerprint": fingerprintOf(a.DER), "subject": a.Subject}); err != nil {
				return err
			}
		}
		return tx.EnsureCRL("root-1", 0, now)
	})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return problemOf(err)
}

func urlsAt(base, id string) private.URLs {
	if base == "" {
		return private.URLs{}
	}
	return private.URLsAt(base, id)
}

func authoritySecret(id string) string { return "authority:" + id }

// authorityRow is the row of a CA with its key sealed.
func (s *Service) authorityRow(id, parent, kind string, c *x509.Certificate, key crypto.Signer) (*store.Authority, error) {
	a := &store.Authority{
		ID: id, Parent: parent, Kind: kind, State: store.AuthorityActive, Subject: c.Subject.String(), DER: c.Raw, KeyPlace: store.KeyAway,
		NotAfter: c.NotAfter, Created: s.now(), Version: 1,
	}
	if key == nil {
		return a, nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %w", id, err)
	}
	a.KeyPlace = store.KeySealed
	a.Sealed, err = s.conceal(authoritySecret(id), der)
	return a, err
}

// authorityKey is the key of a CA; nil where it was taken elsewhere.
func (s *Service) authorityKey(a *store.Authority, in AuthoritySettings) (crypto.Signer, error) {
	switch a.KeyPlace {
	case store.KeyAway:
		return nil, nil
	case store.KeySealed:
		var der []byte
		if err := s.reveal(authoritySecret(a.ID), a.Sealed, &der); err != nil {
			return nil, err
		}
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("the key of the CA %s cannot be read", a.ID)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("the key of the CA %s cannot sign", a.ID)
		}
		return signer, nil
	}
	if in.KeyAt == nil {
		return nil, fmt.Errorf("the key of the CA %s is at %q, which this program cannot reach", a.ID, placeOf(a))
	}
	return in.KeyAt(a.KeyPlace)
}

// takeAuthorities takes CAs into use; the newest active issuing one that may issue now
// does.
func (s *Service) takeAuthorities(all []store.Authority, in AuthoritySettings) (*private.Authority, error) {
	slices.SortFunc(all, func(a, b store.Authority) int { return a.Created.Compare(b.Created) })
	f, err := familyOf(all)
	if err != nil {
		return nil, err
	}
	set := authorities{
		byID: map[string]*private.Authority{}, certs: f.certs, rootKeys: map[string]crypto.Signer{}, away: map[string]bool{}, idle: map[string]bool{},
		roots: f.roots(), rootOf: map[string]*x509.Certificate{}, settings: in,
	}
	for i := range all {
		a := &all[i]
		set.away[a.ID] = a.KeyPlace == store.KeyAway
		set.rootOf[a.ID] = f.hierarchy(a.ID).Root
		key, err := s.authorityKey(a, in)
		if err != nil && a.State != store.AuthorityActive {
			s.Log.Warn("a CA that was retired is not used: its lists are not signed", "ca", a.ID, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if a.Kind == store.AuthorityRoot && key != nil {
			set.rootKeys[a.ID] = key
		}
		if a.Kind == store.AuthorityRoot || key == nil {
			continue
		}
		ca, err := s.newAuthority(a, f.hierarchy(a.ID), key)
		if err != nil && (a.State != store.AuthorityActive || !private.ValidID(a.ID)) {
			s.Log.Warn("a CA is not used: its lists are not signed", "ca", a.ID, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		set.byID[a.ID] = ca
		if a.State != store.AuthorityActive {
			continue
		}
		if err := ca.Issues(s.now()); err != nil {
			s.Log.Warn("a CA issues no certificates; its lists and OCSP go on", "ca", a.ID, "error", err)
			continue
		}
		set.active = ca
	}
	s.own.lock.Lock()
	defer s.own.lock.Unlock()
	s.own.byID, s.own.active, s.own.roots, s.own.certs, s.own.rootKeys, s.own.settings = set.byID, set.active, set.roots, set.certs, set.rootKeys, set.settings
	s.own.away, s.own.idle, s.own.rootOf = set.away, set.idle, set.rootOf
	return set.active, nil
}

// newAuthority is what a CA signs with, as every start makes it.
func (s *Service) newAuthority(a *store.Authority, h private.Hierarchy, key crypto.Signer) (*private.Authority, error) {
	b, id := &block{}, a.ID
	return private.New(private.Config{
		ID: id, Hierarchy: h, Key: key, URLs: urlsAt(a.URL, id),
		NextShard: func(ctx context.Context) (int, error) { return s.nextShard(ctx, id, b) },
	})
}

// nextShard gives the next certificate its shard: places are taken from the store
// block by block, so that no shard ever has more than it may, whatever dies.
func (s *Service) nextShard(ctx context.Context, id string, b *block) (int, error) {
	if s.idle(id) {
		return 0, &issuer.Unavailable{Problem: "key-offline", Err: fmt.Errorf("the CA %s was retired or revoked: the next start takes another one", id)}
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.next == b.until {
		var n int64
		err := s.Store.Write(ctx, func(tx store.Tx) (err error) {
			if n, err = tx.NextBlock(id); err != nil {
				return err
			}
			return tx.EnsureCRL(id, n*blockPlaces/shardPlaces, s.now())
		})
		if err != nil {
			return 0, err
		}
		b.next, b.until = n*blockPlaces, (n+1)*blockPlaces
		s.wakeLists()
	}
	b.next++
	return int((b.next - 1) / shardPlaces), nil
}

// rootAbove is the root of a CA of our own, or the root of our own that a chain of
// another one leads to; nil: neither.
func (s *Service) rootAbove(id string, chain []*x509.Certificate) []byte {
	s.own.lock.RLock()
	defer s.own.lock.RUnlock()
	if root := s.own.rootOf[id]; root != nil && selfIssued(root) {
		return root.Raw
	}
	for _, root := range s.own.roots {
		for _, c := range chain {
			if c.CheckSignatureFrom(root) == nil {
				return root.Raw
			}
		}
	}
	return nil
}

// ownCA is a CA of our own whose key is here; nil: there is none of that id.
func (s *Service) ownCA(id string) *private.Authority {
	s.own.lock.RLock()
	defer s.own.lock.RUnlock()
	return s.own.byID[id]
}

// IssuerCertificates are the certificates of all CAs of our own, by id.
func (s *Service) IssuerCertificates() map[string]*x509.Certificate {
	s.own.lock.RLock()
	defer s.own.lock.RUnlock()
	return maps.Clone(s.own.certs)
}

// rootListLife is how long a list of a root holds (BR 4.9.7: up to 12 months).
const rootListLife = 180 * day

// listSigner signs the lists of a CA; nil where its key is not here.
func (s *Service) listSigner(id string) listSigning {
	if ca := s.ownCA(id); ca != nil {
		return func(ctx context.Context, c *store.CRL, entries []byte) ([]byte, error) {
			return ca.SignList(ctx, private.List{Number: c.Number, ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate, URL: ca.ShardURL(int(c.Shard)), Entries: entries})
		}
	}
	s.own.lock.RLock()
	key, cert := s.own.rootKeys[id], s.own.certs[id]
	s.own.lock.RUnlock()
	if key == nil || cert == nil {
		return nil
	}
	return rootListSigner(cert, key)
}

// A listSigning signs a list of which everything but the signature is known.
type listSigning func(ctx context.Context, c *store.CRL, entries []byte) ([]byte, error)

func rootListSigner(cert *x509.Certificate, key crypto.Signer) listSigning {
	return func(_ context.Context, c *store.CRL, entries []byte) ([]byte, error) {
		c.NextUpdate, c.Due = c.ThisUpdate.Add(rootListLife), c.ThisUpdate.Add(rootListLife/3)
		return private.SignList(cert, key, private.List{Number: c.Number, ThisUpdate: c.ThisUpdate, NextUpdate: c.NextUpdate, CAs: true, Entries: entries})
	}
}

// An AuthorityView is a CA of our own.
type AuthorityView struct {
	ID     string `json:"id"`
	Parent string `json:"parent,omitempty"`
	// Kind is "root", "intermediate" or "issuing", State "active", "ended", "retired" or
	// "revoked".
	Kind  string `json:"kind"`
	State string `json:"state"`
	// Reason and RevokedAt are those of its revocation.
	Reason    string     `json:"reason,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Subject   string     `json:"subject"`
	// Key is where its key is: "sealed" in the database, "away", or a place.
	Key         string    `json:"key"`
	Fingerprint string    `json:"fingerprint"`
	Certificate string    `json:"certificate"`
	NotAfter    time.Time `json:"not_after"`
	CreatedAt   time.Time `json:"created_at"`
	Version     int64     `json:"version"`
}
