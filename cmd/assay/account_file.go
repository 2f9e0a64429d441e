package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"assay/internal/render"
)

// An account is a server that the command line knows, and its token there.
type account struct {
	URL         string `json:"url"`
	Token       string `json:"token"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// accounts are what assay login wrote down: the server that requests go to, and
// those before it.
type accounts struct {
	account
	Others []account `json:"others,omitempty"`
}

const (
	// maxServers bounds the servers that are remembered.
	maxServers = 32
	// maxAccountBytes bounds the file.
	maxAccountBytes = 64 << 10
)

// accountPath is the file that holds the accounts; only its owner reads it.
func (a *app) accountPath() (string, error) {
	dir := a.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := a.getenv("HOME")
		if home == "" {
			return "", a.usage("ASSAY_URL=… ASSAY_TOKEN=… assay …", "error.no-home")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "assay", "account.json"), nil
}

// accounts reads the file; where there is none, nothing is known.
func (a *app) accounts() (kept accounts, path string, err error) {
	if path, err = a.accountPath(); err != nil {
		return accounts{}, "", err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return accounts{}, path, nil
	}
	if err != nil {
		return accounts{}, path, a.usage("assay login URL", "error.open", "Path", path, "Why", a.why(err))
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxAccountBytes+1))
	if err != nil {
		return accounts{}, path, a.usage("assay login URL", "error.open", "Path", path, "Why", a.why(err))
	}
	if len(raw) > maxAccountBytes || json.Unmarshal(raw, &kept) != nil || kept.URL == "" && len(kept.Others) == 0 {
		return accounts{}, path, a.usage("assay logout --all", "login.broken", "Path", path)
	}
	return kept, path, nil
}

// of is the account at a server.
func (k *accounts) of(url string) (account, bool) {
	for _, known := range append([]account{k.account}, k.Others...) {
		if known.URL != "" && known.URL == url {
			return known, true
		}
	}
	return account{}, false
}

// use makes a server the one that requests go to; the one before is remembered.
func (k *accounts) use(own account) {
	k.forget(own.URL)
	if k.URL != "" {
		k.Others = slices.Insert(k.Others, 0, k.account)
	}
	k.Others = k.Others[:min(len(k.Others), maxServers-1)]
	k.account = own
}

// forget takes a server out.
func (k *accounts) forget(url string) {
	if k.URL == url {
		k.account = account{}
	}
	k.Others = slices.DeleteFunc(k.Others, func(other account) bool { return other.URL == url })
}

// keepAccounts writes the file beside the old one and moves it there; without
// any server it is removed.
func keepAccounts(path string, k accounts) error {
	if k.URL == "" && len(k.Others) == 0 {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".account-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// A knownServer is a server in assay login --list: nothing of its token.
type knownServer struct {
	URL         string `json:"url"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Current     bool   `json:"current"`
}

// listServers shows the servers that are known, the one in use first.
func (a *app) listServers(asJSON bool) error {
	kept, _, err := a.accounts()
	if err != nil {
		return err
	}
	list := []knownServer{}
	if kept.URL != "" {
		list = append(list, knownServer{kept.URL, kept.Fingerprint, true})
	}
	for _, other := range kept.Others {
		list = append(list, knownServer{other.URL, other.Fingerprint, false})
	}
	if asJSON {
		return a.writeJSON(list)
	}
	p := a.page()
	if len(list) == 0 {
		p.Line(a.text.Text("login.none"))
		return a.print(p)
	}
	rows := [][]render.Cell{}
	for _, s := range list {
		mark, trust := "", a.text.Text("login.by-authorities")
		if s.Current {
			mark = p.Mark()
		}
		if s.Fingerprint != "" {
			trust = a.text.Text("login.by-fingerprint", "Fingerprint", render.Safe(s.Fingerprint))
		}
		rows = append(rows, []render.Cell{render.Plain(mark), render.BoldCell(render.Safe(s.URL)), render.Plain(trust)})
	}
	p.Table(0, 2, rows)
	return a.print(p)
}
