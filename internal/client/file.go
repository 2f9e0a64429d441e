package client

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"path/filepath"
	"strings"
)

// A File is an answer that is a download: [Client.Do] reads it into one.
type File struct {
	// Name is what the server calls it, without any directory; "" where it does not.
	Name    string
	Content []byte
}

func (f *File) read(answer *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(raw) > maxAnswer {
		return errors.New("the answer is too large")
	}
	f.Content, f.Name = raw, ""
	if _, list, err := mime.ParseMediaType(answer.Header.Get("Content-Disposition")); err == nil {
		f.Name = safeName(list["filename"])
	}
	return nil
}

// safeName is the last part of a path, "" where that is no name for a file: a
// server does not choose where anything is written.
func safeName(name string) string {
	name = filepath.Base(strings.ReplaceAll(name, `\`, "/"))
	if strings.HasPrefix(name, ".") || name == "/" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return name
}
