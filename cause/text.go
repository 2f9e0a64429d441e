package cause

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Language is a language of the texts: "en" or "zh".
type Language string

// The languages every text exists in.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Languages lists them.
func Languages() []Language { return []Language{English, Chinese} }

// Texts are the words for one cause in one language.
//
// Title and Why hold no placeholders, so that they can stand in a list and in
// the documents. Found and Handling may hold placeholders:
//
//	{name}      the value of the parameter; a list is joined, a time is shown
//	            in UTC, a duration in words
//	{rule}      where Phrases has a table "rule", the phrase for the value,
//	            filled in turn, optional parts included
//	[[ … ]]     left out when a placeholder inside has no value
//
// Title: what is wrong, in a few words. Found: what was seen, with the values,
// one or two sentences. Why: why that is a problem and who says so. Handling:
// the steps to take, most likely first, each naming one action.
type Texts struct {
	Title    string                       `toml:"title"`
	Found    string                       `toml:"found"`
	Why      string                       `toml:"why"`
	Handling []string                     `toml:"handling"`
	Phrases  map[string]map[string]string `toml:"phrases"`
}

// Parameters are the values of one finding. A value is a string, an int, a
// bool, a []string, a time.Time or a time.Duration.
type Parameters map[string]any

//go:embed text
var textFiles embed.FS

var texts = map[Language]*shelf[Texts]{
	English: {files: &textFiles, dir: "text/en"},
	Chinese: {files: &textFiles, dir: "text/zh"},
}

// TextsOf returns the texts of a cause, in English where the language has none;
// nil for an unknown id. They are shared and must not be changed.
func TextsOf(id ID, lang Language) *Texts {
	if byID, ok := texts[lang]; ok {
		if t := byID.get(id); t != nil {
			return t
		}
	}
	return texts[English].get(id)
}

// Fill returns a text with its placeholders replaced by the parameters. A
// placeholder without a value is shown as ‹key›, which is how the generated
// documents show every placeholder.
func (t *Texts) Fill(text string, p Parameters, lang Language) string {
	if !strings.ContainsAny(text, "{[") {
		return text
	}
	var b strings.Builder
	t.write(&b, text, p, lang, 0)
	return b.String()
}

// Entry returns a text as the catalogue shows it: no finding, no values. Every
// optional part is there, and each placeholder stands as ‹key›.
func (t *Texts) Entry(text string, lang Language) string {
	return t.Fill(strings.NewReplacer("[[", "", "]]", "").Replace(text), nil, lang)
}

// Variants returns what ‹rule› stands for in the catalogue, sorted by the rule's
// word: what a finding of this cause may say. It is empty where a cause has one
// wording.
func (t *Texts) Variants(lang Language) []string {
	table := t.Phrases["rule"]
	list := make([]string, 0, len(table))
	for _, word := range slices.Sorted(maps.Keys(table)) {
		list = append(list, t.Entry(table[word], lang))
	}
	return list
}

// maxPhraseDepth bounds phrases that hold placeholders with phrases.
const maxPhraseDepth = 3

// write writes a text with its optional parts, where they are complete, and
// reports whether every placeholder outside of them had a value.
func (t *Texts) write(b *strings.Builder, text string, p Parameters, lang Language, depth int) bool {
	complete := true
	for {
		before, rest, open := strings.Cut(text, "[[")
		optional, after, closed := strings.Cut(rest, "]]")
		if !open || !closed {
			return t.fill(b, text, p, lang, depth) && complete
		}
		complete = t.fill(b, before, p, lang, depth) && complete
		var part strings.Builder
		if t.fill(&part, optional, p, lang, depth) {
			b.WriteString(part.String())
		}
		text = after
	}
}

// fill writes text with placeholders replaced and reports whether each had a value.
func (t *Texts) fill(b *strings.Builder, text string, p Parameters, lang Language, depth int) bool {
	complete := true
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return complete
		}
		key, after, found := strings.Cut(rest, "}")
		if !found {
			b.WriteString("{" + rest)
			return complete
		}
		text = after
		value, ok := p[key]
		if !ok || value == "" {
			complete = false
			b.WriteString("‹" + key + "›")
			continue
		}
		if phrase, ok := t.phrase(key, value); ok && depth < maxPhraseDepth {
			complete = t.write(b, phrase, p, lang, depth+1) && complete
			continue
		}
		if list, ok := value.([]string); ok && t.Phrases[key] != nil && depth < maxPhraseDepth {
			for i, item := range list {
				if i > 0 {
					b.WriteString(separator(lang))
				}
				if phrase, ok := t.phrase(key, item); ok {
					complete = t.write(b, phrase, p, lang, depth+1) && complete
				} else {
					b.WriteString(item)
				}
			}
			continue
		}
		b.WriteString(FormatValue(value, lang))
	}
}

func (t *Texts) phrase(key string, value any) (string, bool) {
	table, ok := t.Phrases[key]
	if !ok {
		return "", false
	}
	phrase, ok := table[FormatValue(value, English)]
	return phrase, ok
}

func separator(lang Language) string {
	if lang == Chinese {
		return "、"
	}
	return ", "
}

// FormatValue writes a parameter for a reader of the language: lists joined,
// times in UTC to the minute, durations in days, hours, minutes or seconds.
func FormatValue(value any, lang Language) string {
	switch v := value.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case []string:
		return strings.Join(v, separator(lang))
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04 UTC")
	case time.Duration:
		return FormatDuration(v, lang)
	}
	return fmt.Sprint(value)
}

// FormatDuration writes a duration in its two largest units: "3 days",
// "1 h 30 min", "45 s"; whole days from 48 h on.
func FormatDuration(d time.Duration, lang Language) string {
	units := []struct {
		size   time.Duration
		en, zh string
	}{{24 * time.Hour, " d", " 天"}, {time.Hour, " h", " 小时"}, {time.Minute, " min", " 分钟"}, {time.Second, " s", " 秒"}}
	if d < 0 {
		return "-" + FormatDuration(-d, lang)
	}
	var parts []string
	for i, u := range units {
		n := d / u.size
		if n == 0 && !(i == len(units)-1 && len(parts) == 0) {
			continue
		}
		name := u.en
		if lang == Chinese {
			name = u.zh
		} else if i == 0 {
			name = " days"
			if n == 1 {
				name = " day"
			}
		}
		parts = append(parts, strconv.FormatInt(int64(n), 10)+name)
		if d -= n * u.size; len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// Placeholders returns the placeholder keys of a text, sorted, each once.
func Placeholders(text string) []string {
	seen := map[string]bool{}
	for {
		_, rest, found := strings.Cut(text, "{")
		if !found {
			break
		}
		key, after, found := strings.Cut(rest, "}")
		if !found {
			break
		}
		seen[key] = true
		text = after
	}
	keys := make([]string, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Space is what stands between two sentences: a space, in Chinese nothing.
func (l Language) Space() string {
	if l == Chinese {
		return ""
	}
	return " "
}

// Canonical returns the parameters as one comparable text: keys sorted, as JSON.
func (p Parameters) Canonical() string {
	if len(p) == 0 {
		return ""
	}
	raw, err := json.Marshal(p)
	if err != nil {
		panic("cause: parameters do not marshal: " + err.Error())
	}
	return string(raw)
}

// MarshalJSON writes durations as Go writes them ("72h0m0s") and times in UTC,
// keys sorted.
func (p Parameters) MarshalJSON() ([]byte, error) {
	plain := make(map[string]any, len(p))
	for k, v := range p {
		switch v := v.(type) {
		case time.Duration:
			plain[k] = v.String()
		case time.Time:
			plain[k] = v.UTC()
		default:
			plain[k] = v
		}
	}
	return json.Marshal(plain)
}
