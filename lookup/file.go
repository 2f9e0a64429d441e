package lookup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"assay/internal/strict"
)

// Bounds of what is read.
const (
	// maxTextBytes bounds a list in text form; a larger one belongs into SQLite.
	maxTextBytes = 512 << 20
	// maxLineBytes bounds one line.
	maxLineBytes = 64 << 10
	// maxDigestBytes is the size up to which a database is hashed and counted;
	// doing so to the gigabytes of the whole Debian list would take longer than
	// any review.
	maxDigestBytes = 64 << 20
)

// info is what is known of a list besides its entries.
type info struct {
	date    time.Time
	sha256  string
	entries int
}

// openList opens a list file; the date in info is the file's modification time
// until the list itself says another.
func openList(path string) (*os.File, info, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, info{}, readError(path, err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("is not a regular file: name the list itself")
	}
	if err != nil {
		f.Close()
		return nil, info{}, readError(path, err)
	}
	return f, info{date: st.ModTime().UTC().Truncate(24 * time.Hour)}, nil
}

// readError names a list by its file name only: reports are handed on, and the
// directories of this machine are nobody's business.
func readError(path string, err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", filepath.Base(path), err)
}

const sqliteMagic = "SQLite format 3\x00"

// isDatabase reports whether a file is an SQLite database. A file that cannot
// be opened is none; reading it as text then gives the error.
func isDatabase(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(sqliteMagic))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == sqliteMagic
}

// readText reads a list line by line. Blank lines and lines that begin with "#"
// are skipped; "# date: YYYY-MM-DD" among them dates the list. add is told of
// every other line; its first error ends the list, which is then not readable:
// entries that were not understood would be entries that silently do not match.
func readText(path string, add func(line string) error) (info, error) {
	f, i, err := openList(path)
	if err != nil {
		return i, err
	}
	defer f.Close()
	n, err := scanText(f, maxTextBytes, &i, add)
	i.entries = n
	if err != nil {
		return i, readError(path, err)
	}
	return i, nil
}

func scanText(r io.Reader, limit int64, i *info, add func(line string) error) (entries int, err error) {
	sum := sha256.New()
	counted := &bounded{r: io.TeeReader(r, sum), left: limit}
	scanner := bufio.NewScanner(counted)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLineBytes)
	number := 1
	for ; scanner.Scan(); number++ {
		raw := scanner.Bytes()
		if number == 1 {
			raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
		}
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			continue
		}
		if raw[0] == '#' {
			if err := i.header(string(raw[1:])); err != nil {
				return entries, fmt.Errorf("line %d: %w", number, err)
			}
			continue
		}
		if err := add(string(raw)); err != nil {
			return entries, fmt.Errorf("line %d: %w", number, err)
		}
		entries++
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return entries, fmt.Errorf("line %d: longer than %d KiB: want one entry a line", number, maxLineBytes>>10)
	} else if err != nil {
		return entries, err
	}
	i.sha256 = hexSum(sum)
	return entries, nil
}

// header reads one comment line.
func (i *info) header(comment string) error {
	key, value, ok := strings.Cut(comment, ":")
	if !ok || !strings.EqualFold(strings.TrimSpace(key), "date") {
		return nil
	}
	date, err := parseDate(strings.TrimSpace(value))
	if err != nil {
		return err
	}
	i.date = date
	return nil
}

// parseDate reads a day, or a time with an offset.
func parseDate(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	return time.Time{}, fmt.Errorf("the date %q must be written as 2026-11-01", strict.Quotable(text))
}

// bounded reads at most left bytes and fails, rather than ends, after them.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, fmt.Errorf("larger than %d MiB: a list of that size belongs into SQLite", maxTextBytes>>20)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	return n, err
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
