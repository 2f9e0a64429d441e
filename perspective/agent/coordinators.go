package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"assay/perspective/identity"
	"assay/perspective/wire"
)

// Coordinators is the list of those who may ask, in a file:
//
//	[[coordinator]]
//	key = "ed25519:…"
//	joined = 2026-11-25T18:00:00Z
//
// It is read once; the agent writes it when somebody joins or leaves.
type Coordinators struct {
	path string

	mu   sync.RWMutex
	list []coordinator
}

type coordinator struct {
	Key    string    `toml:"key"`
	Joined time.Time `toml:"joined"`
}

type coordinatorsFile struct {
	Coordinators []coordinator `toml:"coordinator"`
}

const (
	maxCoordinators     = 64
	maxCoordinatorBytes = 64 << 10
)

// OpenCoordinators reads the list; a file that is not there is an empty list.
func OpenCoordinators(path string) (*Coordinators, error) {
	c := &Coordinators{path: path}
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	raw, err := io.ReadAll(io.LimitReader(in, maxCoordinatorBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxCoordinatorBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxCoordinatorBytes)
	}
	if c.list, err = parseCoordinators(raw); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseCoordinators(raw []byte) ([]coordinator, error) {
	var f coordinatorsFile
	d := toml.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if len(f.Coordinators) > maxCoordinators {
		return nil, fmt.Errorf("%d coordinators, at most %d", len(f.Coordinators), maxCoordinators)
	}
	for _, c := range f.Coordinators {
		if _, err := wire.ParseKey(c.Key); err != nil {
			return nil, err
		}
	}
	return f.Coordinators, nil
}

// Len is how many coordinators there are.
func (c *Coordinators) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.list)
}

// Has reports whether a key is one of them.
func (c *Coordinators) Has(key string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i := range c.list {
		if c.list[i].Key == key {
			return true
		}
	}
	return false
}

// Add adds a key, and returns when it is on the disk.
func (c *Coordinators) Add(key string, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := append(without(c.list, key), coordinator{key, at.UTC().Truncate(time.Second)})
	if len(next) > maxCoordinators {
		return wire.Refuse(wire.RefusedTooMany, "coordinators: at most %d", maxCoordinators)
	}
	return c.write(next)
}

// Remove takes a key out.
func (c *Coordinators) Remove(key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(without(c.list, key))
}

func without(list []coordinator, key string) []coordinator {
	var kept []coordinator
	for _, c := range list {
		if c.Key != key {
			kept = append(kept, c)
		}
	}
	return kept
}

func (c *Coordinators) write(list []coordinator) error {
	raw, err := toml.Marshal(coordinatorsFile{list})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return err
	}
	if err := identity.Replace(c.path, raw); err != nil {
		return err
	}
	c.list = list
	return nil
}
