package evidence

import "time"

// Attestation is a remote perspective's word for one observation: what it was
// asked by whom and when, and its signature over that and over everything it
// saw. Package perspective/wire verifies it, from the observation alone.
type Attestation struct {
	// Agent and Coordinator are the public keys of who answered and who asked,
	// in the form of [Perspective.Key].
	Agent       string `json:"agent"`
	Coordinator string `json:"coordinator"`
	// Order is what the coordinator called the order: a digest that says nothing
	// to the agent.
	Order string `json:"order,omitempty"`
	// Questions is the digest of the questions that were asked together.
	Questions string `json:"questions"`
	// Nonce was chosen by the coordinator for this one request.
	Nonce string `json:"nonce"`
	// At is when the agent answered.
	At time.Time `json:"at"`
	// Index and Leaves are the place of the observation among what was signed
	// together, Path the hashes beside it on the way up (RFC 9162 2.1.3).
	Index  int      `json:"index"`
	Leaves int      `json:"leaves"`
	Path   []string `json:"path,omitempty"`
	// Signature is the agent's: Ed25519, base64url without padding.
	Signature string `json:"signature"`
}
