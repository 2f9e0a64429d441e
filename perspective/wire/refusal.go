package wire

import "fmt"

// A Refusal is why an agent does not answer.
type Refusal struct {
	// Word is one of the Refused words.
	Word string `json:"error"`
	// Detail is for the agent's operator, in English.
	Detail string `json:"detail,omitempty"`
}

// Why an agent refuses.
const (
	RefusedUnknown   = "unknown-coordinator" // this key never joined
	RefusedAddressee = "wrong-agent"         // meant for another agent or another place
	RefusedSignature = "signature"           // the signature is not good
	RefusedVersion   = "version"             // another version of the protocol
	RefusedMalformed = "malformed"           // it cannot be read
	RefusedTooLarge  = "too-large"           // more bytes or questions than are read
	RefusedClock     = "clock"               // our clocks differ by more than a minute
	RefusedReplayed  = "replayed"            // the nonce was used before
	RefusedTooMany   = "too-many"            // more requests than the agent answers
	RefusedCode      = "join-code"           // a join code that is wrong, used or expired
	RefusedInternal  = "internal"            // a defect of the agent
)

// status maps each word to its HTTP status.
var status = map[string]int{
	RefusedUnknown: 403, RefusedAddressee: 421, RefusedSignature: 403, RefusedVersion: 400, RefusedMalformed: 400,
	RefusedTooLarge: 413, RefusedClock: 400, RefusedReplayed: 409, RefusedTooMany: 429, RefusedCode: 403, RefusedInternal: 500,
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return r.Word
	}
	return r.Word + ": " + r.Detail
}

// Status is the HTTP status that goes with the word.
func (r *Refusal) Status() int { return status[r.Word] }

func refuse(word, format string, args ...any) *Refusal {
	return &Refusal{word, fmt.Sprintf(format, args...)}
}

// Refuse makes a refusal.
func Refuse(word, format string, args ...any) *Refusal { return refuse(word, format, args...) }

// OpenRefusal reads a refusal. What an agent writes is believed no further than
// its word, which is one of those listed, or [RefusedInternal].
func OpenRefusal(raw []byte) *Refusal {
	r := &Refusal{}
	if err := decode(raw, r); err != nil || status[r.Word] == 0 {
		return &Refusal{Word: RefusedInternal}
	}
	return &Refusal{Word: r.Word}
}
