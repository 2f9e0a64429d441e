package wire

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func sampleCode() *Code {
	c := &Code{Address: "p3.orchard.net:8443", Agent: public(agentKey), Expires: time.Unix(1795608000, 0).UTC()}
	copy(c.Secret[:], "0123456789abcdef")
	return c
}

// TestCode: a code survives what mail, chat and paper do to it, and nothing else.
func TestCode(t *testing.T) {
	t.Parallel()
	want := sampleCode()
	text := want.String()
	if strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyz") != "" || len(text) > 160 {
		t.Errorf("%q", text)
	}
	for name, sent := range map[string]string{
		"as it is":        text,
		"wrapped":         text[:40] + "\r\n   " + text[40:80] + "\n" + text[80:],
		"capitals":        strings.ToUpper(text),
		"quoted":          " \"" + text + "\"\n",
		"grouped":         text[:60] + "-" + text[60:],
		"letters, digits": strings.ReplaceAll(strings.ReplaceAll(text, "0", "O"), "1", "l"),
	} {
		if name == "letters, digits" { // the prefix is a word
			sent = codePrefix + strings.TrimPrefix(sent, "assayl")
		}
		c, err := ParseCode(sent)
		if err != nil || c.Address != want.Address || !c.Agent.Equal(want.Agent) || c.Secret != want.Secret || !c.Expires.Equal(want.Expires) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for i := range text {
		other := byte('2')
		if text[i] == other {
			other = '3'
		}
		if _, err := ParseCode(text[:i] + string(other) + text[i+1:]); !errors.Is(err, ErrCode) {
			t.Errorf("character %d changed: %v", i, err)
		}
		if _, err := ParseCode(text[:i]); !errors.Is(err, ErrCode) {
			t.Errorf("cut after %d characters: %v", i, err)
		}
		if _, err := ParseCode(text[:i] + text[i+1:]); !errors.Is(err, ErrCode) {
			t.Errorf("character %d lost: %v", i, err)
		}
	}
	for _, address := range []string{"", "p3.orchard.net", ":8443", "p3.orchard.net:0", "p3.orchard.net:70000", "a b:1", "a/b:1", "user@host:1", strings.Repeat("a", 300) + ":1", "\x1b[31m:1"} {
		c := sampleCode()
		c.Address = address
		if _, err := ParseCode(c.String()); !errors.Is(err, ErrCode) {
			t.Errorf("address %q: %v", address, err)
		}
	}
	if _, err := ParseCode(strings.Repeat(text, 100)); !errors.Is(err, ErrCode) {
		t.Error(err)
	}
}
