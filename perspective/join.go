package perspective

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"time"

	"assay/evidence"
	"assay/perspective/identity"
	"assay/perspective/wire"
)

// JoinOptions say how to join. The zero value is right.
type JoinOptions struct {
	// Address is where the agent is reached, where that is not the address in the
	// code.
	Address string
	// Replace lets the agent take the place of another with its id.
	Replace bool
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Join joins the agent that made a code, and writes it into the file at path.
// The coordinator's own key is made where there is none yet. The caller tests the
// place that comes back, and closes it.
//
// The agent learns the coordinator's key and the coordinator what the agent says
// of itself. Each proves that it knows the code's secret, without telling it:
// whoever took the agent's address, or sits in between, learns nothing that would
// let it in. It fails with a [*Fault], or with an error about the file.
func Join(ctx context.Context, code *wire.Code, path string, o JoinOptions) (*Remote, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	e := Entry{Address: code.Address, Key: wire.FormatKey(code.Agent), Joined: o.Now().UTC().Truncate(time.Second)}
	if o.Address != "" {
		e.Address = o.Address
	}
	if err := wire.CheckAddress(e.Address); err != nil {
		return nil, err
	}
	if !o.Now().Before(code.Expires) {
		return nil, &Fault{evidence.UnknownRefused, refusals[wire.RefusedCode]}
	}
	id, err := Coordinator(path)
	if err != nil {
		return nil, err
	}
	about, err := exchange(ctx, code, e.Address, id)
	if err != nil {
		return nil, err
	}
	e.ID, e.Region, e.Location = about.ID, about.Region, about.Location
	if err := e.check(); err != nil || about.Key != e.Key {
		return nil, &Fault{evidence.UnknownInvalid, "what the agent says of itself cannot be"}
	}
	if err := add(path, e, o.Replace); err != nil {
		return nil, err
	}
	return NewRemote(e, id, Options{Now: o.Now})
}

// Coordinator is the identity in whose name the places of a file are asked. It is
// made where there is none yet.
func Coordinator(path string) (*identity.Identity, error) {
	f, err := ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = &File{}, nil
	}
	if err != nil {
		return nil, err
	}
	return identity.LoadOrCreate(filepath.Clean(f.keyPath(path)))
}

// exchange is the join itself, on one connection.
func exchange(ctx context.Context, code *wire.Code, address string, id *identity.Identity) (evidence.Perspective, error) {
	var nobody evidence.Perspective
	config, err := id.Client(code.Agent)
	if err != nil {
		return nobody, err
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	conn, err := dialing(config)(ctx, address)
	if err != nil {
		return nobody, connectionFault(ctx, err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	exporter, err := state.ExportKeyingMaterial(wire.ExporterLabel, nil, wire.ExporterBytes)
	if err != nil {
		return nobody, err
	}
	agent := wire.FormatKey(code.Agent)
	body, err := json.Marshal(wire.JoinRequest{
		Version: wire.Version, Coordinator: id.Public,
		Proof: wire.CoordinatorProof(code.Secret, exporter, id.Public, agent),
	})
	if err != nil {
		return nobody, err
	}
	raw, err := (&Remote{entry: Entry{Address: address}, link: through(conn)}).post(ctx, wire.PathJoin, body)
	if err != nil {
		return nobody, err
	}
	answer, about, err := wire.OpenJoinAnswer(raw)
	if err != nil {
		return nobody, &Fault{evidence.UnknownInvalid, "it cannot be read"}
	}
	if !wire.ProofEqual(answer.Proof, wire.AgentProof(code.Secret, exporter, id.Public, agent, answer.About)) {
		return nobody, &Fault{evidence.UnknownIdentity, "it does not know the secret of the join code"}
	}
	return about, nil
}

// through is a link over a connection that is there already, and no other.
func through(conn net.Conn) *link {
	once := make(chan net.Conn, 1)
	once <- conn
	return newLink(func(context.Context, string) (net.Conn, error) {
		select {
		case c := <-once:
			return c, nil
		default:
			return nil, errors.New("the connection of the join was lost")
		}
	})
}

// Leave asks an agent to forget this coordinator.
func (r *Remote) Leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	body, err := wire.SignLeave(r.request(ctx, r.options.Now(), nil), r.id.Private)
	if err != nil {
		return err
	}
	_, err = r.post(ctx, wire.PathLeave, body)
	return err
}
