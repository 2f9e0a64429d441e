package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The lines of an export; each has one field set:
//
//	{"audit":{"version":1,"after":{"seq":0,"hash":"00…"},"key":"‹hex›"}}
//	{"entry":{"seq":1,"hash":"…","id":…,"at":"2026-11-20T08:00:00.000000Z",…,"data":{…},"private":"…"}}
//	{"head":{"seq":1,"hash":"…","at":…,"signature":"…"}}
//	{"end":{"seq":1,"entries":1,"heads":1}}
//
// A line is the canonical form of what it says, so a changed byte is either
// another value or no line.
type line struct {
	Audit *opening   `json:"audit,omitempty"`
	Entry *entryLine `json:"entry,omitempty"`
	Head  *headLine  `json:"head,omitempty"`
	End   *closing   `json:"end,omitempty"`
}

type opening struct {
	Version int      `json:"version"`
	After   place    `json:"after"`
	Key     bytesHex `json:"key"`
}

type place struct {
	Seq  int64    `json:"seq"`
	Hash bytesHex `json:"hash"`
}

type entryLine struct {
	Seq          int64           `json:"seq"`
	Hash         bytesHex        `json:"hash"`
	ID           string          `json:"id"`
	At           stamp           `json:"at"`
	Tenant       string          `json:"tenant"`
	Actor        string          `json:"actor"`
	Role         string          `json:"role"`
	Action       string          `json:"action"`
	Subject      string          `json:"subject"`
	Order        string          `json:"order,omitempty"`
	OrderVersion int64           `json:"order_version,omitempty"`
	Data         json.RawMessage `json:"data,omitempty"`
	Private      bytesHex        `json:"private,omitempty"`
}

type headLine struct {
	Seq       int64    `json:"seq"`
	Hash      bytesHex `json:"hash"`
	At        stamp    `json:"at"`
	Signature bytesHex `json:"signature"`
}

type closing struct {
	Seq     int64 `json:"seq"`
	Entries int64 `json:"entries"`
	Heads   int64 `json:"heads"`
}

func lineOf(e *Entry) *entryLine {
	return &entryLine{
		Seq: e.Seq, Hash: e.Hash, ID: e.ID, At: stamp(e.At), Tenant: e.Tenant, Actor: e.Actor, Role: e.Role,
		Action: e.Action, Subject: e.Subject, Order: e.Order, OrderVersion: e.OrderVersion, Data: e.Data, Private: e.Private,
	}
}

func (l *entryLine) entry() *Entry {
	return &Entry{
		Seq: l.Seq, Hash: l.Hash, ID: l.ID, At: time.Time(l.At), Tenant: l.Tenant, Actor: l.Actor, Role: l.Role,
		Action: l.Action, Subject: l.Subject, Order: l.Order, OrderVersion: l.OrderVersion, Data: l.Data, Private: l.Private,
	}
}

func (l *headLine) head() Head {
	return Head{Seq: l.Seq, Hash: l.Hash, At: time.Time(l.At), Signature: l.Signature}
}

// ErrLine: a line of an export is none.
var ErrLine = errors.New("not a line that an export has: it was changed, or is of another version")

// parseLine reads a line without its end and refuses what is not canonical.
func parseLine(text []byte) (*line, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	l := new(line)
	if err := dec.Decode(l); err != nil {
		return nil, ErrLine
	}
	again, err := encode(l)
	if err != nil || !bytes.Equal(again, text) {
		return nil, ErrLine
	}
	return l, nil
}

// bytesHex is a byte string in lower-case hexadecimal.
type bytesHex []byte

func (b bytesHex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

func (b *bytesHex) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// stamp is a time in UTC with six digits after the second.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000000Z"

func (s stamp) MarshalText() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, stampLayout), nil
}

func (s *stamp) UnmarshalText(text []byte) error {
	t, err := time.Parse(stampLayout, string(text))
	if err != nil {
		return fmt.Errorf("time: %w", err)
	}
	*s = stamp(t)
	return nil
}
