package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// A Token lets its holder in. Its text is
//
//	assay_‹id›_‹secret›_‹checksum›
//
// in lower-case base32, so that it is one word to select and secret scanners
// can find it. The id, 80 random bits, is no secret: it names the row and shows
// in lists and in the audit.
type Token struct {
	ID     string
	Secret Secret
}

// A Secret is the 256 random bits of a token. It prints as "[secret]" with
// every verb and in JSON; only [Token.Text] shows it.
type Secret [32]byte

const (
	tokenPrefix = "assay_"
	idBytes     = 10
	idLength    = 16
	secretChars = 52
	crcChars    = 7
	tokenLength = len(tokenPrefix) + idLength + 1 + secretChars + 1 + crcChars
)

var (
	// ErrNotToken: the text has not the form of a token.
	ErrNotToken = errors.New("this is no token of Assay: want assay_, the id, the secret and the checksum, 83 characters")
	// ErrTokenTyped: it has the form, but the checksum says that a character was
	// changed. A token that was revoked or never issued has a right checksum.
	ErrTokenTyped = errors.New("the token was changed on the way: a character is wrong, copy it again")
)

const base32Alphabet = "abcdefghijklmnopqrstuvwxyz234567"

var base32Lower = base32.NewEncoding(base32Alphabet).WithPadding(base32.NoPadding)

// NewToken draws a token from rand, crypto/rand.Reader.
func NewToken(rand io.Reader) (Token, error) {
	var b [idBytes + len(Secret{})]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return Token{}, fmt.Errorf("random bytes for a token: %w", err)
	}
	return Token{ID: base32Lower.EncodeToString(b[:idBytes]), Secret: Secret(b[idBytes:])}, nil
}

// Text is the token as its holder keeps it: shown once, stored nowhere.
func (t Token) Text() string {
	body := tokenPrefix + t.ID + "_" + base32Lower.EncodeToString(t.Secret[:])
	return body + "_" + checksum(body)
}

// checksum is a CRC-32C: it tells every change of one character and every swap
// of neighbours. It is no protection against intent and needs to be none.
func checksum(body string) string {
	sum := crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli))
	return base32Lower.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// ParseToken reads the text of a token; white space around it does not matter.
// The error is [ErrNotToken] or [ErrTokenTyped] and holds nothing of the text.
// That a token parses says nothing about whether it lets in: see [Token.Matches].
func ParseToken(text string) (Token, error) {
	if len(text) > 2*tokenLength { // room for white space, not for a document
		return Token{}, ErrNotToken
	}
	text = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	parts := strings.Split(rest, "_")
	if !ok || len(parts) != 3 || len(parts[0]) != idLength || len(parts[1]) != secretChars || len(parts[2]) != crcChars {
		return Token{}, ErrNotToken
	}
	if checksum(text[:len(text)-crcChars-1]) != parts[2] {
		return Token{}, ErrTokenTyped
	}
	secret, err := base32Lower.DecodeString(parts[1])
	if err != nil || len(secret) != len(Secret{}) {
		return Token{}, ErrTokenTyped
	}
	t := Token{ID: parts[0], Secret: Secret(secret)}
	// One token has one text: characters of the id outside the alphabet and
	// spare bits that are set are not ours.
	if _, err := base32Lower.DecodeString(t.ID); err != nil || t.Text() != text {
		return Token{}, ErrTokenTyped
	}
	return t, nil
}

// Hash is what is stored of a token: SHA-256 over its id and secret. A slow
// password hash would guard a secret that people choose and others can guess;
// 256 random bits cannot be guessed at any speed, and a slow hash would only
// make every request dear and give strangers a way to keep the server busy. The
// id in it binds the hash to its row.
func (t Token) Hash() []byte {
	h := sha256.New()
	io.WriteString(h, "assay token v1\x00"+t.ID+"\x00")
	h.Write(t.Secret[:])
	return h.Sum(nil)
}

// Matches says, in a time that does not depend on where they differ, whether a
// stored hash is this token's.
func (t Token) Matches(hash []byte) bool {
	return subtle.ConstantTimeCompare(t.Hash(), hash) == 1
}

const hidden = "[secret]"

// Format prints [secret] for every verb.
func (Secret) Format(s fmt.State, _ rune) { io.WriteString(s, hidden) }

// MarshalText keeps the secret out of JSON and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
