package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"assay/csr"
	"assay/internal/client"
	"assay/internal/secret"
)

// Most bytes that are read of each kind of input. An order file and a line of
// a batch have order.MaxFileBytes, a request csr.MaxBytes.
const (
	maxProfileBytes = 1 << 20
	maxReportBytes  = 32 << 20
	maxTextBytes    = 256 << 10
	maxKeyText      = 16 << 10 // of a public key
)

// read reads a file, "-" being standard input, and at most limit bytes of it: a
// larger one is refused without being read.
func (a *app) read(path string, limit int64, next string) ([]byte, error) {
	if path == "-" {
		return a.readAll(a.in, a.text.Text("input.stdin"), limit, next)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, a.usage(next, "error.open", "Path", path, "Why", a.why(err))
	}
	if info.IsDir() {
		return nil, a.usage(next, "error.open", "Path", path, "Why", a.text.Text("why.directory"))
	}
	if info.Mode().IsRegular() && info.Size() > limit {
		return nil, a.tooLarge(path, limit, next)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, a.usage(next, "error.open", "Path", path, "Why", a.why(err))
	}
	defer f.Close()
	return a.readAll(f, path, limit, next)
}

func (a *app) readAll(r io.Reader, name string, limit int64, next string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, a.usage(next, "error.open", "Path", name, "Why", a.why(err))
	}
	if int64(len(raw)) > limit {
		return nil, a.tooLarge(name, limit, next)
	}
	return raw, nil
}

func (a *app) tooLarge(name string, limit int64, next string) error {
	return a.unreadable(next, "error.too-large", "Path", name, "Limit", bytesText(limit))
}

func bytesText(n int64) string {
	if n >= 1<<20 {
		return itoa(n>>20) + " MiB"
	}
	return itoa(n>>10) + " KiB"
}

// why says why a file cannot be read, without naming it again.
func (a *app) why(err error) string {
	var file *secret.FileError
	switch {
	case errors.As(err, &file):
		return a.text.Text("why.secret."+file.Kind, "Path", quoteArgument(file.Path), "Mode", fmt.Sprintf("%04o", file.Mode), "Limit", file.Limit)
	case errors.Is(err, secret.ErrOtherMaster):
		return a.text.Text("why.secret.other")
	case errors.Is(err, errAuditKey):
		return a.text.Text("why.secret.audit")
	case errors.Is(err, client.ErrAddress):
		return a.text.Text("why.address")
	case errors.Is(err, client.ErrPlain):
		return a.text.Text("why.plain")
	case errors.Is(err, fs.ErrNotExist):
		return a.text.Text("why.missing")
	case errors.Is(err, fs.ErrPermission):
		return a.text.Text("why.permission")
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// readCSR reads a certificate request file as the text an order holds. Package
// csr reads it in whatever encoding it is: PEM, DER, UTF-16.
func (a *app) readCSR(path, next string) (string, error) {
	raw, err := a.read(path, csr.MaxBytes, next)
	if err == nil && len(raw) == 0 {
		// The empty text means that no request was given. An empty file was
		// given, and must not pass as if nobody had asked for a look at it.
		return "\n", nil
	}
	return string(raw), err
}

// fillCSR replaces the csr field of an order file, which may be a path relative
// to the file, by the request's text.
func (a *app) fillCSR(field *string, base, next string) error {
	if *field == "" || !isPath(*field) {
		return nil
	}
	path := strings.TrimSpace(*field)
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	// A document must not make the program wait for a terminal or a pipe.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return a.usage(next, "error.open", "Path", path, "Why", a.text.Text("why.not-regular"))
	}
	text, err := a.readCSR(path, next)
	if err != nil {
		return err
	}
	*field = text
	return nil
}

// isPath tells a path from a request's text: one line without "-----" that is
// not the base64 of DER (which starts with "MI" and is long).
func isPath(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s, "\n\r\x00") || strings.Contains(s, "-----") {
		return false
	}
	return len(s) < 1024 && (len(s) < 120 || !isBase64(s))
}

func isBase64(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' || c == '-' || c == '_') {
			return false
		}
	}
	return strings.HasPrefix(s, "M")
}
