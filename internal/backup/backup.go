// Package backup is the form of a backup: one stream that is compressed and
// encrypted with age (age-encryption.org/v1), so that the age tool can open it
// too.
//
// Inside is a header, then parts (a table each) with rows whose bytes only the
// database's side knows, and at the end a [Manifest] that counts and digests
// them. age authenticates each 64 KiB; the manifest shows that nothing was left
// out between. Rows are given out as they are read: who restores commits only
// after the last one, when [Reader.Next] has said io.EOF.
//
// A recipient is public, so whoever knows it can make a backup of their own:
// that one opens says that it is undamaged, not who made it. The signed heads of
// the audit inside it do.
package backup

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// Limits of what is read.
const (
	// MaxRow is the longest row in bytes.
	MaxRow = 64 << 20
	// MaxParts is how many parts a backup has at most, and MaxName the longest
	// name of one in bytes.
	MaxParts = 256
	MaxName  = 128
	// maxDocument is the longest header or manifest in bytes.
	maxDocument = 256 << 10
)

// Format is the version of this form.
const Format = 1

// Header says what the backup is of. Who restores checks Schema before the
// first row.
type Header struct {
	Format int `json:"format"`
	// Assay is the version that made it, Schema that of the database's tables,
	// Engine "sqlite" or "postgres".
	Assay  string    `json:"assay"`
	Schema int64     `json:"schema"`
	Engine string    `json:"engine"`
	At     time.Time `json:"at"`
}

// Manifest is what a whole backup holds.
type Manifest struct {
	Header Header `json:"header"`
	Parts  []Part `json:"parts"`
}

// A Part is one table.
type Part struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	// Bytes of all rows; SHA256 of the rows, each behind its length in 8 bytes, in
	// hexadecimal.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

var (
	// ErrCut: the backup ends before its manifest.
	ErrCut = errors.New("the backup is cut off: its end is missing")
	// ErrDamaged: it opens, but is not what a backup writes.
	ErrDamaged = errors.New("the backup is damaged")
)

// A record is its kind, its length in 4 bytes (big endian) and its bytes.
const (
	kindHeader   = 'H' // first; a Header in JSON
	kindPart     = 'P' // begins a part; its name
	kindRow      = 'R'
	kindManifest = 'M' // last; a Manifest in JSON
)

func appendRecordHead(b []byte, kind byte, length int) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind), uint32(length))
}

// tally counts and digests the rows of the part that is under way.
type tally struct {
	parts []Part
	sum   hash.Hash
}

func (t *tally) row(row []byte) {
	p := &t.parts[len(t.parts)-1]
	p.Rows++
	p.Bytes += int64(len(row))
	t.sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(row))))
	t.sum.Write(row)
}

// endPart sets the digest of the part that was under way.
func (t *tally) endPart() {
	if len(t.parts) > 0 {
		t.parts[len(t.parts)-1].SHA256 = fmt.Sprintf("%x", t.sum.Sum(nil))
		t.sum.Reset()
	}
}

// beginPart ends the last part and begins one that has a name of its own.
func (t *tally) beginPart(name string) error {
	t.endPart()
	for i := range t.parts {
		if t.parts[i].Name == name {
			return fmt.Errorf("part %q comes twice", name)
		}
	}
	if len(t.parts) == MaxParts || name == "" || len(name) > MaxName {
		return fmt.Errorf("part %.128q: want at most %d parts with names of 1 to %d bytes", name, MaxParts, MaxName)
	}
	t.parts = append(t.parts, Part{Name: name})
	return nil
}

// Verify reads a backup to its end and says what it holds.
func Verify(r *Reader) (Manifest, error) {
	for {
		if _, err := r.Next(); err == io.EOF {
			return r.Manifest(), nil
		} else if err != nil {
			return Manifest{}, err
		}
		for {
			if _, err := r.Row(); err == io.EOF {
				break
			} else if err != nil {
				return Manifest{}, err
			}
		}
	}
}

func document(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil && len(b) > maxDocument {
		err = fmt.Errorf("%d bytes of header or manifest: at most %d", len(b), maxDocument)
	}
	return b, err
}
