package explain

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"assay/key"
)

// escapedQuote is a quotation mark as JSON and logs of JSON write it.
var escapedQuote = lazily(`\\+"`)

// escapedRune is a character as JSON and Python write it.
var escapedRune = lazily(`\\+u([0-9a-fA-F]{4})`)

// plain replaces the punctuation of typesetters and Chinese texts.
var plain = strings.NewReplacer(
	"“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'",
	"，", ",", "：", ":", "；", ";", "（", "(", "）", ")", "！", "!",
	`\/`, "/",
)

// normalise makes one text of what a terminal, a log, a JSON document or a
// mail made of a message: characters unescaped, quotation marks and
// punctuation plain, every run of white space and control characters one
// blank, so that wrapped lines match; private keys are taken out.
func normalise(text string) string {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	text = strings.ToValidUTF8(text, " ")
	text = key.Redact(text)
	text = escapedRune().ReplaceAllStringFunc(text, func(escaped string) string {
		code, err := strconv.ParseUint(escaped[len(escaped)-4:], 16, 16)
		if err != nil || code < ' ' || code >= 0xD800 && code <= 0xDFFF {
			return " "
		}
		return string(rune(code))
	})
	text = escapedQuote().ReplaceAllString(text, `"`)
	text = plain.Replace(text)
	var b strings.Builder
	b.Grow(len(text))
	blank := true
	for _, r := range text {
		switch {
		case r == '\u200b' || r == '\ufeff':
		case unicode.IsSpace(r) || !unicode.IsPrint(r):
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
		default:
			b.WriteRune(r)
			blank = false
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}

// lower writes ASCII letters in lower case and leaves every byte where it is,
// so that what is found in it can be shown as it was written.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// shorten cuts a text to at most limit characters.
func shorten(text string, limit int) string {
	n := 0
	for i := range text {
		if n == limit {
			return text[:i] + "…"
		}
		n++
	}
	return text
}

// lazily compiles an expression when it is first needed: what most runs of the
// program do not need must not cost each its start.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
