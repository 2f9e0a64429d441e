package message

import (
	"strings"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/pelletier/go-toml/v2"
)

// A source is a message file of which only the messages asked for are parsed:
// a run of the program shows few of them, and reading all takes longer than
// reviewing an order.
type source struct {
	entries map[string]string // by id: the TOML of one message, "id" = …
	lock    sync.Mutex
	parsed  map[string]*i18n.Message
}

// newSource splits a message file. A message begins at a line that begins with
// its id in quotes; a text of several lines ("""…""") may hold anything.
func newSource(text string) *source {
	s := &source{entries: make(map[string]string, strings.Count(text, "\n\"")), parsed: map[string]*i18n.Message{}}
	id, start, at, long := "", 0, 0, false
	for line := range strings.Lines(text) {
		if !long && line[0] == '"' {
			s.entries[id] = text[start:at]
			id, _, _ = strings.Cut(line[1:], `"`)
			start = at
		}
		if strings.Count(line, `"""`) == 1 {
			long = !long
		}
		at += len(line)
	}
	s.entries[id] = text[start:]
	delete(s.entries, "") // what stands before the first message
	return s
}

// message returns a message, nil where there is none of that id.
func (s *source) message(id string) *i18n.Message {
	entry, ok := s.entries[id]
	if !ok {
		return nil
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if m := s.parsed[id]; m != nil {
		return m
	}
	m, err := parse(id, entry)
	if err != nil {
		panic("message: embedded file: " + id + ": " + err.Error())
	}
	s.parsed[id] = m
	return m
}

// parse reads the TOML of one message.
func parse(id, entry string) (*i18n.Message, error) {
	if text, ok := oneLine(id, entry); ok {
		return &i18n.Message{ID: id, Other: text}, nil
	}
	var table map[string]any
	if err := toml.Unmarshal([]byte(entry), &table); err != nil {
		return nil, err
	}
	m, err := i18n.NewMessage(table[id])
	if err == nil {
		m.ID = id
	}
	return m, err
}

// oneLine reads what most messages are: a string of one line without escapes.
func oneLine(id, entry string) (text string, ok bool) {
	line, _, _ := strings.Cut(entry, "\n")
	text, ok = strings.CutPrefix(line, `"`+id+`" = "`)
	if !ok || len(text) == 0 || strings.Contains(text, `\`) {
		return "", false
	}
	text, ok = strings.CutSuffix(text, `"`)
	return text, ok && !strings.Contains(text, `"`)
}
