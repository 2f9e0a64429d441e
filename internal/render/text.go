// Package render shows reports, and what else the command line has to show, to
// a person at a terminal: verdict first, then each cause with what was found,
// why it matters and what to do. It decides nothing and holds no text: words
// about causes come from package cause, all others from package message.
package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// MinWidth is the narrowest layout; a narrower terminal wraps it itself.
const MinWidth = 40

// cells counts terminal cells. Ambiguous characters count as one, whatever the
// locale says, so that output does not depend on the environment.
var cells = &runewidth.Condition{}

// Width is the number of terminal cells a text fills; Chinese characters fill two.
func Width(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return cells.StringWidth(s)
		}
	}
	return len(s)
}

// Safe makes a text from outside harmless to a terminal: whatever is no
// printable character (control characters, escape sequences, direction marks,
// zero-width characters, line breaks, broken UTF-8) is shown as an escape.
func Safe(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

func clean(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// maxProse bounds a text that quotes what was given, in bytes: a name can be a
// megabyte long.
const maxProse = 1500

// prose is [Safe] for a text of a finding, with its middle left out where it is
// very long.
func prose(s string) string {
	if len(s) > maxProse {
		head := strings.ToValidUTF8(s[:maxProse*2/3], "")
		tail := strings.ToValidUTF8(s[len(s)-maxProse/3:], "")
		s = head + " … " + tail
	}
	return Safe(s)
}

// SafeLines is [Safe] for a text of several lines: line breaks stay.
func SafeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Safe(lines[i])
	}
	return strings.Join(lines, "\n")
}

// minTail is the least room in which a word that fits on no line is begun.
const minTail = 12

// Wrap breaks a text into lines of at most width cells. It breaks at spaces and
// between Chinese characters, never before a closing or after an opening
// punctuation mark, and inside a word only where the word alone is too wide.
func Wrap(s string, width int) []string {
	width = max(width, 8)
	var lines []string
	line, lineWidth := "", 0
	flush := func() {
		lines = append(lines, strings.TrimRight(line, " "))
		line, lineWidth = "", 0
	}
	for _, piece := range pieces(s) {
		w := Width(strings.TrimRight(piece, " "))
		if lineWidth > 0 && lineWidth+w > width && (w <= width || width-lineWidth < minTail) {
			flush()
		}
		if lineWidth == 0 {
			piece = strings.TrimLeft(piece, " ")
		}
		for lineWidth+Width(strings.TrimRight(piece, " ")) > width {
			head := cells.Truncate(piece, width-lineWidth, "")
			if head == "" {
				break
			}
			line += head
			flush()
			piece = piece[len(head):]
		}
		line += piece
		lineWidth += Width(piece)
	}
	if line != "" || len(lines) == 0 {
		flush()
	}
	return lines
}

// pieces cuts a text where a line may end; each piece keeps its trailing spaces.
func pieces(s string) []string {
	var out []string
	start := 0
	var previous rune
	for i, r := range s {
		if i > start && mayBreak(previous, r) {
			out = append(out, s[start:i])
			start = i
		}
		previous = r
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

const (
	closing = "，。、；：？！）】》」』”’…·%,.;:?!)]}"
	opening = "（【《「『“‘([{"
)

func mayBreak(a, b rune) bool {
	switch {
	case b == ' ':
		return false
	case a == ' ':
		return true
	case strings.ContainsRune(closing, b) || strings.ContainsRune(opening, a):
		return false
	}
	return wide(a) || wide(b)
}

// wide reports whether a line may break beside a character: Chinese text has
// no spaces.
func wide(r rune) bool {
	return r >= 0x2E80 && cells.RuneWidth(r) == 2
}

// Pad fills a text with spaces to a width.
func Pad(s string, width int) string {
	if n := width - Width(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// Clip shortens a text to a width, with an ellipsis where something is lost.
func Clip(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	return cells.Truncate(s, width, "…")
}
