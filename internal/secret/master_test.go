package secret

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKeyFile(t *testing.T) {
	t.Parallel()
	f := KeyFile{Path: filepath.Join(t.TempDir(), "master.key")}
	if _, err := f.Key(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), f.Path) {
		t.Errorf("without a file: %v", err)
	}
	if err := f.Create(made, rand.Reader); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(f.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("made with mode %v, %v", info.Mode(), err)
	}
	key, err := f.Key(t.Context())
	if err != nil || len(key) != MasterSize {
		t.Fatalf("a key of %d bytes, %v", len(key), err)
	}
	if err := f.Create(made, rand.Reader); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	if again, err := f.Key(t.Context()); err != nil || !bytes.Equal(again, key) {
		t.Errorf("the key changed: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(f.Path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestKeyFileRefusesWiderPermissions(t *testing.T) {
	t.Parallel()
	f := KeyFile{Path: filepath.Join(t.TempDir(), "master.key")}
	if err := f.Create(made, rand.Reader); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o644: false, 0o610: false} {
		if err := os.Chmod(f.Path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := f.Key(t.Context())
		if (err == nil) != ok {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if !ok && !strings.Contains(err.Error(), "chmod 600 "+f.Path) {
			t.Errorf("mode %04o does not say what to do: %v", mode, err)
		}
	}
}

func TestKeyFileContent(t *testing.T) {
	t.Parallel()
	line := keyPrefix + base64.StdEncoding.EncodeToString(master(7))
	for name, c := range map[string]struct {
		content string
		ok      bool
	}{
		"the line alone":          {line, true},
		"comments, Windows lines": {"# a\r\n\r\n" + line + "\r\n", true},
		"empty":                   {"", false},
		"comments only":           {"# a\n", false},
		"base64 without prefix":   {line[len(keyPrefix):], false},
		"cut off":                 {line[:len(line)-4], false},
		"another secret":          {"AGE-SECRET-KEY-1QQ", false},
		"32 characters":           {strings.Repeat("k", 32), false},
		"too long":                {strings.Repeat("#\n", maxKeyFile) + line, false},
	} {
		f := KeyFile{Path: filepath.Join(t.TempDir(), "k")}
		if err := os.WriteFile(f.Path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := f.Key(t.Context())
		switch {
		case (err == nil) != c.ok:
			t.Errorf("%s: %v", name, err)
		case c.ok && !bytes.Equal(key, master(7)):
			t.Errorf("%s: another key", name)
		case !c.ok && len(c.content) > 10 && strings.Contains(err.Error(), c.content):
			t.Errorf("%s: the error tells the content", name)
		}
	}
	if _, err := (KeyFile{Path: t.TempDir()}).Key(t.Context()); err == nil {
		t.Error("a directory is a key file")
	}
}

// shell is a hook whose command is a line of sh; the wrapped key is content.
func shell(t *testing.T, content, line string) Hook {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wrapped")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return Hook{Command: []string{"/bin/sh", "-c", line}, Wrapped: path}
}

func TestHook(t *testing.T) {
	t.Parallel()
	raw := string(master(7))
	encoded := base64.StdEncoding.EncodeToString(master(7))
	for name, h := range map[string]Hook{
		"raw bytes":            shell(t, raw, "cat"),
		"base64 with new line": shell(t, encoded, "cat; echo"),
		"a key file's line":    shell(t, encoded, "printf assay-key-v1:; cat"),
		"stdin not read":       shell(t, strings.Repeat("w", maxWrapped), "echo "+encoded),
	} {
		if key, err := h.Key(t.Context()); err != nil || !bytes.Equal(key, master(7)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHookFails(t *testing.T) {
	t.Parallel()
	const plain = "cGxhaW4ga2V5IG1hdGVyaWFs"
	slow := shell(t, "w", "sleep 600")
	slow.Timeout = 50 * time.Millisecond
	orphan := shell(t, "w", "sleep 600 & exec sleep 600")
	orphan.Timeout = 50 * time.Millisecond
	for name, c := range map[string]struct {
		hook Hook
		want string
	}{
		"no command":       {Hook{}, "no command"},
		"no such command":  {Hook{Command: []string{"/nonexistent/kms"}, Wrapped: shell(t, "w", "").Wrapped}, "/nonexistent/kms"},
		"no wrapped key":   {Hook{Command: []string{"true"}, Wrapped: filepath.Join(t.TempDir(), "none")}, "store the result there"},
		"empty":            {shell(t, "", "cat"), "1 to"},
		"wrapped too long": {shell(t, strings.Repeat("w", maxWrapped+1), "cat"), "1 to"},
		"fails":            {shell(t, plain, "cat; cat >&2; exit 3"), "exit status 3"},
		"no key":           {shell(t, plain, "cat"), "24 bytes that are no key"},
		"a key too many":   {shell(t, string(master(7)), "cat; echo x"), "no key"},
		"endless":          {shell(t, plain, "exec yes"), "more output"},
		"slow":             {slow, "within 50ms"},
		"slow child":       {orphan, "within 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.hook.Key(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), plain) {
				t.Errorf("the error tells what the command printed: %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := shell(t, "w", "cat").Key(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestHookOpensARing(t *testing.T) {
	t.Parallel()
	h := shell(t, string(master(7)), "cat")
	k, _ := open(t, h)
	if got, err := k.Open("r", seal(t, k, "r", "plain")); err != nil || string(got) != "plain" {
		t.Errorf("opened %q, %v", got, err)
	}
}
