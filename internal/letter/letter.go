// Package letter is about confirmation letters: what a file that somebody
// uploads is, the form that is printed and signed, and the operator's scanner.
//
// A letter comes from outside and is opened by reviewers. So it is a picture or
// a PDF from its first byte to its last: what is also a web page, an archive or
// a program is refused, and so is a PDF that says that it does something when it
// is opened. That is no proof that a file is harmless: letters are stored sealed
// and handed out as downloads only.
package letter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
)

// MaxBytes bounds a letter, whatever the profile.
const MaxBytes = 2 << 20

// maxPixels bounds a picture: larger ones are made to exhaust whoever opens them.
const maxPixels = 120 << 20

// Type is what a file is.
type Type string

// The types of letters (catalogue, organization.letter-file-invalid).
const (
	JPEG Type = "jpg"
	PNG  Type = "png"
	PDF  Type = "pdf"
)

// ContentType is the media type.
func (t Type) ContentType() string {
	switch t {
	case JPEG:
		return "image/jpeg"
	case PNG:
		return "image/png"
	}
	return "application/pdf"
}

// What is wrong with a file. The texts are for logs; whoever uploaded it is told
// by the word that [Fault] gives.
var (
	ErrType     = errors.New("not a jpg, png or pdf file")
	ErrDamaged  = errors.New("cut off or damaged")
	ErrTrailing = errors.New("something follows the end of the picture")
	ErrPolyglot = errors.New("the file is something else, too: a web page, a script or an archive")
	ErrActive   = errors.New("the PDF holds scripts, other files or actions")
	ErrPixels   = errors.New("the picture has too many pixels")
)

// Fault is the word for what is wrong with a file: "type", "damaged",
// "trailing", "polyglot", "active", "pixels"; "" where err is none of these.
func Fault(err error) string {
	for word, e := range map[string]error{
		"type": ErrType, "damaged": ErrDamaged, "trailing": ErrTrailing, "polyglot": ErrPolyglot, "active": ErrActive, "pixels": ErrPixels,
	} {
		if errors.Is(err, e) {
			return word
		}
	}
	return ""
}

// Check says what a file is, or what is wrong with it. It reads headers and
// walks the file; it decodes no picture.
func Check(raw []byte) (Type, error) {
	t, err := Type(""), ErrType
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xd8\xff")):
		t, err = JPEG, checkJPEG(raw)
	case bytes.HasPrefix(raw, []byte(pngHead)):
		t, err = PNG, checkPNG(raw)
	case bytes.HasPrefix(raw, []byte("%PDF-")):
		t, err = PDF, checkPDF(raw)
	}
	if err == nil && archive(raw) {
		err = ErrPolyglot
	}
	if err != nil {
		return "", err
	}
	return t, nil
}

// markup are the beginnings of what a browser or a server would run.
var markup = []string{"<html", "<script", "<!doctype", "<svg", "<iframe", "<body", "<?php", "<%@", "javascript:"}

// hasMarkup reports whether a text that is not picture data begins something
// that runs.
func hasMarkup(b []byte) bool {
	text := strings.ToLower(string(b))
	for _, m := range markup {
		if strings.Contains(text, m) {
			return true
		}
	}
	return false
}

// archive reports whether a file ends as a ZIP archive does (APPNOTE 4.3.16):
// its record of the end, with a comment that reaches the end of the file.
func archive(raw []byte) bool {
	const size = 22
	for from := max(0, len(raw)-size-0xffff); ; {
		i := bytes.Index(raw[from:], []byte("PK\x05\x06"))
		if i < 0 {
			return false
		}
		if from += i; len(raw)-from >= size && len(raw)-from-size >= int(binary.LittleEndian.Uint16(raw[from+20:])) {
			return true
		}
		from++
	}
}

// checkJPEG walks the segments of a JPEG file (ITU T.81 B.1) to its end.
func checkJPEG(raw []byte) error {
	for at := 2; ; {
		for at < len(raw) && raw[at] == 0xff && at+1 < len(raw) && raw[at+1] == 0xff {
			at++ // fill bytes
		}
		if at+2 > len(raw) || raw[at] != 0xff {
			return ErrDamaged
		}
		marker := raw[at+1]
		at += 2
		if marker == 0xd9 {
			return ending(raw[at:])
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd8 {
			continue // without a length
		}
		if at+2 > len(raw) {
			return ErrDamaged
		}
		length := int(binary.BigEndian.Uint16(raw[at:]))
		if length < 2 || at+length > len(raw) {
			return ErrDamaged
		}
		segment := raw[at+2 : at+length]
		at += length
		switch {
		case marker == 0xda:
			at = scanEnd(raw, at)
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			if len(segment) < 5 {
				return ErrDamaged
			}
			if int(binary.BigEndian.Uint16(segment[1:]))*int(binary.BigEndian.Uint16(segment[3:])) > maxPixels {
				return ErrPixels
			}
		case hasMarkup(segment):
			return ErrPolyglot
		}
	}
}

// scanEnd is the place of the marker behind entropy-coded data.
func scanEnd(raw []byte, at int) int {
	for at+1 < len(raw) {
		if raw[at] == 0xff && raw[at+1] != 0 && (raw[at+1] < 0xd0 || raw[at+1] > 0xd7) && raw[at+1] != 0xff {
			return at
		}
		at++
	}
	return len(raw)
}

// ending allows what programs put behind the end: zeros and line ends.
func ending(rest []byte) error {
	if len(bytes.Trim(rest, "\x00\r\n")) > 0 {
		return ErrTrailing
	}
	return nil
}

const pngHead = "\x89PNG\r\n\x1a\n"

// checkPNG walks the chunks of a PNG file (ISO 15948 5.3), with their checksums.
func checkPNG(raw []byte) error {
	first := true
	for at := len(pngHead); ; first = false {
		if at+12 > len(raw) {
			return ErrDamaged
		}
		length := binary.BigEndian.Uint32(raw[at:])
		if int64(length) > int64(len(raw)-at-12) {
			return ErrDamaged
		}
		kind, content := string(raw[at+4:at+8]), raw[at+8:at+8+int(length)]
		at += 12 + int(length)
		if crc32.ChecksumIEEE(raw[at-8-int(length):at-4]) != binary.BigEndian.Uint32(raw[at-4:]) {
			return ErrDamaged
		}
		switch {
		case first != (kind == "IHDR"):
			return ErrDamaged
		case first:
			if len(content) < 8 {
				return ErrDamaged
			}
			if uint64(binary.BigEndian.Uint32(content))*uint64(binary.BigEndian.Uint32(content[4:])) > maxPixels {
				return ErrPixels
			}
		case kind == "IEND":
			return ending(raw[at:])
		case kind != "IDAT" && hasMarkup(content):
			return ErrPolyglot
		}
	}
}

// active are the names in a PDF that do something (ISO 32000-1 12.6, 7.11.4).
var active = []string{
	"/JavaScript", "/JS", "/Launch", "/EmbeddedFile", "/RichMedia", "/OpenAction", "/AA", "/XFA", "/SubmitForm", "/ImportData", "/GoToE", "/GoToR",
}

// checkPDF looks at a PDF file: its end, and what stands outside its streams. Names
// inside compressed object streams are not seen.
func checkPDF(raw []byte) error {
	tail := raw[max(0, len(raw)-1024):]
	end := bytes.LastIndex(tail, []byte("%%EOF"))
	if end < 0 {
		return ErrDamaged
	}
	if ending(bytes.TrimRight(tail[end+5:], " \t")) != nil {
		return ErrTrailing
	}
	text := unescaped(outside(raw))
	if hasMarkup([]byte(text)) {
		return ErrPolyglot
	}
	for _, name := range active {
		for rest := text; ; {
			i := strings.Index(rest, name)
			if i < 0 {
				break
			}
			if rest = rest[i+len(name):]; rest == "" || !regular(rest[0]) {
				return ErrActive
			}
		}
	}
	return nil
}

// outside is a PDF without the content of its streams, which may hold any bytes.
func outside(raw []byte) []byte {
	var b bytes.Buffer
	for {
		i := bytes.Index(raw, []byte("stream"))
		if i < 0 {
			b.Write(raw)
			return b.Bytes()
		}
		begins := i+6 < len(raw) && (raw[i+6] == '\n' || raw[i+6] == '\r') && !bytes.HasSuffix(raw[:i], []byte("end"))
		b.Write(raw[:i+6])
		raw = raw[i+6:]
		if !begins {
			continue
		}
		end := bytes.Index(raw, []byte("endstream"))
		if end < 0 {
			return b.Bytes()
		}
		b.WriteByte('\n')
		raw = raw[end:]
	}
}

// unescaped writes names as they are meant: /J#53 is /JS (ISO 32000-1 7.3.5).
func unescaped(raw []byte) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) {
			high, low := hexDigit(raw[i+1]), hexDigit(raw[i+2])
			if high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(raw[i])
	}
	return b.String()
}

func hexDigit(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}

// regular reports whether a character goes on with a PDF name (7.2.2).
func regular(c byte) bool {
	return c > ' ' && !strings.ContainsRune("()<>[]{}/%", rune(c)) && c < 0x7f
}
