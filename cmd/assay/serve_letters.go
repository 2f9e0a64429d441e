package main

import (
	"context"
	"os/exec"
	"strings"

	"github.com/spf13/pflag"

	"assay/internal/letter"
)

// letterFlags say which letters are taken.
type letterFlags struct {
	scan string
	max  int
}

func (a *app) letterFlags(s *pflag.FlagSet, f *letterFlags) {
	s.StringVar(&f.scan, "letter-scan", "", a.text.Text("flag.letter-scan"))
	s.IntVar(&f.max, "letter-max", 0, a.text.Text("flag.letter-max", "Most", letter.MaxBytes))
}

// scanner is the operator's scanner of letters; nil: none. A program that is not
// there is told now, not with the first letter.
func (a *app) scanner(f *letterFlags) (func(context.Context, []byte) error, error) {
	if f.max < 0 || f.max > letter.MaxBytes {
		return nil, a.usage("assay serve --letter-max 1048576", "serve.letter-max", "Value", f.max, "Most", letter.MaxBytes)
	}
	command := strings.Fields(f.scan)
	if len(command) == 0 {
		return nil, nil
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		return nil, a.usage(`assay serve --letter-scan "clamdscan --no-summary -"`, "serve.letter-scan", "Program", command[0], "Why", a.why(err))
	}
	return letter.Scanner(command, letter.ScanTime), nil
}
