package letter

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/message"
)

func picture(t testing.TB, kind Type) []byte {
	t.Helper()
	var b bytes.Buffer
	m := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range m.Pix {
		m.Pix[i] = byte(i * 7)
	}
	var err error
	if kind == PNG {
		err = png.Encode(&b, m)
	} else {
		err = jpeg.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const document = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n3 0 obj\n<< /Length 9 >>\nstream\n/JS <svg \nendstream\nendobj\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"

// chunk is a chunk of a PNG file.
func chunk(kind string, content []byte) []byte {
	b := []byte{byte(len(content) >> 24), byte(len(content) >> 16), byte(len(content) >> 8), byte(len(content))}
	b = append(append(b, kind...), content...)
	sum := crc32.ChecksumIEEE(b[4:])
	return append(b, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}

// archived is the end of a ZIP archive.
var archived = "PK\x05\x06" + strings.Repeat("\x00", 18)

func TestCheck(t *testing.T) {
	t.Parallel()
	jpg, pic := string(picture(t, JPEG)), string(picture(t, PNG))
	insert := func(text, before, what string) string {
		i := strings.Index(text, before)
		return text[:i] + what + text[i:]
	}
	comment := func(text string) string { return "\xff\xfe\x00" + string(rune(len(text)+2)) + text }
	size := func(text string) string {
		return jpg[:strings.Index(jpg, "\xff\xc0")+5] + text + jpg[strings.Index(jpg, "\xff\xc0")+9:]
	}
	bomb := chunk("IHDR", []byte{0, 1, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0, 0})
	for name, c := range map[string]struct {
		file string
		kind Type
		err  error
	}{
		"jpg":                     {jpg, JPEG, nil},
		"jpg with a comment":      {jpg[:2] + comment("a letter") + jpg[2:], JPEG, nil},
		"jpg with zeros behind":   {jpg + "\x00\x00\r\n", JPEG, nil},
		"png":                     {pic, PNG, nil},
		"pdf":                     {document, PDF, nil},
		"pdf with a name like JS": {insert(document, "/Pages", "/JSX 1 "), PDF, nil},
		"empty":                   {"", "", ErrType},
		"a page":                  {"<!DOCTYPE html><p>", "", ErrType},
		"a page called a picture": {"GIF89a<script>", "", ErrType},
		"a program":               {"MZ\x90\x00", "", ErrType},
		"svg":                     {"<svg xmlns=…>", "", ErrType},
		"pdf further on":          {"x" + document, "", ErrType},
		"half a jpg":              {jpg[:len(jpg)/2], "", ErrDamaged},
		"half a png":              {pic[:len(pic)-5], "", ErrDamaged},
		"half a pdf":              {document[:60], "", ErrDamaged},
		"png, a bit turned":       {pic[:45] + string(pic[45]^1) + pic[46:], "", ErrDamaged},
		"jpg, then a page":        {jpg + "<html>", "", ErrTrailing},
		"png, then a program":     {pic + "MZ", "", ErrTrailing},
		"pdf, then a page":        {document + "<html>", "", ErrTrailing},
		"jpg and script":          {jpg[:2] + comment("<ScRiPt>") + jpg[2:], "", ErrPolyglot},
		"jpg and PHP":             {jpg[:2] + comment("<?php 1") + jpg[2:], "", ErrPolyglot},
		"png and page":            {insert(pic, "\x00\x00\x00\x00IEND", string(chunk("tEXt", []byte("x\x00<html>")))), "", ErrPolyglot},
		"pdf and page":            {insert(document, "1 0 obj", "<html><script>x</script>\n"), "", ErrPolyglot},
		"pdf and archive":         {insert(document, "startxref", archived+"\x40\x00"), "", ErrPolyglot},
		"pdf with a script":       {insert(document, "/Pages", "/OpenAction << /S /JavaScript /JS (x) >> "), "", ErrActive},
		"pdf with a hidden name":  {insert(document, "/Pages", "/J#61vaScript 4 0 R "), "", ErrActive},
		"pdf that starts":         {insert(document, "/Pages", "/Launch<<>>"), "", ErrActive},
		"pdf with a file":         {insert(document, "/Pages", "/EmbeddedFile 1"), "", ErrActive},
		"jpg of many pixels":      {size("\xff\xff\xff\xff"), "", ErrPixels},
		"png of many pixels":      {pngHead + string(bomb) + pic[33:], "", ErrPixels},
	} {
		if name == "pdf and archive" { // its comment reaches the end
			i := strings.Index(c.file, "PK\x05\x06")
			n := len(c.file) - i - 22
			c.file = c.file[:i+20] + string([]byte{byte(n), byte(n >> 8)}) + c.file[i+22:]
		}
		kind, err := Check([]byte(c.file))
		if kind != c.kind || !errors.Is(err, c.err) || err != nil && Fault(err) == "" {
			t.Errorf("%s: %q %v, want %q %v", name, kind, err, c.kind, c.err)
		}
	}
}

// FuzzCheck: whatever is uploaded, the answer is a type or a fault, and what is
// taken begins as that type does.
func FuzzCheck(f *testing.F) {
	for _, seed := range [][]byte{picture(f, JPEG), picture(f, PNG), []byte(document), []byte(archived), {0xff, 0xd8, 0xff}, []byte(pngHead)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		kind, err := Check(raw)
		if (kind == "") != (err != nil) || err != nil && Fault(err) == "" {
			t.Errorf("%q %v", kind, err)
		}
	})
}

// TestForm: whatever an order says is text in the form.
func TestForm(t *testing.T) {
	t.Parallel()
	hostile := `"><script>alert(1)</script>{{.Order}}`
	f := Form{Order: hostile, Names: []string{hostile}, Organization: hostile, Address: []string{hostile}, Phone: hostile, Administrator: hostile, Title: hostile, Profile: hostile}
	for _, lang := range []cause.Language{cause.English, cause.Chinese} {
		var b bytes.Buffer
		if err := f.Write(&b, message.New(lang)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "<script") || strings.Contains(b.String(), "letter.form.") || !strings.Contains(b.String(), `lang="`+string(lang)+`"`) {
			t.Errorf("%s:\n%s", lang, b.String())
		}
	}
}

// TestScanner: the program's answers, one that hangs and one that there is not.
func TestScanner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command string
		want    func(error) bool
	}{
		"clean":    {"cat >/dev/null", func(err error) bool { return err == nil }},
		"infected": {"grep -q EICAR && exit 1", func(err error) bool { return errors.Is(err, ErrInfected) }},
		"broken":   {"exit 2", func(err error) bool { return err != nil && !errors.Is(err, ErrInfected) }},
		"hangs":    {"exec sleep 60", func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	} {
		limit := ScanTime
		if name == "hangs" {
			limit = 50 * time.Millisecond
		}
		if err := Scanner([]string{"sh", "-c", c.command}, limit)(t.Context(), []byte("EICAR")); !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Scanner([]string{"/no/such/scanner"}, ScanTime)(t.Context(), nil); err == nil || errors.Is(err, ErrInfected) {
		t.Errorf("no program: %v", err)
	}
}
