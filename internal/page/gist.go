package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"strings"
)

// maxWord is the length from which a word is taken for a token.
const maxWord = 24

// Gist is a hash of what a body says without what changes from one view of a
// page to the next: words that hold a digit, words longer than 24 characters,
// the host and the file name of the URL it answers, and "?", which stands for
// a random value that was sent back. Two bodies with one gist are the same
// page. It is empty for an empty body, and for a body that is nothing but such
// words: a validation file, for one.
func Gist(body []byte, address string) string {
	var skip [][]byte
	if u, err := url.Parse(address); err == nil {
		for _, word := range []string{u.Hostname(), path.Base(u.Path), strings.TrimSuffix(path.Base(u.Path), path.Ext(u.Path))} {
			if len(word) > 1 {
				skip = append(skip, []byte(word))
			}
		}
	}
	said := make([]byte, 0, len(body))
	for len(body) > 0 {
		n := 0
		for n < len(body) && isWord(body[n]) {
			n++
		}
		if n == 0 {
			if c := body[0]; c > ' ' && c != '?' {
				said = append(said, c)
			}
			body = body[1:]
			continue
		}
		word := bytes.TrimRight(body[:n], ".-")
		body = body[n:]
		if n <= maxWord && !bytes.ContainsAny(word, "0123456789") && !contains(skip, word) {
			said = append(append(said, word...), ' ')
		}
	}
	if len(said) == 0 {
		return ""
	}
	sum := sha256.Sum256(said)
	return hex.EncodeToString(sum[:8])
}

// isWord: letters, digits, and what tokens and file names hold besides. Letters
// of other scripts are read one by one: they stand in no token.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '+' || c == '.'
}

func contains(list [][]byte, word []byte) bool {
	for _, w := range list {
		if bytes.EqualFold(w, word) {
			return true
		}
	}
	return false
}
