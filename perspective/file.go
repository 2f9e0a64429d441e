package perspective

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"assay/evidence"
	"assay/perspective/identity"
	"assay/perspective/wire"
)

// A File is perspectives.toml: the remote perspectives that a coordinator joined.
// `assay perspective join` and `remove` change it, and so may an operator.
//
//	key = "perspectives.key"
//
//	[[perspective]]
//	id = "P3"
//	address = "192.0.2.7:8443"
//	key = "ed25519:…"
//	region = "RIPE"
//	location = { lat = 52.37, lon = 4.9 }
//	joined = 2026-11-25T18:00:00Z
type File struct {
	// Key is the file with this coordinator's own private key, relative to the
	// directory of the file. Default: "perspectives.key".
	Key string `toml:"key"`
	// Perspectives are the remote places, at most 64.
	Perspectives []Entry `toml:"perspective"`
}

// An Entry is one remote perspective.
type Entry struct {
	// ID is "P1" to "P999".
	ID string `toml:"id"`
	// Address is the agent's host and port.
	Address string `toml:"address"`
	// Key is the agent's public key. Whoever answers with another one is not it.
	Key string `toml:"key"`
	// Region is the RIR region of its network: ARIN, RIPE, APNIC, LACNIC or
	// AFRINIC. The agent must say the same.
	Region string `toml:"region,omitempty"`
	// Location is where its network is, in degrees; needed to show that two
	// perspectives are 500 km apart (BR 3.2.2.9).
	Location *evidence.Location `toml:"location,omitempty,inline"`
	// Joined is when it was joined.
	Joined time.Time `toml:"joined,omitempty"`
}

// MaxFileBytes is the largest perspectives.toml, and MaxRemotes the most entries.
const (
	MaxFileBytes = 256 << 10
	MaxRemotes   = 64
	defaultKey   = "perspectives.key"
)

// Regions are the words for the RIR service regions (BR 3.2.2.9).
func Regions() []string { return []string{"ARIN", "RIPE", "APNIC", "LACNIC", "AFRINIC"} }

// CheckID reports whether a text can be the id of a remote perspective.
func CheckID(id string) error {
	digits, ok := strings.CutPrefix(id, "P")
	if !ok || len(digits) < 1 || len(digits) > 3 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return fmt.Errorf("%.40q is no id of a remote perspective: want P1 to P999 (P0 is the coordinator's own place)", id)
	}
	return nil
}

// ParseFile reads perspectives.toml. A key it does not know, a value that cannot
// be, an id or a key that is there twice are errors.
func ParseFile(raw []byte) (*File, error) {
	if len(raw) > MaxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", MaxFileBytes)
	}
	f := &File{}
	d := toml.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(f); err != nil {
		return nil, tomlError(err)
	}
	if len(f.Perspectives) > MaxRemotes {
		return nil, fmt.Errorf("%d perspectives, at most %d", len(f.Perspectives), MaxRemotes)
	}
	for i := range f.Perspectives {
		e := &f.Perspectives[i]
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("perspective %d: %w", i+1, err)
		}
		for _, other := range f.Perspectives[:i] {
			if other.ID == e.ID || other.Key == e.Key {
				return nil, fmt.Errorf("perspective %d: %s, or its key, is there already", i+1, e.ID)
			}
		}
	}
	return f, nil
}

func tomlError(err error) error {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) && len(missing.Errors) > 0 {
		line, column := missing.Errors[0].Position()
		return fmt.Errorf("line %d, column %d: there is no setting %.80q", line, column, strings.Join(missing.Errors[0].Key(), "."))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		return fmt.Errorf("line %d, column %d: %s", line, column, strings.TrimPrefix(decode.Error(), "toml: "))
	}
	return err
}

func (e *Entry) check() error {
	if err := CheckID(e.ID); err != nil {
		return err
	}
	if err := wire.CheckAddress(e.Address); err != nil {
		return err
	}
	if _, err := wire.ParseKey(e.Key); err != nil {
		return err
	}
	return CheckPlace(e.Region, e.Location)
}

// CheckPlace reports whether a region (or none) and a location (or none) can be.
func CheckPlace(region string, location *evidence.Location) error {
	if region != "" && !slices.Contains(Regions(), region) {
		return fmt.Errorf("%.40q is no region: there are %s", region, strings.Join(Regions(), ", "))
	}
	if location != nil && !location.Valid() {
		return fmt.Errorf("%v is no place on the earth: want a latitude from -90 to 90 and a longitude from -180 to 180", *location)
	}
	return nil
}

// ReadFile reads perspectives.toml from a path. A file that is not there is an
// [fs.ErrNotExist].
func ReadFile(path string) (*File, error) {
	f, _, err := readFile(path)
	return f, err
}

func readFile(path string) (*File, []byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	raw, err := io.ReadAll(io.LimitReader(in, MaxFileBytes+1))
	if err != nil {
		return nil, nil, err
	}
	f, err := ParseFile(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, raw, nil
}

// keyPath is where the coordinator's own key is.
func (f *File) keyPath(path string) string {
	key := f.Key
	if key == "" {
		key = defaultKey
	}
	if filepath.IsAbs(key) {
		return key
	}
	return filepath.Join(filepath.Dir(path), key)
}

// header begins a new perspectives.toml.
const header = `# The remote perspectives of this Assay. "assay perspective join" and "remove"
# change this file; what is written by hand stays. Whoever can write it decides
# which observations count: keep it, and the key, from others.

# This coordinator's own private key.
key = "` + defaultKey + `"
`

// ErrEntry is wrapped by errors about an id that is there, or is not.
var ErrEntry = errors.New("perspective")

// add puts an entry into the file, after those that are there. One with the same
// key is replaced: it moved, or joined again. One with the same id and another
// key is replaced only if replace is set.
func add(path string, e Entry, replace bool) error {
	return change(path, func(f *File, text string) (string, error) {
		for i := len(f.Perspectives) - 1; i >= 0; i-- {
			have := &f.Perspectives[i]
			if have.ID != e.ID && have.Key != e.Key {
				continue
			}
			if have.Key != e.Key && !replace {
				return "", fmt.Errorf("%w %s is in %s already, with another key", ErrEntry, e.ID, path)
			}
			var err error
			if text, err = cut(text, i); err != nil {
				return "", err
			}
		}
		block, err := toml.Marshal(struct {
			Perspectives []Entry `toml:"perspective"`
		}{[]Entry{e}})
		if err != nil {
			return "", err
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return text + "\n" + string(block), nil
	}, func(before, after *File) bool {
		kept := slices.DeleteFunc(slices.Clone(before.Perspectives), func(have Entry) bool { return have.ID == e.ID || have.Key == e.Key })
		return slices.EqualFunc(append(kept, e), after.Perspectives, sameEntry)
	})
}

// Remove takes an entry out of the file and returns it.
func Remove(path, id string) (Entry, error) {
	var gone Entry
	err := change(path, func(f *File, text string) (string, error) {
		i := slices.IndexFunc(f.Perspectives, func(e Entry) bool { return e.ID == id })
		if i < 0 {
			return "", fmt.Errorf("%w %.40q is not in %s", ErrEntry, id, path)
		}
		gone = f.Perspectives[i]
		return cut(text, i)
	}, func(before, after *File) bool {
		kept := slices.DeleteFunc(slices.Clone(before.Perspectives), func(e Entry) bool { return e.ID == id })
		return slices.EqualFunc(kept, after.Perspectives, sameEntry)
	})
	return gone, err
}

func sameEntry(a, b Entry) bool {
	place := a.Location == nil && b.Location == nil || a.Location != nil && b.Location != nil && *a.Location == *b.Location
	return place && a.ID == b.ID && a.Address == b.Address && a.Key == b.Key && a.Region == b.Region && a.Joined.Equal(b.Joined)
}

// change edits the text of the file, so that comments stay, while nobody else
// does. The new text is read again before it counts: good says whether it holds
// what it should.
func change(path string, edit func(*File, string) (string, error), good func(before, after *File) bool) error {
	unlock, err := identity.Lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	before, raw, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		before, raw = &File{Key: defaultKey}, []byte(header)
	case err != nil:
		return err
	}
	text, err := edit(before, string(raw))
	if err != nil {
		return err
	}
	after, err := ParseFile([]byte(text))
	if err != nil || after.Key != before.Key || !good(before, after) {
		return fmt.Errorf("%s: cannot be changed without losing something (%v): edit it by hand", path, err)
	}
	return identity.Replace(path, []byte(text))
}

// cut takes the i-th [[perspective]] out of the text: from its header to the
// next table, or to the comment above that.
func cut(text string, i int) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	from, to := -1, len(lines)
	for n, line := range lines {
		trimmed := strings.TrimSpace(line)
		if from >= 0 && strings.HasPrefix(trimmed, "[") {
			to = n
			break
		}
		head, _, _ := strings.Cut(trimmed, "#")
		if from < 0 && strings.ReplaceAll(strings.TrimSpace(head), " ", "") == "[[perspective]]" {
			if i == 0 {
				from = n
			}
			i--
		}
	}
	if from < 0 {
		return "", errors.New("its tables are not written as [[perspective]]: edit it by hand")
	}
	for to < len(lines) && to > from+1 && strings.HasPrefix(strings.TrimSpace(lines[to-1]), "#") {
		to--
	}
	return strings.Join(lines[:from], "") + strings.Join(lines[to:], ""), nil
}

// agentKey is the entry's key; it was checked when the file was read.
func (e *Entry) agentKey() ed25519.PublicKey {
	key, err := wire.ParseKey(e.Key)
	if err != nil {
		return nil
	}
	return key
}
