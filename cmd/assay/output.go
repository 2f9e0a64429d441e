package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unicode"
	"unicode/utf8"

	"assay/review"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// writeJSON writes a value to standard output, indented.
func (a *app) writeJSON(v any) error {
	raw, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(raw)
	return err
}

// marshal is the one JSON form of what the program writes: indented by two
// spaces, a line break at the end, characters that a terminal would obey
// (beyond those JSON escapes anyway) escaped.
func marshal(v any) ([]byte, error) { return marshalAt("", v) }

// marshalAt is marshal with something before each line but the first.
func marshalAt(prefix string, v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escapeUnprintable(b.Bytes()), nil
}

// A jsonList writes a list as writeJSON does, one element after the other: it may
// be longer than memory.
type jsonList struct {
	app   *app
	began bool
}

func (l *jsonList) add(v any) error {
	raw, err := marshalAt("  ", v)
	if err != nil {
		return err
	}
	before := ",\n  "
	if !l.began {
		before = "[\n  "
	}
	l.began = true
	_, err = l.app.out.Write(append([]byte(before), bytes.TrimSuffix(raw, []byte("\n"))...))
	return err
}

func (l *jsonList) end() error {
	end := "\n]\n"
	if !l.began {
		end = "[]\n"
	}
	_, err := l.app.out.Write([]byte(end))
	return err
}

// escapeUnprintable writes DEL, C1 controls, direction marks and the like as \u
// escapes; they can stand in JSON only inside strings.
func escapeUnprintable(raw []byte) []byte {
	if printable(raw) {
		return raw
	}
	var b bytes.Buffer
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.Write(raw[:size])
		case r > 0xFFFF:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xD800+(r>>10), 0xDC00+(r&0x3FF))
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		raw = raw[size:]
	}
	return b.Bytes()
}

func printable(raw []byte) bool {
	for i := 0; i < len(raw); {
		if c := raw[i]; c < utf8.RuneSelf {
			if c == 0x7F {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(raw[i:])
		if !unicode.IsPrint(r) {
			return false
		}
		i += size
	}
	return true
}

// record writes a report to a file for assay replay. A file that is there is
// replaced as a whole or not at all.
func (a *app) record(path string, r *review.Report) error {
	if path == "" {
		return nil
	}
	raw, err := marshal(r)
	if err != nil {
		return err
	}
	temporary := path + ".tmp" + strconv.Itoa(os.Getpid())
	err = errors.Join(os.WriteFile(temporary, raw, 0o600), os.Rename(temporary, path))
	if err != nil {
		_ = os.Remove(temporary)
		return a.usage("assay check --help", "error.write", "Path", path, "Why", a.why(err))
	}
	return nil
}

// appendJSON appends a value as one line of JSON.
func appendJSON(out []byte, v any) []byte {
	return append(append(out, newReportWriter().marshal(v)...), '\n')
}
