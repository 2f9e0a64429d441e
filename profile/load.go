package profile

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"assay/cause"
)

//go:embed profiles/*.toml
var files embed.FS

// Embedded lists the names of the embedded profiles.
func Embedded() []string { return []string{"cloud", "baseline", "letsencrypt", "private"} }

var (
	cacheLock sync.Mutex
	cache     = map[string]*Profile{}
)

// Named returns an embedded profile. It is shared and must not be changed.
func Named(name string) (*Profile, error) {
	if !slices.Contains(Embedded(), name) {
		return nil, fmt.Errorf("no profile %q: embedded are cloud, baseline, letsencrypt and private; a file ends in .toml", name)
	}
	cacheLock.Lock()
	defer cacheLock.Unlock()
	return named(name)
}

func named(name string) (*Profile, error) {
	if p, ok := cache[name]; ok {
		return p, nil
	}
	raw, err := files.ReadFile("profiles/" + name + ".toml")
	if err != nil {
		return nil, err
	}
	p, err := parse(raw, named)
	if err != nil {
		return nil, fmt.Errorf("embedded profile %s: %w", name, err)
	}
	cache[name] = p
	return p, nil
}

// Parse reads a profile file. It may inherit from an embedded profile. Errors
// name the line, the field and what it must be.
func Parse(raw []byte) (*Profile, error) {
	cacheLock.Lock()
	defer cacheLock.Unlock()
	p, err := parse(raw, func(name string) (*Profile, error) {
		if !slices.Contains(Embedded(), name) {
			return nil, fmt.Errorf("inherits: no embedded profile %q", name)
		}
		return named(name)
	})
	if err != nil {
		return nil, err
	}
	return p, p.checkConditions()
}

func parse(raw []byte, base func(string) (*Profile, error)) (*Profile, error) {
	var head struct {
		Inherits string `toml:"inherits"`
	}
	if err := toml.Unmarshal(raw, &head); err != nil {
		return nil, readable(err)
	}
	p := &Profile{}
	if head.Inherits != "" {
		parent, err := base(head.Inherits)
		if err != nil {
			return nil, err
		}
		if p, err = parent.copy(); err != nil {
			return nil, err
		}
	}
	levels := p.Levels
	p.Levels = nil
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(p); err != nil {
		return nil, readable(err)
	}
	// Levels are merged cause by cause; every other table is replaced field by
	// field, lists as a whole.
	merged := maps.Clone(levels)
	if merged == nil {
		merged = map[cause.ID]string{}
	}
	maps.Copy(merged, p.Levels)
	p.Levels = merged
	return p, p.finish()
}

// finish checks the profile and computes what reading it needs.
func (p *Profile) finish() error {
	p.cells = make(map[cause.ID]Cell, len(p.Levels))
	for _, id := range slices.Sorted(maps.Keys(p.Levels)) {
		text := p.Levels[id]
		if !cause.Known(id) {
			return fmt.Errorf("levels: no cause %q in the catalogue; `assay causes` lists them", id)
		}
		cell, err := ParseCell(text)
		if err != nil {
			return fmt.Errorf("levels: %s: %w", id, err)
		}
		p.cells[id] = cell
	}
	if err := firstError(p.Deadline.check(), p.File.check(), p.checkWords()); err != nil {
		return err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	p.digest = "sha256:" + hex.EncodeToString(sum[:])
	return nil
}

// Digest is the SHA-256 of the whole resolved profile: two profiles with one
// digest judge alike.
func (p *Profile) Digest() string { return p.digest }

func (p *Profile) copy() (*Profile, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	c := &Profile{}
	return c, json.Unmarshal(raw, c)
}

func readable(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		line, column := e.Position()
		return fmt.Errorf("line %d, column %d: unknown field %q", line, column, strings.Join(e.Key(), "."))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		return fmt.Errorf("line %d, column %d: %s", line, column, decode.Error())
	}
	return err
}
