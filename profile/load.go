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
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

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
	p := compiled(name)
	if err := firstError(p.readCells(), p.Deadline.check()); err != nil {
		return nil, fmt.Errorf("embedded profile %s: %w", name, err)
	}
	cache[name] = p
	return p, nil
}

// Read reads an embedded profile from its TOML file, and what it inherits from.
// [Named] gives the same without reading: it is compiled into the program.
func Read(name string) (*Profile, error) {
	raw, err := files.ReadFile("profiles/" + name + ".toml")
	if err != nil {
		return nil, err
	}
	p, err := parse(raw, Read)
	if err != nil {
		return nil, fmt.Errorf("embedded profile %s: %w", name, err)
	}
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
	parentName, err := inherits(raw)
	if err != nil {
		return nil, readable(err)
	}
	p := &Profile{}
	if parentName != "" {
		parent, err := base(parentName)
		if err != nil {
			return nil, err
		}
		p = parent.copy()
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
	for _, id := range slices.Sorted(maps.Keys(p.Levels)) {
		if !cause.Known(id) {
			return fmt.Errorf("levels: no cause %q in the catalogue; `assay causes` lists them", id)
		}
		if _, err := ParseCell(p.Levels[id]); err != nil {
			return fmt.Errorf("levels: %s: %w", id, err)
		}
	}
	return firstError(p.readCells(), p.Deadline.check(), p.File.check(), p.checkWords())
}

// readCells parses the levels.
func (p *Profile) readCells() error {
	p.cells = make(map[cause.ID]Cell, len(p.Levels))
	for id, text := range p.Levels {
		cell, err := ParseCell(text)
		if err != nil {
			return fmt.Errorf("levels: %s: %w", id, err)
		}
		p.cells[id] = cell
	}
	return nil
}

// inherits reads the name of the profile that a file inherits from. It stands
// before the first table, so what follows need not be read for it.
func inherits(raw []byte) (string, error) {
	var head struct {
		Inherits string `toml:"inherits"`
	}
	if at := bytes.Index(raw, []byte("\n[")); at >= 0 && toml.Unmarshal(raw[:at], &head) == nil {
		return head.Inherits, nil
	}
	err := toml.Unmarshal(raw, &head)
	return head.Inherits, err
}

// Digest is the SHA-256 of the whole resolved profile: two profiles with one
// digest judge alike.
func (p *Profile) Digest() string {
	p.digestOnce.Do(func() {
		if p.digest != "" {
			return // compiled in
		}
		raw, err := json.Marshal(p)
		if err != nil {
			panic("profile: does not marshal: " + err.Error())
		}
		sum := sha256.Sum256(raw)
		p.digest = "sha256:" + hex.EncodeToString(sum[:])
	})
	return p.digest
}

// copy returns a profile of the same fields that shares nothing with p; what is
// computed from them is left out.
func (p *Profile) copy() *Profile {
	c := &Profile{}
	copyInto(reflect.ValueOf(c).Elem(), reflect.ValueOf(p).Elem())
	return c
}

// copyInto copies exported fields, lists and tables in depth.
func copyInto(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Struct:
		if from.Type() == reflect.TypeFor[time.Time]() {
			to.Set(from)
			return
		}
		for i := range from.NumField() {
			if from.Type().Field(i).IsExported() {
				copyInto(to.Field(i), from.Field(i))
			}
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			copyInto(to.Index(i), from.Index(i))
		}
	case reflect.Map:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
		for entry := from.MapRange(); entry.Next(); {
			value := reflect.New(from.Type().Elem()).Elem()
			copyInto(value, entry.Value())
			to.SetMapIndex(entry.Key(), value)
		}
	default:
		to.Set(from)
	}
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
