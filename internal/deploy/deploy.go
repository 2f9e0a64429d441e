// Package deploy looks whether a certificate is in use: what every address of its
// names shows on port 443, and which keys TLSA records pin. It asks places, which
// resolve and dial behind the guard, and judges by package review; it keeps
// nothing and knows no store.
package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"assay/evidence"
	"assay/perspective"
	"assay/profile"
	"assay/review"
)

// Limits of one watch.
const (
	// MaxNames is how many names are looked at, the first ones: each has at most 8
	// addresses of a family.
	MaxNames = 20
	// MaxTime is how long all of it takes at most.
	MaxTime = 2 * time.Minute
	// atOnce is how many names are looked at together.
	atOnce = 5
)

// A Watcher looks from places and judges by a profile. It is safe for concurrent
// use.
type Watcher struct {
	// Places are looked from, at least one, each at every address.
	Places  []perspective.Place
	Profile *profile.Profile
	// Now is the clock; nil: the system's.
	Now func() time.Time
	// Time bounds a watch; 0: [MaxTime].
	Time time.Duration
}

// A Result is what was seen and what is wrong with it.
type Result struct {
	*review.Judgement
	// Addresses say what each address of each name shows to each place.
	Addresses []Address `json:"addresses"`
	// Skipped are names that were not looked at: wildcards, what is no host name,
	// and those beyond MaxNames.
	Skipped []string `json:"skipped,omitempty"`
}

// An Address is what one address shows for a name.
type Address struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	Place   string `json:"place"`
	State   State  `json:"state"`
	// Problem says why nothing is shown: a word of [evidence.Dial] or
	// [evidence.Failure], or why it could not be asked.
	Problem string `json:"problem,omitempty"`
	// SHA256 and NotAfter are the certificate's that is shown.
	SHA256   string     `json:"sha256,omitempty"`
	NotAfter *time.Time `json:"not_after,omitempty"`
}

// State is what an address shows.
type State string

// The states of an address.
const (
	Current State = "current" // the certificate
	Other   State = "other"   // another one
	Silent  State = "silent"  // none: no address, no connection or no handshake
	Unknown State = "unknown" // could not be asked, for a reason that lies with us
)

// Watch looks at a certificate once. Addresses that do not answer and what could
// not be asked are no findings: they stand in the result. The error is for a
// deployment without a readable certificate and a watcher without a place.
func (w *Watcher) Watch(ctx context.Context, d *evidence.Deployment) (*Result, error) {
	if len(w.Places) == 0 {
		return nil, errors.New("looking at a deployment: there is no place to look from")
	}
	now := w.Now
	if now == nil {
		now = time.Now
	}
	limit := w.Time
	if limit <= 0 {
		limit = MaxTime
	}
	names, skipped := choose(d.Names)
	looked := *d
	looked.Names = names
	// Before anything is sent: whether there is something to compare with.
	if _, err := review.JudgeDeployment(&looked, nil, w.Profile, now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	seen := make([][]evidence.Observation, len(w.Places))
	var looks sync.WaitGroup
	for i, place := range w.Places {
		looks.Go(func() { seen[i] = look(ctx, place, names) })
	}
	looks.Wait()
	all := slices.Concat(seen...)
	j, err := review.JudgeDeployment(&looked, all, w.Profile, now())
	if err != nil {
		return nil, err
	}
	return &Result{Judgement: j, Addresses: addresses(&looked, all), Skipped: skipped}, nil
}

// choose tells the names that can be looked at, each once, in A-labels and lower
// case as certificates hold them.
func choose(names []string) (looked, skipped []string) {
	for _, n := range names {
		n = strings.ToLower(strings.TrimSuffix(n, "."))
		switch {
		case slices.Contains(looked, n):
		case !lookable(n) || len(looked) == MaxNames:
			skipped = append(skipped, n)
		default:
			looked = append(looked, n)
		}
	}
	return looked, skipped
}

func lookable(n string) bool {
	if _, err := netip.ParseAddr(n); err == nil {
		return true
	}
	if n == "" || len(n) > 240 || !strings.Contains(n, ".") {
		return false
	}
	for label := range strings.SplitSeq(n, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
		}) {
			return false
		}
	}
	return true
}

// look asks a place, a few names at a time.
func look(ctx context.Context, place perspective.Place, names []string) []evidence.Observation {
	l := place.Begin()
	defer l.Close()
	id := place.About().ID
	var all []evidence.Observation
	for some := range slices.Chunk(names, atOnce) {
		var questions []evidence.Question
		for _, n := range some {
			questions = append(questions, evidence.ServedQuestion(id, n))
			if _, err := netip.ParseAddr(n); err != nil {
				questions = append(questions, evidence.TLSAQuestion(id, n))
			}
		}
		all = append(all, l.Answer(ctx, questions)...)
	}
	return all
}

// addresses says what each address shows.
func addresses(d *evidence.Deployment, seen []evidence.Observation) []Address {
	sum := sha256.Sum256(d.Leaf)
	current := hex.EncodeToString(sum[:])
	list := []Address{}
	for i := range seen {
		o := &seen[i]
		if o.Question.TLS == nil {
			continue
		}
		at := Address{Name: o.Question.TLS.Name, Place: o.Question.Perspective}
		if o.Unknown != "" || o.TLS == nil {
			at.State, at.Problem = Unknown, o.Unknown
			list = append(list, at)
			continue
		}
		if len(o.TLS.Handshakes) == 0 {
			at.State, at.Problem = Silent, "no-address"
			list = append(list, at)
		}
		for k := range o.TLS.Handshakes {
			list = append(list, at.shows(&o.TLS.Handshakes[k], current))
		}
	}
	return list
}

func (at Address) shows(h *evidence.Handshake, current string) Address {
	at.Address = h.Address
	switch {
	case h.Unknown != "":
		at.State, at.Problem = Unknown, h.Unknown
	case h.Info == nil || len(h.Info.Certificates) == 0:
		at.State, at.Problem = Silent, h.Error
		if h.Dial.Error != "" {
			at.Problem = h.Dial.Error
		}
	default:
		c := &h.Info.Certificates[0]
		at.State, at.SHA256 = Other, c.SHA256
		if !c.NotAfter.IsZero() {
			end := c.NotAfter.UTC()
			at.NotAfter = &end
		}
		if c.SHA256 == current {
			at.State = Current
		}
	}
	return at
}
