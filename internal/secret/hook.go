package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// HookTimeout is how long a hook's command may take where nothing else is said.
const HookTimeout = 30 * time.Second

const (
	maxWrapped    = 64 << 10
	maxHookOutput = 4 << 10
	hookGrace     = time.Second
)

// A Hook is a master key that a key management service has wrapped. Its command
// gets the wrapped key on standard input and gives the plain one on standard
// output: 32 bytes, or these in base64. For example, with the wrapped key made
// by aws kms encrypt:
//
//	["aws", "kms", "decrypt", "--ciphertext-blob", "fileb:///dev/stdin", "--query", "Plaintext", "--output", "text"]
//
// It runs once for each start, and again when the ring is turned.
type Hook struct {
	// Command is the program and its arguments; no shell is put between.
	Command []string
	// Wrapped is the file with the wrapped key, at most 64 KiB. It is no secret.
	Wrapped string
	// Timeout ends the command; 0 is [HookTimeout].
	Timeout time.Duration
	// Stderr is where the command's own messages go; nil: nowhere. They are not
	// part of errors, for nobody knows what such a program prints.
	Stderr io.Writer
}

var errTooMuch = errors.New("more output than a key has")

// Key runs the command.
func (h Hook) Key(ctx context.Context) ([]byte, error) {
	if len(h.Command) == 0 || h.Command[0] == "" {
		return nil, errors.New("the key hook has no command")
	}
	wrapped, err := readWrapped(h.Wrapped)
	if err != nil {
		return nil, err
	}
	timeout := h.Timeout
	if timeout <= 0 {
		timeout = HookTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.Command[0], h.Command[1:]...)
	// Children of the command that keep its output open are not waited for.
	cmd.WaitDelay = min(timeout, hookGrace)
	var out bounded
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(wrapped), &out, h.Stderr
	err = cmd.Run()
	defer clear(out.content)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the key hook %s gave no key within %v: %w", h.Command[0], timeout, ctx.Err())
	case out.over:
		return nil, fmt.Errorf("the key hook %s: %w: it must print the key alone, at most %d bytes", h.Command[0], errTooMuch, maxHookOutput)
	case err != nil:
		return nil, fmt.Errorf("the key hook %s: %w: run it by hand to see why", h.Command[0], err)
	}
	key, ok := parseKey(out.content)
	if !ok {
		return nil, fmt.Errorf("the key hook %s printed %d bytes that are no key: want 32 bytes, or these in base64", h.Command[0], len(out.content))
	}
	return key, nil
}

func readWrapped(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the wrapped master key: %w: wrap 32 random bytes with your key management service and store the result there", err)
	}
	defer f.Close()
	wrapped, err := io.ReadAll(io.LimitReader(f, maxWrapped+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the wrapped master key %s: %w", path, err)
	case len(wrapped) == 0 || len(wrapped) > maxWrapped:
		return nil, fmt.Errorf("the wrapped master key %s must have 1 to %d bytes", path, maxWrapped)
	}
	return wrapped, nil
}

// bounded keeps the first bytes that are written and then refuses.
type bounded struct {
	content []byte
	over    bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.content)+len(p) > maxHookOutput {
		b.over = true
		return 0, errTooMuch
	}
	b.content = append(b.content, p...)
	return len(p), nil
}
