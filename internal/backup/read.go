package backup

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// A Reader reads a backup in one pass, one row in memory at a time, and checks
// it on the way. Errors are [ErrCut], [ErrDamaged], those of age (no identity
// fits: *age.NoIdentityMatchError; a chunk changed or cut off in its middle) and
// of the underlying reader.
type Reader struct {
	packed    io.Reader
	encrypted io.Reader
	header    Header
	tally     tally
	manifest  Manifest
	row       bytes.Buffer
	kind      byte // of the record whose head was read and whose content was not; 0: none
	length    int
	err       error
}

// NewReader opens a backup and reads its header.
func NewReader(r io.Reader, identities ...age.Identity) (*Reader, error) {
	encrypted, err := age.Decrypt(r, identities...)
	if err != nil {
		return nil, fmt.Errorf("opening the backup: %w", err)
	}
	// One buffer for all that reads it, so that nothing behind the compressed
	// stream is read over.
	outer := bufio.NewReader(encrypted)
	packed, err := gzip.NewReader(outer)
	if err != nil {
		return nil, whatEnds(err)
	}
	// Nothing may follow, also no second compressed stream.
	packed.Multistream(false)
	return open(packed, outer)
}

// open reads the header from the unpacked stream; both streams must end with
// the manifest.
func open(packed, encrypted io.Reader) (*Reader, error) {
	x := &Reader{packed: packed, encrypted: encrypted, tally: tally{sum: sha256.New()}}
	text, err := x.only(kindHeader)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(text, &x.header) != nil {
		return nil, ErrDamaged
	}
	if x.header.Format != Format {
		return nil, fmt.Errorf("the backup has format %d, made by Assay %.40q: this one reads format %d", x.header.Format, x.header.Assay, Format)
	}
	return x, nil
}

// Header says what the backup is of.
func (x *Reader) Header() Header { return x.header }

// Manifest is what was read, after Next has returned io.EOF.
func (x *Reader) Manifest() Manifest { return x.manifest }

// Next is the name of the next part; rows of the last one that were not read are
// read over. io.EOF: the backup is whole and undamaged.
func (x *Reader) Next() (string, error) {
	for {
		if _, err := x.Row(); err == io.EOF {
			break
		} else if err != nil {
			return "", err
		}
	}
	if x.err != nil {
		return "", x.err
	}
	if x.kind == kindManifest {
		x.err = x.end()
		return "", x.err
	}
	name, err := x.content(MaxName)
	if err != nil {
		return "", err
	}
	if err := x.tally.beginPart(string(name)); err != nil {
		x.err = fmt.Errorf("%w: %w", ErrDamaged, err)
		return "", x.err
	}
	return string(name), nil
}

// Row is the next row of the part, valid until the next call; io.EOF: there are
// no more in it.
func (x *Reader) Row() ([]byte, error) {
	if x.err != nil {
		return nil, x.err
	}
	if x.kind == 0 {
		if x.err = x.head(); x.err != nil {
			return nil, x.err
		}
	}
	switch {
	case x.kind == kindPart || x.kind == kindManifest:
		return nil, io.EOF
	case x.kind != kindRow || len(x.tally.parts) == 0:
		x.err = ErrDamaged
		return nil, x.err
	}
	row, err := x.content(MaxRow)
	if err != nil {
		return nil, err
	}
	x.tally.row(row)
	return row, nil
}

// end compares the manifest with what was read, and looks that all streams end.
func (x *Reader) end() error {
	text, err := x.content(maxDocument)
	if err != nil {
		return err
	}
	x.tally.endPart()
	want, err := json.Marshal(Manifest{Header: x.header, Parts: x.tally.parts})
	if err != nil {
		return err
	}
	if !bytes.Equal(text, want) {
		return fmt.Errorf("%w: its parts are not those of its manifest", ErrDamaged)
	}
	var one [1]byte
	for _, r := range []io.Reader{x.packed, x.encrypted} {
		if n, err := io.ReadFull(r, one[:]); n > 0 {
			return fmt.Errorf("%w: something follows its end", ErrDamaged)
		} else if err != io.EOF {
			return whatEnds(err)
		}
	}
	x.manifest = Manifest{Header: x.header, Parts: x.tally.parts}
	return io.EOF
}

// only reads a record that must be of a kind.
func (x *Reader) only(kind byte) ([]byte, error) {
	if err := x.head(); err != nil {
		return nil, err
	}
	if x.kind != kind {
		return nil, ErrDamaged
	}
	return x.content(maxDocument)
}

func (x *Reader) head() error {
	var b [5]byte
	if _, err := io.ReadFull(x.packed, b[:]); err != nil {
		return whatEnds(err)
	}
	length := binary.BigEndian.Uint32(b[1:])
	if length > MaxRow {
		return ErrDamaged
	}
	x.kind, x.length = b[0], int(length)
	return nil
}

// content reads the record whose head was read. Memory grows with what is there,
// not with what the length says.
func (x *Reader) content(limit int) ([]byte, error) {
	if x.length > limit {
		x.err = ErrDamaged
		return nil, x.err
	}
	x.row.Reset()
	if n, err := io.CopyN(&x.row, x.packed, int64(x.length)); n < int64(x.length) {
		x.err = whatEnds(err)
		return nil, x.err
	}
	x.kind = 0
	return x.row.Bytes(), nil
}

// whatEnds turns the end of a stream where there should be more into [ErrCut].
func whatEnds(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCut
	}
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("reading the backup: %w", err)
}
