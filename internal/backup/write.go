package backup

import (
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// A Writer writes a backup. What it wrote is a backup only after [Writer.Close].
type Writer struct {
	encrypted io.WriteCloser
	packed    *gzip.Writer
	header    Header
	tally     tally
	err       error // the first; everything after it fails too
}

// NewWriter begins a backup for the holders of one or more recipients' keys. It
// sets the header's Format.
func NewWriter(w io.Writer, h Header, recipients ...age.Recipient) (*Writer, error) {
	encrypted, err := age.Encrypt(w, recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypting the backup: %w", err)
	}
	packed, err := gzip.NewWriterLevel(encrypted, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	h.Format, h.At = Format, h.At.UTC().Round(0)
	x := &Writer{encrypted: encrypted, packed: packed, header: h, tally: tally{sum: sha256.New()}}
	text, err := document(h)
	if err != nil {
		return nil, err
	}
	return x, x.record(kindHeader, text)
}

// Part begins the next part; each name comes once.
func (x *Writer) Part(name string) error {
	if x.err == nil {
		x.err = x.tally.beginPart(name)
	}
	return x.record(kindPart, []byte(name))
}

// Row writes a row of the part.
func (x *Writer) Row(row []byte) error {
	switch {
	case x.err != nil:
		return x.err
	case len(x.tally.parts) == 0:
		x.err = errors.New("a row before the first part")
	case len(row) > MaxRow:
		x.err = fmt.Errorf("a row of %d bytes in part %q: at most %d can be kept", len(row), x.tally.parts[len(x.tally.parts)-1].Name, MaxRow)
	default:
		x.tally.row(row)
	}
	return x.record(kindRow, row)
}

// Close writes the manifest and ends the stream, not the underlying writer. After
// an error it leaves the stream without an end, so that it does not pass for a
// backup.
func (x *Writer) Close() (Manifest, error) {
	x.tally.endPart()
	m := Manifest{Header: x.header, Parts: x.tally.parts}
	text, err := document(m)
	if x.err == nil {
		x.err = err
	}
	if err := x.record(kindManifest, text); err != nil {
		return Manifest{}, err
	}
	if x.err = errors.Join(x.packed.Close(), x.encrypted.Close()); x.err != nil {
		return Manifest{}, x.err
	}
	x.err = errors.New("the backup is closed")
	return m, nil
}

func (x *Writer) record(kind byte, content []byte) error {
	if x.err != nil {
		return x.err
	}
	if _, x.err = x.packed.Write(appendRecordHead(nil, kind, len(content))); x.err == nil {
		_, x.err = x.packed.Write(content)
	}
	return x.err
}
