package certfile

import "assay/internal/message"

// What is the kind of an [Error].
type What string

// The kinds of error.
const (
	UnknownFormat  What = "unknown-format"
	Unreadable     What = "unreadable"      // the DER is no certificate
	TooMany        What = "too-many"        // more than MaxCertificates
	KeyMismatch    What = "key-mismatch"    // the key is another certificate's
	KeyNeeded      What = "key-needed"      // the format is made of a private key
	PasswordNeeded What = "password-needed" // the format is encrypted by a password
	PasswordUnfit  What = "password-unfit"  // too short or long, or with characters that not every program encodes alike
	NoChain        What = "no-chain"        // the root issued the certificate itself
	NoRoot         What = "no-root"         // the root is not known
)

// An Error says why a file cannot be made. It never quotes a key or a password.
type Error struct {
	What What
	// Format is the format that was asked for, where it is about one.
	Format string
	// Err is the library's error, where there is one.
	Err error
}

func (e *Error) Error() string {
	text := "certificate file: " + string(e.What)
	if e.Format != "" {
		text += " (" + e.Format + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Text says it in a person's language.
func (e *Error) Text(p *message.Printer) string {
	id, pairs := e.Message()
	return p.Text(id, pairs...)
}

// Message is the text's id and what fills it in.
func (e *Error) Message() (id string, pairs []any) {
	why := ""
	if e.Err != nil {
		why = oneLine(e.Err.Error())
	}
	return "certfile.error." + string(e.What), []any{
		"Format", e.Format, "Formats", formatIDs(), "Why", why, "Most", MaxCertificates, "Shortest", minPassword, "Longest", maxPassword,
	}
}
