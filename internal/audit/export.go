package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A Writer writes an export: JSON lines, a first one that says what it follows,
// an entry a line with the head of each place behind it, and a last one that
// says how many there were.
type Writer struct {
	w     *bufio.Writer
	at    Chain
	heads []Head
	end   closing
}

// NewWriter begins an export of what comes after the end of a chain; the zero
// one: of all. Heads that belong to entries that are not written are left out.
func NewWriter(w io.Writer, after Chain, heads []Head, key ed25519.PublicKey) (*Writer, error) {
	heads = slices.SortedStableFunc(slices.Values(heads), func(a, b Head) int { return cmp.Compare(a.Seq, b.Seq) })
	x := &Writer{w: bufio.NewWriter(w), at: after, heads: heads, end: closing{Seq: after.Seq}}
	if err := x.line(line{Audit: &opening{Version: 1, After: place{after.Seq, after.prev()}, Key: bytesHex(key)}}); err != nil {
		return nil, err
	}
	return x, x.due()
}

// Entry writes a sealed entry, the one after the last. One that cannot be
// written so that it reads back the same is an error: verify the chain then.
func (x *Writer) Entry(e *Entry) error {
	if e.Seq != x.at.Seq+1 || len(e.Hash) != HashSize {
		return fmt.Errorf("exporting the audit: after entry %d comes %d: entries are missing, see the verification", x.at.Seq, e.Seq)
	}
	if err := e.Check(); err != nil {
		return fmt.Errorf("exporting the audit: it was changed, see the verification: %w", err)
	}
	if err := x.line(line{Entry: lineOf(e)}); err != nil {
		return err
	}
	x.at = Chain{Seq: e.Seq, Hash: e.Hash}
	x.end.Seq, x.end.Entries = e.Seq, x.end.Entries+1
	return x.due()
}

// due writes the heads of the place that was reached.
func (x *Writer) due() error {
	for len(x.heads) > 0 && x.heads[0].Seq <= x.at.Seq {
		h := x.heads[0]
		x.heads = x.heads[1:]
		if h.Seq < x.at.Seq {
			continue
		}
		if err := x.line(line{Head: &headLine{Seq: h.Seq, Hash: h.Hash, At: stamp(h.At), Signature: h.Signature}}); err != nil {
			return err
		}
		x.end.Heads++
	}
	return nil
}

// Close writes the last line. It does not close the underlying writer.
func (x *Writer) Close() error {
	if err := x.line(line{End: &x.end}); err != nil {
		return err
	}
	return x.w.Flush()
}

func (x *Writer) line(l line) error {
	text, err := encode(l)
	if err != nil {
		return err
	}
	_, err = x.w.Write(append(text, '\n'))
	return err
}

// maxLine is longer than any line of an entry that passes [Entry.Check]: a
// character of a field takes six bytes at most.
const maxLine = MaxData + 8*6*MaxField + 4<<10

// A LineError says which line of an export cannot be read, and why.
type LineError struct {
	Line int // from 1 on
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d of the export: %v", e.Line, e.Err) }

func (e *LineError) Unwrap() error { return e.Err }

// ErrCut: the export has no last line.
var ErrCut = errors.New("the export ends too early: its end was cut off")

// A Reader reads an export, one bounded line at a time.
type Reader struct {
	r     *bufio.Reader
	text  []byte // of the line
	lines int
	open  opening
	end   closing
}

// NewReader reads the first line.
func NewReader(r io.Reader) (*Reader, error) {
	x := &Reader{r: bufio.NewReader(r)}
	l, err := x.line()
	if err != nil {
		return nil, err
	}
	switch {
	case l.Audit == nil:
		return nil, x.fail(errors.New("not the first line of an export"))
	case l.Audit.Version != 1:
		return nil, x.fail(fmt.Errorf("version %d of the export is not known here: want 1", l.Audit.Version))
	case l.Audit.After.Seq < 0 || len(l.Audit.After.Hash) != HashSize || len(l.Audit.Key) != ed25519.PublicKeySize:
		return nil, x.fail(ErrLine)
	case l.Audit.After.Seq == 0 && !bytes.Equal(l.Audit.After.Hash, Chain{}.prev()):
		return nil, x.fail(ErrLine)
	}
	x.open = *l.Audit
	x.end.Seq = x.open.After.Seq
	return x, nil
}

// After is the end of the chain that the export follows, and Key the public key
// that it names: both as trustworthy as the file is.
func (x *Reader) After() Chain {
	return Chain{Seq: x.open.After.Seq, Hash: x.open.After.Hash}
}

// Key is the public key that the export names.
func (x *Reader) Key() ed25519.PublicKey { return ed25519.PublicKey(x.open.Key) }

// Next is the next entry or head; io.EOF after a right last line with nothing
// behind it. It reads and does not verify: that is [VerifyExport].
func (x *Reader) Next() (*Entry, *Head, error) {
	l, err := x.line()
	if err != nil {
		return nil, nil, err
	}
	switch {
	case l.Entry != nil:
		e := l.Entry.entry()
		if e.Seq < 1 { // not sealed: never exported
			return nil, nil, x.fail(ErrLine)
		}
		x.end.Seq, x.end.Entries = e.Seq, x.end.Entries+1
		return e, nil, nil
	case l.Head != nil:
		h := l.Head.head()
		x.end.Heads++
		return nil, &h, nil
	case l.End == nil:
		return nil, nil, x.fail(ErrLine)
	case *l.End != x.end:
		return nil, nil, x.fail(fmt.Errorf("it counts %d entries up to %d and %d heads, the export has %d up to %d and %d: lines were removed or added",
			l.End.Entries, l.End.Seq, l.End.Heads, x.end.Entries, x.end.Seq, x.end.Heads))
	}
	if _, err := x.r.ReadByte(); err != io.EOF {
		return nil, nil, x.fail(cmp.Or(err, errors.New("something follows the last line")))
	}
	return nil, nil, io.EOF
}

func (x *Reader) fail(err error) error { return &LineError{Line: x.lines, Err: err} }

func (x *Reader) line() (*line, error) {
	x.lines++
	x.text = x.text[:0]
	for {
		part, err := x.r.ReadSlice('\n')
		x.text = append(x.text, part...)
		switch {
		case len(x.text) > maxLine:
			return nil, x.fail(fmt.Errorf("longer than %d bytes: %w", maxLine, ErrLine))
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF:
			return nil, x.fail(ErrCut)
		case err != nil:
			return nil, fmt.Errorf("reading the export: %w", err)
		}
		l, err := parseLine(x.text[:len(x.text)-1])
		if err != nil {
			return nil, x.fail(err)
		}
		return l, nil
	}
}

// VerifyExport checks an export on its own, against the public key that its
// reader kept; a nil key: against the one that the export names, which shows
// damage, but not a forger with a key of their own. Errors are *[Problem],
// *[LineError] or of reading. The summary says from where on it was verified:
// an export that begins later than at 1 says nothing of what is before it.
func VerifyExport(r io.Reader, key ed25519.PublicKey) (Summary, error) {
	x, err := NewReader(r)
	if err != nil {
		return Summary{}, err
	}
	if key == nil {
		key = x.Key()
	}
	if !key.Equal(x.Key()) {
		return Summary{}, &LineError{Line: 1, Err: fmt.Errorf("the export names the key %s, not %s", Fingerprint(x.Key()), Fingerprint(key))}
	}
	v := NewVerifier(x.After(), key)
	for {
		e, h, err := x.Next()
		if err == io.EOF {
			return v.End()
		}
		if err != nil {
			// What was found before a broken line is the first problem.
			if sum, found := v.End(); found != nil {
				return sum, found
			}
			return v.sum, err
		}
		if e != nil {
			v.Entry(e)
		} else {
			v.Head(*h)
		}
	}
}
