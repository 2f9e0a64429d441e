package render

import (
	"assay/cause"
	"assay/review"
)

// Style is how text is set off. The zero value is plain text.
type Style struct {
	// Color allows ANSI colours and weights.
	Color bool
	// ASCII replaces symbols and rules by plain characters, for terminals
	// whose locale is not UTF-8.
	ASCII bool
}

// ANSI SGR codes. Only the 16 basic colours, so that every terminal's theme fits.
const (
	bold    = "1"
	faint   = "2"
	red     = "31"
	green   = "32"
	yellow  = "33"
	blue    = "34"
	magenta = "35"
	cyan    = "36"
	reverse = "7"
)

func (s Style) paint(text string, codes ...string) string {
	if !s.Color || text == "" || len(codes) == 0 {
		return text
	}
	open := "\x1b["
	for i, c := range codes {
		if i > 0 {
			open += ";"
		}
		open += c
	}
	return open + "m" + text + "\x1b[0m"
}

// Bold sets a text off.
func (s Style) Bold(text string) string { return s.paint(text, bold) }

// Faint sets a text back.
func (s Style) Faint(text string) string { return s.paint(text, faint) }

// Command marks something to type.
func (s Style) Command(text string) string { return s.paint(text, cyan) }

// Level colours a text like a level.
func (s Style) Level(l cause.Level, text string) string { return s.paint(text, levelCodes(l)...) }

func levelCodes(l cause.Level) []string {
	switch l {
	case cause.Refuse:
		return []string{bold, red}
	case cause.Review:
		return []string{bold, magenta}
	case cause.Unknown, cause.Warn:
		return []string{bold, yellow}
	case cause.Wait:
		return []string{bold, blue}
	case cause.Pass:
		return []string{bold, green}
	}
	return []string{faint}
}

// badge is the verdict, unmistakable.
func (s Style) badge(v review.Verdict, text string) string {
	return s.paint(" "+text+" ", append([]string{reverse}, levelCodes(cause.Level(v))...)...)
}

// symbol stands before a level word: it tells levels apart without colour.
func (s Style) symbol(l cause.Level) string {
	unicode, ascii := "·", "-"
	switch l {
	case cause.Refuse:
		unicode, ascii = "✗", "x"
	case cause.Review:
		unicode, ascii = "◆", "*"
	case cause.Unknown:
		unicode, ascii = "?", "?"
	case cause.Wait:
		unicode, ascii = "◷", "~"
	case cause.Warn:
		unicode, ascii = "!", "!"
	case cause.Pass:
		unicode, ascii = "✓", "+"
	}
	if s.ASCII {
		return ascii
	}
	return unicode
}

func (s Style) pick(unicode, ascii string) string {
	if s.ASCII {
		return ascii
	}
	return unicode
}
