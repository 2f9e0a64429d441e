package secret

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func newToken(t testing.TB) Token {
	t.Helper()
	token, err := NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestToken(t *testing.T) {
	t.Parallel()
	token, other := newToken(t), newToken(t)
	got, err := ParseToken(" " + token.Text() + "\n")
	if err != nil || got != token {
		t.Fatalf("parsed %v, %v", got, err)
	}
	if !got.Matches(token.Hash()) || got.Matches(other.Hash()) || got.Matches(nil) {
		t.Error("a token matches its own hash and no other")
	}
	moved := Token{ID: other.ID, Secret: token.Secret}
	if moved.Matches(token.Hash()) {
		t.Error("the hash is not bound to the id")
	}
	if len(token.Text()) != 83 {
		t.Errorf("%d characters; the error says 83", len(token.Text()))
	}
}

// The form is kept for ever: tokens are in people's files.
func TestTokenText(t *testing.T) {
	t.Parallel()
	token, err := NewToken(strings.NewReader(strings.Repeat("assay!", 7)))
	if err != nil {
		t.Fatal(err)
	}
	const want = "assay_mfzxgylzefqxg43b_peqwc43tmf4scyltonqxsilbonzwc6jbmfzxgylzefqxg43bpeqq_u43vaoi"
	if got := token.Text(); got != want {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprintf("%x", token.Hash()); got != "35559bf0119aac5588a89776c1f36c5a4a170ad675da12e0e7dd65c9aed416d0" {
		t.Errorf("hash %s", got)
	}
}

func TestTypoIsToldFromAWrongToken(t *testing.T) {
	t.Parallel()
	text := newToken(t).Text()
	for i := len(tokenPrefix); i < len(text); i++ {
		for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789ABC-") {
			if c == text[i] || text[i] == '_' {
				continue
			}
			if _, err := ParseToken(text[:i] + string(c) + text[i+1:]); !errors.Is(err, ErrTokenTyped) {
				t.Fatalf("character %d as %q: %v", i, c, err)
			}
		}
		if i+1 < len(text) && text[i] != text[i+1] && text[i] != '_' && text[i+1] != '_' {
			if _, err := ParseToken(text[:i] + string(text[i+1]) + string(text[i]) + text[i+2:]); !errors.Is(err, ErrTokenTyped) {
				t.Fatalf("characters %d and %d swapped: %v", i, i+1, err)
			}
		}
		if _, err := ParseToken(text[:i]); !errors.Is(err, ErrNotToken) {
			t.Fatalf("cut off after %d: %v", i, err)
		}
	}
	for _, text := range []string{"", "assay_", "Bearer " + text, strings.ToUpper(text), text + text, "ghp_" + text[6:], strings.Repeat(" ", 200) + text} {
		if _, err := ParseToken(text); !errors.Is(err, ErrNotToken) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOneTokenHasOneText(t *testing.T) {
	t.Parallel()
	text := newToken(t).Text()
	last := len(tokenPrefix) + idLength + secretChars
	seen := 0
	for _, c := range base32Alphabet {
		body := text[:last] + string(c)
		if token, err := ParseToken(body + "_" + checksum(body)); err == nil {
			seen++
			if token.Text() != body+"_"+checksum(body) {
				t.Errorf("%q has another text", c)
			}
		}
	}
	// The last character has one bit of the secret and four spare ones.
	if seen != 2 {
		t.Errorf("%d texts with a right checksum parse, want 2", seen)
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+"\n", token)
		fmt.Fprintf(&out, verb+"\n", &token)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "token", token)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "token", token)
	if err := json.NewEncoder(&out).Encode(token); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{
		base32Lower.EncodeToString(token.Secret[:]), fmt.Sprintf("%x", token.Secret[:]), fmt.Sprintf("%d", token.Secret[:3])[1:],
	} {
		if strings.Contains(out.String(), strings.Trim(form, "[]")) {
			t.Errorf("printed as %s", form)
		}
	}
	if n := strings.Count(out.String(), hidden); n != 17 {
		t.Errorf("[secret] %d times:\n%s", n, out.String())
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(newToken(f).Text())
	f.Add("assay_a_b_c")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err == nil && token.Text() != strings.TrimSpace(text) {
			t.Errorf("%q parses as the token of another text", text)
		}
		if err != nil && !errors.Is(err, ErrNotToken) && !errors.Is(err, ErrTokenTyped) {
			t.Errorf("%v", err)
		}
		// With a right checksum, what is behind it is reached too.
		body := "assay_" + text
		if token, err := ParseToken(body + "_" + checksum(body)); err == nil && token.Text() != strings.TrimSpace(body+"_"+checksum(body)) {
			t.Errorf("%q parses as the token of another text", body)
		}
	})
}
