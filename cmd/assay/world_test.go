package main

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"assay/internal/strict"
	"assay/lab"
)

// world is the command "world [CHANGE.yaml]" of scripts: it starts a laboratory
// in the test process, healthy but for the change, and lets $ASSAY_CONFIG name
// the settings to look at it with. $WORLD is the directory of their files, and of
// new.pem, the certificate deployed with its chain (lab.Deployed).
func world(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: world [CHANGE.yaml]")
	}
	var change lab.Change
	if len(args) == 1 {
		ts.Check(strict.Decode([]byte(ts.ReadFile(args[0])), &change))
	}
	w, err := lab.New(change, lab.Options{Clock: time.Now})
	ts.Check(err)
	ts.Check(w.Start())
	ts.Defer(func() { ts.Check(w.Close()) })
	dir := ts.MkAbs("world")
	ts.Check(os.MkdirAll(dir, 0o700))
	p := w.Probe(0)
	path, err := p.WriteSettings(dir)
	ts.Check(err)
	made, err := lab.Deployed()
	ts.Check(err)
	var text []byte
	for _, raw := range made.New.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	ts.Check(os.WriteFile(filepath.Join(dir, "new.pem"), text, 0o600))
	ts.Setenv("ASSAY_CONFIG", path)
	ts.Setenv("WORLD", dir)
}
