// Package lint is the gate before the issuing key: what is to be signed is read
// as the rules for certificates demand it (RFC 5280, the Baseline Requirements,
// the root programmes), before it is signed (BR 4.3.1.2).
//
// [Gate.Check] signs a copy with a key that is thrown away with the process,
// runs the lints of zlint that the profile needs over it, and returns a
// [Ticket]. [Gate.Sign] signs what a ticket stands for, once.
//
// A lint of level error or fatal is a refusal; under a profile that gives
// issuance.lint-error a level that does not block, an error is a warning.
package lint

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"sync"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3/lint"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
	"assay/profile"
)

// Version is the linter's.
const Version = "zlint 3.7.1"

// maxTBS bounds what is linted: 100 names of 253 bytes and an RSA key are less
// than half.
const maxTBS = 64 << 10

// A Gate is the lint gate of one issuing key. It is safe for concurrent use.
type Gate struct {
	scheme    *Scheme
	throwaway crypto.Signer

	mu   sync.Mutex
	sets map[kind]*set
}

type kind struct {
	public bool
	ev     bool
}

// New makes the gate of an issuing key, and its throw-away key of the same type.
func New(issuing crypto.PublicKey) (*Gate, error) {
	s, err := SchemeOf(issuing)
	if err != nil {
		return nil, err
	}
	key, err := s.throwaway()
	if err != nil {
		return nil, fmt.Errorf("make the throw-away key of the lint gate: %w", err)
	}
	return &Gate{scheme: s, throwaway: key, sets: map[kind]*set{}}, nil
}

// Scheme is how certificates of this gate are signed.
func (g *Gate) Scheme() *Scheme { return g.scheme }

// Check lints the body of a certificate (RFC 5280 4.1.1.1) of a product under a
// profile. It returns the ticket to sign it, and what was found that does not
// stop it; or an [*issuer.Refusal] with every lint that does.
func (g *Gate) Check(ctx context.Context, tbs []byte, p *profile.Profile, product order.Product) (*Ticket, []issuer.Problem, error) {
	if len(tbs) > maxTBS {
		return nil, nil, refuse([]issuer.Problem{problem("fatal", "", "", fmt.Sprintf("the certificate would have %d bytes; %d are possible", len(tbs), maxTBS), false)})
	}
	tbs = bytes.Clone(tbs)
	s, err := g.set(p.Public, product)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	der, err := g.scheme.sign(g.throwaway, tbs)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the copy to be linted: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, refuse([]issuer.Problem{problem("fatal", "", "", err.Error(), false)})
	}
	stops, warnings := judge(structure(c), p, product)
	for i, l := range s.lints {
		if i%32 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
		}
		if passes(l.Name, c) {
			continue
		}
		if found := finding(l, l.Execute(c, s.config)); found != nil {
			stop, warn := judge([]result{*found}, p, product)
			stops, warnings = append(stops, stop...), append(warnings, warn...)
		}
	}
	if len(stops) > 0 {
		return nil, nil, refuse(stops)
	}
	return &Ticket{gate: g, tbs: tbs, lints: fmt.Sprintf("%s, %d lints", Version, len(s.lints))}, warnings, nil
}

// Names lists the lints of zlint that certificates of a product go through under a
// profile.
func (g *Gate) Names(p *profile.Profile, product order.Product) ([]string, error) {
	s, err := g.set(p.Public, product)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(s.lints))
	for i, l := range s.lints {
		names[i] = l.Name
	}
	return names, nil
}

func refuse(problems []issuer.Problem) error { return &issuer.Refusal{Problems: problems} }

// set is the set for a kind of certificate, made once.
func (g *Gate) set(public bool, product order.Product) (*set, error) {
	k := kind{public, product == order.EV}
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.sets[k]; s != nil {
		return s, nil
	}
	s, err := choose(public, product)
	if err != nil {
		return nil, fmt.Errorf("choose the lints: %w", err)
	}
	g.sets[k] = s
	return s, nil
}

// judge sorts results into those that stop the certificate and those that do
// not: a certificate that cannot be read is stopped under every profile.
func judge(results []result, p *profile.Profile, product order.Product) (stops, warnings []issuer.Problem) {
	for _, r := range results {
		found := problem(r.word, r.lint, r.field, r.detail, r.ours)
		level := p.Level(cause.IssuanceLintError, product, conditions(r.ours)...)
		if r.status == lint.Fatal || (r.status == lint.Error && level.Blocks()) {
			stops = append(stops, found)
		} else {
			warnings = append(warnings, found)
		}
	}
	return stops, warnings
}

func conditions(ours bool) []string {
	if ours {
		return []string{"profile"}
	}
	return nil
}
