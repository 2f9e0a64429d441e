package data

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The embedded snapshots, one file each, made by internal/gen/data. They are
// strings, not a file system: reading from that copies, and no check reads more
// than a part of them.
var (
	//go:embed embedded/brands.snapshot
	embeddedBrands string
	//go:embed embedded/confusables.snapshot
	embeddedConfusables string
	//go:embed embedded/iana-addresses.snapshot
	embeddedAddressBlocks string
	//go:embed embedded/psl.snapshot
	embeddedPublicSuffixes string
	//go:embed embedded/root-anchors.snapshot
	embeddedRootAnchors string
	//go:embed embedded/root-hints.snapshot
	embeddedRootHints string
	//go:embed embedded/root-zone.snapshot
	embeddedRootZone string
	//go:embed embedded/words.snapshot
	embeddedWords string
)

func embeddedText(name string) string {
	switch name {
	case Brands:
		return embeddedBrands
	case Confusables:
		return embeddedConfusables
	case AddressBlocks:
		return embeddedAddressBlocks
	case PublicSuffixes:
		return embeddedPublicSuffixes
	case RootAnchors:
		return embeddedRootAnchors
	case RootHints:
		return embeddedRootHints
	case RootZone:
		return embeddedRootZone
	case Words:
		return embeddedWords
	}
	panic("data: no snapshot is named " + name)
}

// A part is a snapshot with its canonical text.
type part struct {
	Snapshot
	body string
}

const (
	headerFirst = "# assay snapshot"
	headerBytes = 4096 // more than any header takes
)

// fileName is the file of a snapshot in a data directory.
func fileName(name string) string { return name + ".snapshot" }

func embeddedPart(name string) part {
	p, err := readHeader(name, embeddedText(name))
	if err != nil {
		panic("data: embedded " + name + ": " + err.Error())
	}
	return p
}

// write returns the snapshot file: a header of "# key: value" lines, an empty
// line, the canonical text.
func (p part) write() string {
	return fmt.Sprintf("%s\n# name: %s\n# source: %s\n# date: %s\n# entries: %d\n# sha256: %s\n\n%s",
		headerFirst, p.Name, p.Source, p.Date.Format(time.DateOnly), p.Entries, p.SHA256, p.body)
}

// readHeader splits a snapshot file. It believes what the header says of the
// text; see checkedPart.
func readHeader(name, text string) (part, error) {
	head, body, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(head) > headerBytes || lines[0] != headerFirst {
		return part{}, errors.New("not a snapshot: it has no header")
	}
	p := part{body: body}
	for i, line := range lines[1:] {
		key, value, ok := strings.Cut(strings.TrimPrefix(line, "# "), ": ")
		if !ok {
			return part{}, fmt.Errorf("line %d: want \"# key: value\"", i+2)
		}
		var err error
		switch key {
		case "name":
			p.Name = value
		case "source":
			p.Source = value
		case "date":
			p.Date, err = time.Parse(time.DateOnly, value)
		case "entries":
			p.Entries, err = strconv.Atoi(value)
		case "sha256":
			p.SHA256 = value
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return part{}, fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	if p.Name != "" && p.Name != name {
		return part{}, fmt.Errorf("holds the snapshot %q, not %q", p.Name, name)
	}
	p.Name = name
	return p, nil
}

// checkedPart reads a snapshot file and verifies that its text is the one the
// header describes and can be parsed.
func checkedPart(name, text string) (part, error) {
	p, err := readHeader(name, text)
	if err != nil {
		return part{}, err
	}
	if sum := digest(p.body); sum != p.SHA256 {
		return part{}, fmt.Errorf("was changed: its SHA-256 is %s, its header says %s", sum, p.SHA256)
	}
	if p.Date.IsZero() {
		return part{}, errors.New("its header has no date")
	}
	return p, nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
