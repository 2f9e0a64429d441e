package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"assay/perspective/wire"
)

// joining is the one join code that is open, if any.
type joining struct {
	mu      sync.Mutex
	secret  [16]byte
	until   time.Time
	by      string // the coordinator that used it: only that one may again
	failing bucket
}

// open reports whether somebody is expected.
func (j *joining) open(now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return now.Before(j.until)
}

// OpenJoin makes a join code, good for one coordinator and so long. A code that
// was open before is not any more. Address is where coordinators reach this
// agent.
func (a *Agent) OpenJoin(address string, valid time.Duration) (*wire.Code, error) {
	if err := wire.CheckAddress(address); err != nil {
		return nil, err
	}
	c := &wire.Code{
		Address: address, Agent: a.c.Identity.Private.Public().(ed25519.PublicKey),
		Expires: a.c.Now().Add(valid).Truncate(time.Second).UTC(),
	}
	rand.Read(c.Secret[:]) //nolint:errcheck // crypto/rand never fails
	j := &a.joining
	j.mu.Lock()
	defer j.mu.Unlock()
	j.secret, j.until, j.by = c.Secret, c.Expires, ""
	return c, nil
}

// join lets a coordinator in that proves to know the open code. The one that did
// may do so again until the code expires: its answer may have been lost.
func (a *Agent) join(w http.ResponseWriter, r *http.Request, key string) error {
	raw, err := body(w, r, wire.MaxJoinBytes)
	if err != nil {
		return err
	}
	request, err := wire.OpenJoinRequest(raw)
	if err != nil {
		return err
	}
	if request.Coordinator != key {
		return wire.Refuse(wire.RefusedSignature, "it names another key than it shows")
	}
	exporter, err := r.TLS.ExportKeyingMaterial(wire.ExporterLabel, nil, wire.ExporterBytes)
	if err != nil {
		return err
	}
	secret, err := a.joining.take(request, exporter, a.c.Identity.Public, a.c.Now())
	if err != nil {
		return err
	}
	answer, err := wire.NewJoinAnswer(a.About(), secret, exporter, key, a.c.Identity.Public)
	if err != nil {
		return err
	}
	if err := a.c.Coordinators.Add(key, a.c.Now()); err != nil {
		a.c.Log.Error("cannot write the list of coordinators", "why", err.Error())
		return err
	}
	a.c.Log.Info("joined", "coordinator", key, "from", r.RemoteAddr)
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// take checks a proof against the open code and binds the code to whoever gave it.
func (j *joining) take(r *wire.JoinRequest, exporter []byte, agent string, now time.Time) ([16]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	good := wire.ProofEqual(r.Proof, wire.CoordinatorProof(j.secret, exporter, r.Coordinator, agent))
	switch {
	case !now.Before(j.until):
		return j.secret, wire.Refuse(wire.RefusedCode, "no code is open")
	case !good && !j.failing.take(now, 1, 10):
		return j.secret, wire.Refuse(wire.RefusedTooMany, "wrong join codes")
	case !good:
		return j.secret, wire.Refuse(wire.RefusedCode, "another code")
	case j.by != "" && j.by != r.Coordinator:
		return j.secret, wire.Refuse(wire.RefusedCode, "used by another coordinator")
	}
	j.by = r.Coordinator
	return j.secret, nil
}

// leave forgets a coordinator that asks for it.
func (a *Agent) leave(w http.ResponseWriter, r *http.Request, key string) error {
	public, c, err := a.known(key)
	if err != nil {
		return err
	}
	raw, err := body(w, r, wire.MaxJoinBytes)
	if err != nil {
		return err
	}
	request, err := wire.OpenLeave(raw, a.c.Identity.Public, public)
	if err != nil {
		return err
	}
	if err := a.fresh(c, request); err != nil {
		return err
	}
	if err := a.c.Coordinators.Remove(key); err != nil {
		return err
	}
	a.c.Log.Info("left", "coordinator", key, "from", r.RemoteAddr)
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}
