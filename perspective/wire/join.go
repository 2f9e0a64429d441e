package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"

	"assay/evidence"
)

// ExporterLabel is the label of the keying material (RFC 8446 7.5) that binds a
// join to its TLS connection, and ExporterBytes its length. Whoever sits in the
// middle has two connections, and their materials differ.
const (
	ExporterLabel = "EXPERIMENTAL assay perspective join"
	ExporterBytes = 32
)

// MaxJoinBytes bounds the messages of a join.
const MaxJoinBytes = 8 << 10

// A JoinRequest is what a coordinator posts to [PathJoin].
type JoinRequest struct {
	Version     int    `json:"version"`
	Coordinator string `json:"coordinator"` // its public key
	// Proof shows that the coordinator knows the secret, to nobody but who knows
	// it too.
	Proof string `json:"proof"`
}

// A JoinAnswer is the agent's side.
type JoinAnswer struct {
	Version int             `json:"version"`
	About   json.RawMessage `json:"about"` // an [evidence.Perspective], canonical
	Proof   string          `json:"proof"`
}

// CoordinatorProof and AgentProof prove knowledge of a code's secret on one
// connection, between two keys; the agent's also covers what it says of itself.
func CoordinatorProof(secret [16]byte, exporter []byte, coordinator, agent string) string {
	return proof(secret, "assay perspective join v1 coordinator", exporter, coordinator, agent, nil)
}

// AgentProof is the agent's side: see [CoordinatorProof].
func AgentProof(secret [16]byte, exporter []byte, coordinator, agent string, about []byte) string {
	return proof(secret, "assay perspective join v1 agent", exporter, coordinator, agent, about)
}

func proof(secret [16]byte, role string, exporter []byte, coordinator, agent string, about []byte) string {
	// A JSON list keeps the parts apart.
	parts, err := json.Marshal([]string{role, b64.EncodeToString(exporter), coordinator, agent, b64.EncodeToString(about)})
	if err != nil {
		panic("wire: texts do not marshal: " + err.Error())
	}
	m := hmac.New(sha256.New, secret[:])
	m.Write(parts)
	return b64.EncodeToString(m.Sum(nil))
}

// ProofEqual compares two proofs in constant time.
func ProofEqual(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// OpenJoinRequest and OpenJoinAnswer read the messages of a join.
func OpenJoinRequest(raw []byte) (*JoinRequest, error) {
	r := &JoinRequest{}
	if err := decode(raw, r); err != nil {
		return nil, refuse(RefusedMalformed, "%v", err)
	}
	if r.Version != Version {
		return nil, refuse(RefusedVersion, "version %d, not %d", r.Version, Version)
	}
	return r, nil
}

// OpenJoinAnswer reads the agent's answer and what it says of itself; the proof
// is left to the caller.
func OpenJoinAnswer(raw []byte) (*JoinAnswer, evidence.Perspective, error) {
	a := &JoinAnswer{}
	var about evidence.Perspective
	if err := decode(raw, a); err != nil || a.Version != Version {
		return nil, about, invalid("it cannot be read")
	}
	if err := exact(a.About, &about); err != nil {
		return nil, about, invalid("what the agent says of itself cannot be read")
	}
	return a, about, nil
}

// NewJoinAnswer makes the agent's answer.
func NewJoinAnswer(about evidence.Perspective, secret [16]byte, exporter []byte, coordinator, agent string) (*JoinAnswer, error) {
	raw, err := canonical(about)
	if err != nil {
		return nil, err
	}
	return &JoinAnswer{Version: Version, About: raw, Proof: AgentProof(secret, exporter, coordinator, agent, raw)}, nil
}
