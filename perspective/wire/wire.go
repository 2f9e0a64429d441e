// Package wire is what a coordinator and a remote perspective say to each other:
// the messages, their canonical form, who signs what, and how each side checks
// it. It holds no connection, no clock and no state.
//
// A coordinator sends a [Request], signed; an agent answers with an [Answer],
// signed. Both signatures are Ed25519 over a prefix that says what is signed and
// the canonical JSON of the message. The answer's signature covers the root of a
// Merkle tree (RFC 9162 2.1) whose leaves are the agent's description of itself
// and each observation, so that every observation can be checked alone, for as
// long as it is kept: see [Verify].
//
// All this runs inside TLS 1.3 in which each side has shown the same key (package
// identity), so what a signature adds is evidence: an agent cannot deny later
// what it said, and a coordinator's store cannot change it.
package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"assay/evidence"
)

// Version is the version of the protocol.
const Version = 1

// The paths of the agent's requests, all of them POST.
const (
	PathLook  = "/v1/look"
	PathJoin  = "/v1/join"
	PathLeave = "/v1/leave"
)

// The bounds of the protocol.
const (
	MaxQuestions        = 128              // questions of a request
	MaxRequestBytes     = 256 << 10        // bytes of a request
	MaxObservationBytes = 1 << 20          // bytes of the canonical JSON of one observation
	MaxAnswerBytes      = 16 << 20         // bytes of an answer, after decompression
	MaxSkew             = time.Minute      // difference between the clocks of both sides
	MaxLook             = 60 * time.Second // how long an agent looks for one request
	nonceBytes          = 16
)

// What is signed begins with one of these, so that no signature can be taken for
// another kind of statement.
const (
	prefixRequest = "assay perspective request v1\n"
	prefixLeave   = "assay perspective leave v1\n"
	prefixAnswer  = "assay perspective answer v1\n"
)

// keyPrefix begins a public key as text.
const keyPrefix = "ed25519:"

var b64 = base64.RawURLEncoding.Strict()

// FormatKey is a public key as text: "ed25519:" and 43 characters of base64url.
func FormatKey(k ed25519.PublicKey) string { return keyPrefix + b64.EncodeToString(k) }

// ParseKey reads what [FormatKey] writes.
func ParseKey(text string) (ed25519.PublicKey, error) {
	encoded, ok := strings.CutPrefix(text, keyPrefix)
	raw, err := b64.DecodeString(encoded)
	if !ok || err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%.80q is no public key: want %s and 43 characters", text, keyPrefix)
	}
	return raw, nil
}

// A Request is what a coordinator asks of an agent.
type Request struct {
	Version int `json:"version"`
	// Coordinator and Agent are the public keys of who asks and who is asked.
	Coordinator string    `json:"coordinator"`
	Agent       string    `json:"agent"`
	Nonce       string    `json:"nonce"` // 16 random bytes, base64url
	At          time.Time `json:"at"`
	// Order is what the coordinator calls the order: opaque to the agent, at most
	// 128 bytes.
	Order string `json:"order,omitempty"`
	// LimitMillis is how long the agent may look; 0 and more than [MaxLook] mean that.
	LimitMillis int64               `json:"limit_ms,omitempty"`
	Questions   []evidence.Question `json:"questions,omitempty"`
}

// NewNonce makes a nonce of 16 random bytes.
func NewNonce(random [nonceBytes]byte) string { return b64.EncodeToString(random[:]) }

// Digest identifies a list of questions: the SHA-256 of its canonical JSON.
func Digest(questions []evidence.Question) string {
	if questions == nil {
		questions = []evidence.Question{}
	}
	raw, err := json.Marshal(questions)
	if err != nil {
		panic("wire: plain data does not marshal: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// A signed message: the bytes that were signed, as they are, and the signature.
type signed struct {
	Message   json.RawMessage `json:"message"`
	Signature string          `json:"signature"`
}

// SignRequest returns the bytes to post to [PathLook].
func SignRequest(r *Request, key ed25519.PrivateKey) ([]byte, error) {
	return sign(prefixRequest, r, key)
}

// SignLeave returns the bytes to post to [PathLeave]: a request without questions
// by which a coordinator asks to be forgotten.
func SignLeave(r *Request, key ed25519.PrivateKey) ([]byte, error) { return sign(prefixLeave, r, key) }

func sign(prefix string, message any, key ed25519.PrivateKey) ([]byte, error) {
	raw, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	return json.Marshal(signed{raw, b64.EncodeToString(ed25519.Sign(key, prefixed(prefix, raw)))})
}

func prefixed(prefix string, raw []byte) []byte { return append([]byte(prefix), raw...) }

// OpenRequest reads a request that whoever holds the coordinator's key signed for
// this agent. It does not look at the clock and the nonce: those need memory. The
// error is a [*Refusal].
func OpenRequest(raw []byte, agent string, coordinator ed25519.PublicKey) (*Request, error) {
	r, err := open(prefixRequest, raw, agent, coordinator)
	if err == nil && len(r.Questions) > MaxQuestions {
		return nil, refuse(RefusedTooLarge, "%d questions, at most %d", len(r.Questions), MaxQuestions)
	}
	return r, err
}

// OpenLeave reads what [SignLeave] wrote.
func OpenLeave(raw []byte, agent string, coordinator ed25519.PublicKey) (*Request, error) {
	return open(prefixLeave, raw, agent, coordinator)
}

func open(prefix string, raw []byte, agent string, coordinator ed25519.PublicKey) (*Request, error) {
	if len(raw) > MaxRequestBytes {
		return nil, refuse(RefusedTooLarge, "more than %d bytes", MaxRequestBytes)
	}
	var s signed
	if err := decode(raw, &s); err != nil {
		return nil, refuse(RefusedMalformed, "%v", err)
	}
	signature, err := b64.DecodeString(s.Signature)
	if err != nil || len(coordinator) != ed25519.PublicKeySize || !ed25519.Verify(coordinator, prefixed(prefix, s.Message), signature) {
		return nil, refuse(RefusedSignature, "the signature does not verify")
	}
	r := &Request{}
	if err := decode(s.Message, r); err != nil {
		return nil, refuse(RefusedMalformed, "%v", err)
	}
	nonce, err := b64.DecodeString(r.Nonce)
	switch {
	case r.Version != Version:
		return nil, refuse(RefusedVersion, "version %d, not %d", r.Version, Version)
	case r.Coordinator != FormatKey(coordinator):
		return nil, refuse(RefusedSignature, "signed by another key than it names")
	case r.Agent != agent:
		return nil, refuse(RefusedAddressee, "it is meant for another agent")
	case err != nil || len(nonce) != nonceBytes || len(r.Order) > 128 || r.LimitMillis < 0:
		return nil, refuse(RefusedMalformed, "a nonce, order or limit that cannot be")
	}
	return r, nil
}

// Check reports whether an agent that looks as a place answers these questions:
// probe questions put to that place.
func Check(questions []evidence.Question, place string) error {
	for i := range questions {
		q := &questions[i]
		set := map[evidence.Kind]bool{evidence.KindDNS: q.DNS != nil, evidence.KindHTTP: q.HTTP != nil, evidence.KindTLS: q.TLS != nil}
		n := 0
		for _, there := range set {
			if there {
				n++
			}
		}
		switch {
		case q.Lookup != nil || n != 1 || !set[q.Kind]:
			return refuse(RefusedMalformed, "question %d is not one about the network", i)
		case q.Perspective != place:
			return refuse(RefusedAddressee, "question %d is for %.20q, this is %s", i, q.Perspective, place)
		}
	}
	return nil
}

// decode reads one JSON value, all of it, and nothing it does not know.
func decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if len(bytes.TrimSpace(raw[d.InputOffset():])) > 0 {
		return errors.New("more than one value")
	}
	return nil
}
