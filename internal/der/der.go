// Package der reads the Distinguished Encoding Rules of ASN.1 (X.690) strictly
// and says where in the document something is wrong, which encoding/asn1 does
// not: an applicant is told the byte at which a request breaks.
package der

import (
	"fmt"
	"math"
)

// Tags that requests and keys use.
const (
	Boolean     = 0x01
	Integer     = 0x02
	BitString   = 0x03
	OctetString = 0x04
	Null        = 0x05
	OID         = 0x06
	UTF8        = 0x0c
	Sequence    = 0x30
	Set         = 0x31
	// Context0 and Context1 are the constructed context tags [0] and [1].
	Context0 = 0xa0
	Context1 = 0xa1
)

// An Error is one breach of the encoding.
type Error struct {
	// Offset is the byte of the document at which the element begins that is wrong.
	Offset int
	// Message says what is wrong, in English, without any content.
	Message string
	// Missing is the number of bytes by which an element reaches beyond the end
	// of the document, 0 where that is not what is wrong.
	Missing int
}

func (e *Error) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Message) }

// A Reader reads the elements of a document, or of one element of it, in
// order. Offsets count from the beginning of the document.
type Reader struct {
	doc      []byte
	pos, end int
}

// NewReader reads a whole document.
func NewReader(doc []byte) Reader { return Reader{doc: doc, end: len(doc)} }

// An Element is one tag, length and value.
type Element struct {
	Tag byte
	// Raw is the whole element, Body its content; both share the document's memory.
	Raw, Body []byte
	// Offset is where Raw begins in the document.
	Offset int

	doc  []byte
	body int // offset of Body
}

// Empty reports whether everything was read.
func (r *Reader) Empty() bool { return r.pos >= r.end }

// Offset is the place of the next element.
func (r *Reader) Offset() int { return r.pos }

// Peek returns the tag of the next element, 0 at the end.
func (r *Reader) Peek() byte {
	if r.Empty() {
		return 0
	}
	return r.doc[r.pos]
}

// Next reads one element of any tag.
func (r *Reader) Next() (Element, *Error) {
	start := r.pos
	if r.end-start < 2 {
		if r.end == len(r.doc) {
			return Element{}, &Error{Offset: start, Message: "the data ends", Missing: 2 - (r.end - start)}
		}
		return Element{}, &Error{Offset: start, Message: "an element is missing"}
	}
	tag := r.doc[start]
	if tag&0x1f == 0x1f {
		return Element{}, &Error{Offset: start, Message: "a tag number above 30"}
	}
	length, body, err := r.length(start + 1)
	if err != nil {
		return Element{}, err
	}
	if length > r.end-body {
		if over := body + length - len(r.doc); over > 0 {
			return Element{}, &Error{Offset: start, Missing: over, Message: fmt.Sprintf("an element of %d bytes reaches %d bytes beyond the end", length, over)}
		}
		return Element{}, &Error{Offset: start, Message: "an element is longer than the one that holds it"}
	}
	r.pos = body + length
	return Element{Tag: tag, Raw: r.doc[start:r.pos:r.pos], Body: r.doc[body:r.pos:r.pos], Offset: start, doc: r.doc, body: body}, nil
}

// length reads a definite, minimal length.
func (r *Reader) length(at int) (length, body int, err *Error) {
	first := r.doc[at]
	if first < 0x80 {
		return int(first), at + 1, nil
	}
	n := int(first & 0x7f)
	switch {
	case n == 0:
		return 0, 0, &Error{Offset: at - 1, Message: "an indefinite length (BER, not DER)"}
	case n > 4:
		return 0, 0, &Error{Offset: at - 1, Message: "a length of more than 4 bytes"}
	case at+1+n > r.end:
		missing := 0
		if r.end == len(r.doc) {
			missing = at + 1 + n - r.end
		}
		return 0, 0, &Error{Offset: at - 1, Message: "the data ends inside a length", Missing: missing}
	}
	var l uint64
	for _, b := range r.doc[at+1 : at+1+n] {
		l = l<<8 | uint64(b)
	}
	if l < 0x80 || l>>(8*(n-1)) == 0 {
		return 0, 0, &Error{Offset: at - 1, Message: "a length that is not in its shortest form (BER, not DER)"}
	}
	if l > math.MaxInt32 {
		return 0, 0, &Error{Offset: at - 1, Message: "a length of more than 2 GiB"}
	}
	return int(l), at + 1 + n, nil
}

// Expect reads one element of a tag; what names it in the error.
func (r *Reader) Expect(tag byte, what string) (Element, *Error) {
	if !r.Empty() && r.doc[r.pos] != tag {
		return Element{}, &Error{Offset: r.pos, Message: fmt.Sprintf("%s has tag 0x%02x, want 0x%02x", what, r.doc[r.pos], tag)}
	}
	e, err := r.Next()
	if err != nil {
		err.Message = what + ": " + err.Message
	}
	return e, err
}

// Done returns an error where something is left.
func (r *Reader) Done(what string) *Error {
	if r.Empty() {
		return nil
	}
	return &Error{Offset: r.pos, Message: fmt.Sprintf("%d bytes follow %s", r.end-r.pos, what)}
}

// Inside reads the content of an element.
func (e *Element) Inside() Reader {
	return Reader{doc: e.doc, pos: e.body, end: e.body + len(e.Body)}
}

// Unsigned returns the content of an INTEGER that is not negative, without the
// leading zero byte; an error for a negative or not minimal one.
func (e *Element) Unsigned(what string) ([]byte, *Error) {
	b := e.Body
	switch {
	case e.Tag != Integer || len(b) == 0:
		return nil, &Error{Offset: e.Offset, Message: what + " is not a number"}
	case b[0]&0x80 != 0:
		return nil, &Error{Offset: e.Offset, Message: what + " is negative"}
	case len(b) > 1 && b[0] == 0 && b[1]&0x80 == 0:
		return nil, &Error{Offset: e.Offset, Message: what + " has needless leading zeros"}
	case b[0] == 0:
		return b[1:], nil
	}
	return b, nil
}

// Bits returns the content of a BIT STRING of whole bytes.
func (e *Element) Bits(what string) ([]byte, *Error) {
	if e.Tag != BitString || len(e.Body) == 0 || e.Body[0] != 0 {
		return nil, &Error{Offset: e.Offset, Message: what + " is not a bit string of whole bytes"}
	}
	return e.Body[1:], nil
}
