// Package audit chains audit entries so that no change of one goes unseen.
//
// Each entry's hash covers the entry and the hash before it. Once an hour the
// end of the chain is signed (Ed25519, RFC 8032): a [Head]. Who can write the
// database but has not the signing key can then change no entry up to the newest
// head, not even by computing all hashes anew; entries after it, and the head
// itself where it is nowhere else, can still be cut off. So heads are exported,
// and kept where the database's administrator cannot reach.
//
// Everything here is pure: no clock, no database, no randomness of its own.
package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// Limits of an entry, in bytes.
const (
	MaxField = 1 << 10
	MaxData  = 64 << 10
	// HashSize is the length of hashes and of private digests.
	HashSize = sha256.Size
)

// An Entry is one audit entry. It has the fields of the store's entry in the
// same order, so that one converts to the other.
type Entry struct {
	ID string
	// At is kept to the microsecond.
	At                  time.Time
	Tenant, Actor, Role string
	Action, Subject     string
	// Order and OrderVersion: the order it changed and the version that made.
	Order        string
	OrderVersion int64
	// Data is canonical JSON ([Canonical]) with nothing personal in it; nil for
	// none.
	Data json.RawMessage
	// Private is a digest of what is personal, kept elsewhere with its salt
	// ([PrivateDigest]); nil where nothing is.
	Private []byte
	// Seq and Hash are its place in the chain, from 1 on; 0 and nil until it is
	// sealed.
	Seq  int64
	Hash []byte
}

// Check says what of an entry cannot be kept or exported. It is called before
// an entry is written; sealing does not check, for what is written is sealed.
func (e *Entry) Check() error {
	for _, f := range []struct{ name, value string }{
		{"id", e.ID},
		{"tenant", e.Tenant},
		{"actor", e.Actor},
		{"role", e.Role},
		{"action", e.Action},
		{"subject", e.Subject},
		{"order", e.Order},
	} {
		if len(f.value) > MaxField || !utf8.ValidString(f.value) {
			return fmt.Errorf("audit entry %.64q: %s must be at most %d bytes of UTF-8", e.ID, f.name, MaxField)
		}
	}
	if year := e.At.UTC().Year(); year < 1 || year > 9999 {
		return fmt.Errorf("audit entry %q: its time is in the year %d", e.ID, year)
	}
	if e.Private != nil && len(e.Private) != HashSize {
		return fmt.Errorf("audit entry %q: the private digest has %d bytes, not %d", e.ID, len(e.Private), HashSize)
	}
	if len(e.Data) > MaxData {
		return fmt.Errorf("audit entry %q: %d bytes of data: at most %d", e.ID, len(e.Data), MaxData)
	}
	if len(e.Data) == 0 {
		return nil
	}
	if canonical, err := Canonical(e.Data); err != nil || !bytes.Equal(canonical, e.Data) {
		return fmt.Errorf("audit entry %q: the data is not canonical JSON", e.ID)
	}
	return nil
}

// Canonical is the one form of a JSON document that is hashed: keys sorted, no
// white space, numbers as they were written, of a key given twice the last.
func Canonical(raw []byte) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("audit data: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("audit data: something follows the JSON document")
	}
	return encode(v)
}

// encode is one line of JSON, without its end.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// SaltSize is the length of the salt of a private digest.
const SaltSize = 32

// PrivateDigest commits to personal data that is kept beside its salt of
// [SaltSize] random bytes, elsewhere than in the chain (HMAC-SHA-256, the salt
// is the key). Once salt and data are erased, the digest tells nothing, not even
// whether a guess of the data is right, and the chain still verifies.
func PrivateDigest(salt [SaltSize]byte, personal []byte) []byte {
	h := hmac.New(sha256.New, salt[:])
	io.WriteString(h, "assay audit private v1\n")
	h.Write(personal)
	return h.Sum(nil)
}

// Hash is the hash of an entry whose predecessor has the hash prev; of the
// first, [HashSize] zero bytes. It covers every field but Hash.
//
// The encoding can be read in one way only: a label of this use, then integers
// as 8 bytes, and byte strings behind their length in 8 bytes.
func Hash(prev []byte, e *Entry) []byte {
	b := make([]byte, 0, 512+len(e.Data))
	b = append(b, "assay audit entry v1\n"...)
	b = field(b, prev)
	b = number(b, e.Seq)
	b = field(b, e.ID)
	b = number(b, e.At.UnixMicro())
	for _, s := range []string{e.Tenant, e.Actor, e.Role, e.Action, e.Subject, e.Order} {
		b = field(b, s)
	}
	b = number(b, e.OrderVersion)
	b = field(b, e.Data)
	b = field(b, e.Private)
	sum := sha256.Sum256(b)
	return sum[:]
}

func number(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

func field[T string | []byte | json.RawMessage](b []byte, v T) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(v))), v...)
}
