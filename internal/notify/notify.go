// Package notify writes notices and delivers them: by mail to people, by signed
// webhook to programs. It knows neither the store nor the rules; what to tell whom,
// and how often to try, the service decides.
//
// Both ways promise at least once: where a server takes a notice and its answer is
// lost, the notice is sent again. Every attempt therefore carries the same id (the
// Message-ID of a mail, the webhook-id of a webhook), by which the receiver knows
// the second copy.
package notify

import (
	"errors"
	"strings"
	"time"
	"unicode"
)

// A Message is a notice that is written and can be sent.
type Message struct {
	// ID is the same for every attempt.
	ID string
	// Event is its kind, At when that happened.
	Event Event
	At    time.Time
	// Subject, Text and HTML are the mail's.
	Subject, Text, HTML string
	// Payload is the webhook's body.
	Payload []byte
}

// A Failure is why a message was not delivered.
type Failure struct {
	// Detail is for the delivery log: bounded, one line, without secrets.
	Detail string
	// Final failures stay: trying again cannot help.
	Final bool
	Err   error
}

// Error is the detail.
func (f *Failure) Error() string { return f.Detail }

// Unwrap gives what happened underneath.
func (f *Failure) Unwrap() error { return f.Err }

// maxDetail bounds what is kept of what a server said, in bytes.
const maxDetail = 300

func failed(err error, final bool, detail string) *Failure {
	return &Failure{Detail: Clip(detail, maxDetail), Final: final, Err: err}
}

// A TargetError is why an address or a URL cannot be where notices go. Its text is
// for logs; Reason is a word for programs: "address", "long", "url", "user",
// "fragment", "private", "plain".
type TargetError struct {
	Reason string
	Err    error
}

// Error says what is wrong, and what would be right.
func (e *TargetError) Error() string { return e.Err.Error() }

// Unwrap gives what happened underneath.
func (e *TargetError) Unwrap() error { return e.Err }

func badTarget(reason, text string) error {
	return &TargetError{Reason: reason, Err: errors.New(text)}
}

// IsFinal reports whether trying again cannot help.
func IsFinal(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Final
}

// Clip makes text from outside one line of at most n bytes without control
// characters and without what turns the direction of writing.
func Clip(text string, n int) string {
	var b strings.Builder
	for _, r := range oneLine(text) {
		if b.Len()+len(string(r)) > n-len("…") {
			return b.String() + "…"
		}
		b.WriteRune(r)
	}
	return b.String()
}

// oneLine replaces what is not of one line of text.
func oneLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " ")))
}
