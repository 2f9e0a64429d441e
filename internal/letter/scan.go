package letter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// ErrInfected: the operator's scanner found something in the file.
var ErrInfected = errors.New("the scanner found something")

// ScanTime is how long a scanner may take.
const ScanTime = 30 * time.Second

// Scanner returns a function that hands a letter to a program on its standard
// input: one that ends with 0 found nothing, with 1 found something (clamdscan's
// codes, too); anything else, or nothing within limit, is an error, and the
// letter is not taken. No shell runs it, and what it prints is thrown away.
func Scanner(command []string, limit time.Duration) func(context.Context, []byte) error {
	return func(ctx context.Context, raw []byte) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		c := exec.CommandContext(ctx, command[0], command[1:]...)
		c.Stdin, c.WaitDelay = bytes.NewReader(raw), time.Second
		err := c.Run()
		var exit *exec.ExitError
		switch {
		case err == nil:
			return nil
		case ctx.Err() == nil && errors.As(err, &exit) && exit.ExitCode() == 1:
			return ErrInfected
		case ctx.Err() != nil:
			return fmt.Errorf("the scanner of letters: nothing within %s: %w", limit, ctx.Err())
		}
		return fmt.Errorf("the scanner of letters: %w", err)
	}
}
