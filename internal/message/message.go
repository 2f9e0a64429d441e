// Package message holds the words of the user interface: headings, help,
// errors. They stand in one message file a language, embedded, and are looked
// up by id. Texts about causes do not stand here: they come from package cause
// alone.
package message

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"assay/cause"
)

var (
	//go:embed active.en.toml
	englishFile string
	//go:embed active.zh.toml
	chineseFile string
)

// The message files, one a language.
var sources = map[cause.Language]func() *source{
	cause.English: sync.OnceValue(func() *source { return newSource(englishFile) }),
	cause.Chinese: sync.OnceValue(func() *source { return newSource(chineseFile) }),
}

// An ID is a value of a message that is a message itself: it is shown in the language
// of the text that it stands in. Where there is no such message, what stands behind the
// last dot is shown.
type ID string

// A Printer finds messages in one language. It is safe for concurrent use.
type Printer struct {
	lang cause.Language

	lock      sync.RWMutex
	bundle    *i18n.Bundle
	localizer *i18n.Localizer
	added     map[string]bool // ids in the bundle
}

// New returns the printer of a language.
func New(lang cause.Language) *Printer { return &Printer{lang: lang} }

// Lang is the printer's language.
func (p *Printer) Lang() cause.Language { return p.lang }

// Text returns a message with its placeholders filled from pairs of a key and a
// value: Text("error.flag", "Flag", "--at"). An unknown id is a defect of the
// program; it is returned itself, so that nothing is lost.
func (p *Printer) Text(id string, pairs ...any) string {
	m := p.find(id)
	if m == nil {
		return id
	}
	if !strings.Contains(m.Other, "{{") {
		return m.Other
	}
	return p.localize(m, &i18n.LocalizeConfig{MessageID: id, TemplateData: p.table(pairs)})
}

// Count returns a message in the plural form for n, which it may use as
// {{.PluralCount}}.
func (p *Printer) Count(id string, n int, pairs ...any) string {
	m := p.find(id)
	if m == nil {
		return id
	}
	data := p.table(pairs)
	data["PluralCount"] = n
	return p.localize(m, &i18n.LocalizeConfig{MessageID: id, PluralCount: n, TemplateData: data})
}

// Has reports whether there is a message of that id.
func (p *Printer) Has(id string) bool { return p.find(id) != nil }

// find returns a message, in English where the language lacks it.
func (p *Printer) find(id string) *i18n.Message {
	if load, ok := sources[p.lang]; ok {
		if m := load().message(id); m != nil {
			return m
		}
	}
	return sources[cause.English]().message(id)
}

// localize fills a message by the rules of the language.
func (p *Printer) localize(m *i18n.Message, c *i18n.LocalizeConfig) string {
	p.lock.RLock()
	if !p.added[m.ID] {
		p.lock.RUnlock()
		p.add(m)
		p.lock.RLock()
	}
	defer p.lock.RUnlock()
	text, err := p.localizer.Localize(c)
	if text == "" && err != nil {
		return c.MessageID
	}
	return text
}

// add puts a message into the bundle, and makes that for the first one.
func (p *Printer) add(m *i18n.Message) {
	p.lock.Lock()
	defer p.lock.Unlock()
	tag := language.Make(string(p.lang))
	if p.bundle == nil {
		p.bundle = i18n.NewBundle(tag)
		p.localizer = i18n.NewLocalizer(p.bundle, string(p.lang))
		p.added = map[string]bool{}
	}
	if p.added[m.ID] {
		return
	}
	if err := p.bundle.AddMessages(tag, m); err != nil {
		panic("message: " + err.Error())
	}
	p.added[m.ID] = true
}

func (p *Printer) table(pairs []any) map[string]any {
	m := make(map[string]any, len(pairs)/2+1)
	for i := 0; i+1 < len(pairs); i += 2 {
		value := pairs[i+1]
		if id, ok := value.(ID); ok {
			value = p.word(string(id))
		}
		m[fmt.Sprint(pairs[i])] = value
	}
	return m
}

func (p *Printer) word(id string) string {
	if !p.Has(id) {
		return id[strings.LastIndex(id, ".")+1:]
	}
	return p.Text(id)
}

// Detect chooses the language: the one asked for, else the one of the locale
// (LC_ALL, then LC_MESSAGES, then LANG), else English. ok is false for a
// language asked for that there is no message file of.
func Detect(asked string, getenv func(string) string) (lang cause.Language, ok bool) {
	if asked != "" {
		return match(asked)
	}
	for _, key := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(key); locale != "" {
			lang, _ := match(locale)
			return lang, true
		}
	}
	return cause.English, true
}

// match reads "zh", "zh-CN", "zh_TW.UTF-8", "en_GB".
func match(tag string) (cause.Language, bool) {
	primary, _, _ := strings.Cut(strings.ToLower(tag), ".")
	primary, _, _ = strings.Cut(primary, "_")
	primary, _, _ = strings.Cut(primary, "-")
	switch primary {
	case "zh":
		return cause.Chinese, true
	case "en":
		return cause.English, true
	}
	return cause.English, false
}
