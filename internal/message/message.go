// Package message holds the words of the user interface: headings, help,
// errors. They stand in one message file a language, embedded, and are looked
// up by id. Texts about causes do not stand here: they come from package cause
// alone.
package message

import (
	"embed"
	"fmt"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"

	"assay/cause"
)

//go:embed active.en.toml active.zh.toml
var files embed.FS

// A Printer finds messages in one language. It is safe for concurrent use.
type Printer struct {
	lang      cause.Language
	localizer *i18n.Localizer
}

// New returns the printer of a language. Only that language's file is read,
// and the English one, which stands in for what a language lacks.
func New(lang cause.Language) *Printer {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	load := []cause.Language{cause.English}
	if lang != cause.English {
		load = append(load, lang)
	}
	for _, l := range load {
		if _, err := bundle.LoadMessageFileFS(files, "active."+string(l)+".toml"); err != nil {
			panic("message: embedded file: " + err.Error())
		}
	}
	return &Printer{lang: lang, localizer: i18n.NewLocalizer(bundle, string(lang))}
}

// Lang is the printer's language.
func (p *Printer) Lang() cause.Language { return p.lang }

// Text returns a message with its placeholders filled from pairs of a key and a
// value: Text("error.flag", "Flag", "--at"). An unknown id is a defect of the
// program; it is returned itself, so that nothing is lost.
func (p *Printer) Text(id string, pairs ...any) string {
	return p.localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: table(pairs)})
}

// Count returns a message in the plural form for n, which it may use as
// {{.PluralCount}}.
func (p *Printer) Count(id string, n int, pairs ...any) string {
	data := table(pairs)
	data["PluralCount"] = n
	return p.localize(&i18n.LocalizeConfig{MessageID: id, PluralCount: n, TemplateData: data})
}

// Has reports whether there is a message of that id.
func (p *Printer) Has(id string) bool {
	_, err := p.localizer.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: map[string]any{}})
	return err == nil
}

func (p *Printer) localize(c *i18n.LocalizeConfig) string {
	text, err := p.localizer.Localize(c)
	if text == "" && err != nil {
		return c.MessageID
	}
	return text
}

func table(pairs []any) map[string]any {
	m := make(map[string]any, len(pairs)/2+1)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
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
