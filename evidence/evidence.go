// Package evidence is the plain data between looking and judging: questions
// (what to look at) and observations (what was seen). Nothing here dials,
// reads a clock or decides; everything has one canonical JSON form, so that an
// observation has an id and a stored review can be judged again byte for byte.
//
// A [Question] is issued by review.Ask. It is either a probe question (DNS,
// HTTP, TLS), answered from a network perspective by package probe, or a lookup
// question (block lists, history, quota, calls, letters, account state),
// answered by whoever keeps those records (package lookup). Both answers are
// observations, so a judgement needs nothing else.
package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"
)

// Version is the version of the question and observation format.
const Version = 1

// Kind says what sort of question it is and which field of it is set.
type Kind string

// The kinds of question.
const (
	KindDNS    Kind = "dns"    // one DNS question to one server, or resolved from the root
	KindHTTP   Kind = "http"   // a URL, with the redirects it leads to
	KindTLS    Kind = "tls"    // a TLS handshake
	KindLookup Kind = "lookup" // records kept by the service or the operator
)

// A Question is one thing to look at. Exactly one of the fields named like the
// kinds is set.
type Question struct {
	Kind Kind `json:"kind"`
	// Perspective is the id of the place to look from, "P0" for the primary;
	// empty for lookups.
	Perspective string          `json:"perspective,omitempty"`
	DNS         *DNSQuestion    `json:"dns,omitempty"`
	HTTP        *HTTPQuestion   `json:"http,omitempty"`
	TLS         *TLSQuestion    `json:"tls,omitempty"`
	Lookup      *LookupQuestion `json:"lookup,omitempty"`
}

// ID is "q-" and the first 16 hexadecimal digits of the SHA-256 of the
// question's canonical JSON.
func (q Question) ID() string { return "q-" + digest(q) }

// An Observation is the answer to one question: what was seen, where, when. It
// carries the field of the question's kind, or Unknown.
type Observation struct {
	// ID is "o-" and the first 16 hexadecimal digits of the SHA-256 of the
	// observation's fact; see [Observation.Identify].
	ID       string    `json:"id"`
	Question Question  `json:"question"`
	At       time.Time `json:"at"`
	// Millis is how long the answer took, in milliseconds.
	Millis float64 `json:"ms,omitempty"`
	// Unknown is why the question could not be answered for a reason that lies
	// with us (no IPv6 here, perspective stopped, records not readable). It is
	// never used for a failure of the target: a time-out there is an answer.
	Unknown string          `json:"unknown,omitempty"`
	DNS     *DNSAnswer      `json:"dns,omitempty"`
	HTTP    *HTTPExchange   `json:"http,omitempty"`
	TLS     *TLSExchange    `json:"tls,omitempty"`
	Lookup  *LookupAnswer   `json:"lookup,omitempty"`
	Network *NetworkOptions `json:"network,omitempty"`
	// Attestation is there where a remote place looked.
	Attestation *Attestation `json:"attestation,omitempty"`
}

// NetworkOptions are the settings under which a perspective looked that are
// not the public internet's. An observation that carries them is evidence of a
// laboratory: a public profile never signs from it.
type NetworkOptions struct {
	DialMap   string `json:"dial_map,omitempty"`   // digest of the map
	RootHints string `json:"root_hints,omitempty"` // digest of the hints
	Anchors   string `json:"anchors,omitempty"`    // digest of the trust anchors
	Ports     string `json:"ports,omitempty"`      // for example "http=8080"
	Exempt    string `json:"exempt,omitempty"`     // CIDRs the guard lets through
	Source    string `json:"source,omitempty"`     // address that is dialled from
	Resolver  string `json:"resolver,omitempty"`   // a resolver instead of the root
}

// Identify returns the observation with its id set. The id is the hash of the
// fact without what merely flickers: the time, durations, TTLs and values that
// are random by nature (a header with a date). Two looks at an unchanged world
// have one id.
func (o Observation) Identify() Observation {
	fact := o
	fact.ID, fact.At, fact.Millis, fact.Attestation = "", time.Time{}, 0, nil
	if o.DNS != nil {
		fact.DNS = o.DNS.fact()
	}
	if o.HTTP != nil {
		fact.HTTP = o.HTTP.fact()
	}
	if o.TLS != nil {
		fact.TLS = o.TLS.fact()
	}
	o.ID = "o-" + fact.digest()
	return o
}

func (o Observation) digest() string {
	if o.Question.Lookup != nil && o.DNS == nil && o.HTTP == nil && o.TLS == nil && o.Attestation == nil &&
		o.Question.DNS == nil && o.Question.HTTP == nil && o.Question.TLS == nil {
		q := o.Question
		return digest(lookup{
			ID: o.ID, Question: lookupQuestion{q.Kind, q.Perspective, q.Lookup},
			At: o.At, Millis: o.Millis, Unknown: o.Unknown, Lookup: o.Lookup, Network: o.Network,
		})
	}
	b := rooms.Get().(*[]byte)
	*b = appendObservation((*b)[:0], &o)
	h := hash(*b)
	if cap(*b) <= maxRoom {
		rooms.Put(b)
	}
	return h
}

// maxRoom is the largest room that is kept for the next observation, in bytes.
const maxRoom = 64 << 10

// rooms are where observations are written to be hashed.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// A lookup is an [Observation] of a lookup, with the same JSON. encoding/json
// first makes a plan of a type and all it may hold: an offline check needs that
// of lookups, and none of what the network can answer.
type lookup struct {
	ID       string          `json:"id"`
	Question lookupQuestion  `json:"question"`
	At       time.Time       `json:"at"`
	Millis   float64         `json:"ms,omitempty"`
	Unknown  string          `json:"unknown,omitempty"`
	Lookup   *LookupAnswer   `json:"lookup,omitempty"`
	Network  *NetworkOptions `json:"network,omitempty"`
}

type lookupQuestion struct {
	Kind        Kind            `json:"kind"`
	Perspective string          `json:"perspective,omitempty"`
	Lookup      *LookupQuestion `json:"lookup,omitempty"`
}

// digest hashes the canonical JSON of a value: struct fields in the order they
// are declared, map keys sorted, no white space, as encoding/json writes it.
func digest(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("evidence: plain data does not marshal: " + err.Error())
	}
	return hash(raw)
}

func hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}
