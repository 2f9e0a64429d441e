package key

import (
	"encoding/base64"
	"regexp"
	"strings"
	"sync"
)

// Removed stands in a text where a private key was.
const Removed = "[private key removed]"

// shortest is a length below which no text holds a private key of any use: the
// secret of P-256 alone is 43 characters of base64.
const shortest = 40

// InText reports whether a text of any kind (a field of a form, an argument, a
// line of a log) holds a private key or its beginning: armoured or as base64
// alone, in capitals or not, escaped or not. It also recognises what [Redact]
// left. It is cheap for texts that hold none.
func InText(text string) bool {
	if len(text) < shortest {
		return strings.Contains(text, Removed)
	}
	return armour(text) || SecretForm(text) || encoded(text) >= 0 || strings.Contains(text, Removed)
}

// Redact returns a text with [Removed] in place of every private key. What
// follows a key without armour is removed too: where it ends is not known.
func Redact(text string) string {
	if len(text) < shortest || !InText(text) {
		return text
	}
	if armour(text) {
		text = block().ReplaceAllString(text, Removed)
	}
	if SecretForm(text) || armour(text) {
		return Removed
	}
	if i := encoded(text); i >= 0 {
		return text[:i] + Removed
	}
	return text
}

// block is an armoured key, as far as one was quoted.
var block = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?is)-*BEGIN[ +%A-Z0-9_]{0,60}PRIVATE(?: |\+|%20)KEY.*?(?:END[ +%A-Z0-9_]{0,60}PRIVATE(?: |\+|%20)KEY(?:(?: |\+|%20)BLOCK)?-*|$)`)
})

// armour reports whether a text holds a line that begins or ends a key.
func armour(text string) bool {
	for i := 0; ; {
		at := strings.IndexAny(text[i:], "Pp")
		if at < 0 {
			return false
		}
		i += at
		if word := text[i:min(i+len("PRIVATE%20KEY"), len(text))]; hasFold(word, "PRIVATE KEY") || hasFold(word, "PRIVATE+KEY") || hasFold(word, "PRIVATE%20KEY") {
			break
		}
		i++
	}
	fold := strings.ToUpper(text)
	return strings.Contains(fold, "---") || strings.Contains(fold, "BEGIN ")
}

func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// SecretForm recognises private keys that are neither PEM nor DER: PuTTY's
// files, JSON web keys, .NET's XML.
func SecretForm(text string) bool {
	return strings.Contains(text, "PuTTY-User-Key-File") || strings.Contains(text, "Private-Lines:") ||
		strings.Contains(text, "kty") && jwk().MatchString(text) ||
		strings.Contains(text, "RSAKeyValue") && strings.Contains(text, "<D>")
}

var jwk = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`"?\bd\\*"? ?: ?\\*"?[A-Za-z0-9_-]{20,}`)
})

// encoded returns where the base64 of a private key begins, -1 where none does.
func encoded(text string) int {
	const most = 64 // enough of a key to tell it
	for start := 0; start+shortest <= len(text); {
		end := start
		for end < len(text) && isBase64(text[end]) {
			end++
		}
		for i := start; i+shortest <= end; i++ {
			// A SEQUENCE, or the first letters of "openssh-key".
			if !(text[i] == 'M' && text[i+1] >= 'A' && text[i+1] <= 'P') && text[i:i+3] != "b3B" {
				continue
			}
			var raw [most / 4 * 3]byte
			run := strings.NewReplacer("-", "+", "_", "/").Replace(text[i:min(i+most, end)])
			n, _ := base64.StdEncoding.Decode(raw[:], []byte(run[:len(run)&^3]))
			if IsPrivate(raw[:n]) {
				return i
			}
		}
		start = end + 1
	}
	return -1
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}
