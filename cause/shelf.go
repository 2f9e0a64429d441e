package cause

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

// A shelf holds TOML files, one a stage, with a table a cause. A file is split
// when one of its causes is asked for, and a cause's table is parsed then: a
// review finds a few of all causes.
type shelf[T any] struct {
	files  *embed.FS
	dir    string
	name   func(*T, ID) // tells a value which cause it is about, where it wants to know
	parsed sync.Map     // ID → *T
	lock   sync.Mutex
	split  map[Stage]tables
}

// tables are the parts of a file: the causes in its order, and the text of each.
type tables struct {
	ids  []ID
	text map[ID]string
}

// get returns what stands about a cause, nil where nothing does.
func (s *shelf[T]) get(id ID) *T {
	if v, ok := s.parsed.Load(id); ok {
		return v.(*T)
	}
	text, ok := s.stage(id.Stage()).text[id]
	if !ok {
		return nil
	}
	var one map[ID]*T
	if err := toml.Unmarshal([]byte(text), &one); err != nil {
		panic(fmt.Sprintf("cause: embedded %s: %s: %v", s.dir, id, err))
	}
	if s.name != nil {
		s.name(one[id], id)
	}
	v, _ := s.parsed.LoadOrStore(id, one[id])
	return v.(*T)
}

// stage returns the parts of a stage's file; there are none for a word that is
// no stage.
func (s *shelf[T]) stage(stage Stage) tables {
	s.lock.Lock()
	defer s.lock.Unlock()
	if parts, ok := s.split[stage]; ok {
		return parts
	}
	raw, err := s.files.ReadFile(s.dir + "/" + string(stage) + ".toml")
	if err != nil {
		return tables{}
	}
	if s.split == nil {
		s.split = map[Stage]tables{}
	}
	s.split[stage] = splitTables(string(raw))
	return s.split[stage]
}

// splitTables splits a file at the headings of its causes: ["csr.reused"]. What
// stands below, ["csr.reused".phrases.rule] too, is that cause's.
func splitTables(text string) tables {
	t := tables{text: map[ID]string{}}
	id, start, at := ID(""), 0, 0
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, `["`); ok {
			if name, ok = strings.CutSuffix(strings.TrimSpace(name), `"]`); ok {
				t.text[id] = text[start:at]
				id, start = ID(name), at
				t.ids = append(t.ids, id)
			}
		}
		at += len(line)
	}
	t.text[id] = text[start:]
	delete(t.text, "") // what stands before the first cause
	return t
}
