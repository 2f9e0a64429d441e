package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"assay/internal/backup"
	"assay/internal/secret"
)

const (
	// shortestPassphrase is in characters; a backup can be guessed at for years.
	shortestPassphrase = 12
	longestPassphrase  = 1 << 10
	// mostWork bounds what a backup may ask of who opens it: 2^20 is 1 GiB and a
	// few seconds; age itself writes 2^18.
	mostWork = 20
)

// sealFlags say how a backup is encrypted. A passphrase never stands on the
// command line, where other users of the machine could read it.
type sealFlags struct {
	recipients               []string
	identity, passphraseFile string
}

func (a *app) sealFlags(c *cobra.Command, f *sealFlags, recipients bool) {
	if recipients {
		c.Flags().StringArrayVar(&f.recipients, "recipient", nil, a.text.Text("flag.db-recipient"))
		c.Flags().StringVar(&f.identity, "identity", "", a.text.Text("flag.db-identity-new"))
	} else {
		c.Flags().StringVar(&f.identity, "identity", "", a.text.Text("flag.db-identity"))
	}
	c.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", a.text.Text("flag.db-passphrase-file"))
}

// recipients are who can open the backup that is made. An identity file that is
// missing is made: then nothing else is needed to begin with backups.
func (a *app) recipients(f *sealFlags) (all []age.Recipient, made string, err error) {
	const next = "assay db backup FILE --identity backup.key"
	for _, text := range f.recipients {
		r, err := backup.ParseRecipient(text)
		if err != nil {
			return nil, "", a.usage(next, "db.recipient", "Why", err)
		}
		all = append(all, r)
	}
	if f.identity != "" {
		if _, err := os.Stat(f.identity); errors.Is(err, fs.ErrNotExist) {
			if _, err := backup.CreateIdentity(f.identity, a.now()); err != nil {
				return nil, "", a.usage(next, "error.write", "Path", f.identity, "Why", a.why(err))
			}
			made = f.identity
		}
		identities, err := backup.ReadIdentities(f.identity)
		if err != nil {
			return nil, "", a.usage(next, "error.open", "Path", f.identity, "Why", a.why(err))
		}
		for _, i := range identities {
			x, ok := i.(*age.X25519Identity)
			if !ok {
				return nil, "", a.usage(next, "error.open", "Path", f.identity, "Why", "age-keygen")
			}
			all = append(all, x.Recipient())
		}
	}
	if len(all) > 0 {
		if f.passphraseFile != "" {
			return nil, "", a.usage(next, "db.one-seal")
		}
		return all, made, nil
	}
	word, err := a.passphrase(f, true)
	if err != nil {
		return nil, "", err
	}
	if len([]rune(word)) < shortestPassphrase {
		return nil, "", a.usage(next, "db.passphrase-short", "Least", shortestPassphrase)
	}
	r, err := age.NewScryptRecipient(word)
	if err != nil {
		return nil, "", err
	}
	return []age.Recipient{r}, "", nil
}

// identities are what a backup may open with.
func (a *app) identities(f *sealFlags) ([]age.Identity, error) {
	if f.identity != "" {
		identities, err := backup.ReadIdentities(f.identity)
		if err != nil {
			return nil, a.usage("assay db restore FILE --identity backup.key", "error.open", "Path", f.identity, "Why", a.why(err))
		}
		return identities, nil
	}
	word, err := a.passphrase(f, false)
	if err != nil {
		return nil, err
	}
	i, err := age.NewScryptIdentity(word)
	if err != nil {
		return nil, err
	}
	i.SetMaxWorkFactor(mostWork)
	return []age.Identity{i}, nil
}

// passphrase is from a file, the environment, or whoever sits at the terminal.
func (a *app) passphrase(f *sealFlags, twice bool) (string, error) {
	next := "assay db restore FILE --identity backup.key"
	if twice {
		next = "assay db backup FILE --identity backup.key"
	}
	switch env := a.getenv("ASSAY_BACKUP_PASSPHRASE"); {
	case f.passphraseFile != "":
		raw, err := secret.ReadPrivateFile(f.passphraseFile, longestPassphrase)
		if err != nil {
			return "", a.usage(next, "error.open", "Path", f.passphraseFile, "Why", a.why(err))
		}
		if word := strings.TrimSpace(string(raw)); word != "" {
			return word, nil
		}
		return "", a.usage(next, "db.no-passphrase")
	case env != "":
		return env, nil
	}
	in, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", a.usage(next, "db.no-passphrase")
	}
	word, err := a.ask(in, "db.ask-passphrase")
	if err != nil || !twice {
		return word, err
	}
	again, err := a.ask(in, "db.ask-again")
	if err == nil && again != word {
		err = a.usage(next, "db.passphrases-differ")
	}
	return word, err
}

// ask reads a line that is not shown.
func (a *app) ask(in *os.File, id string) (string, error) {
	if _, err := io.WriteString(a.err, a.text.Text(id)+" "); err != nil {
		return "", err
	}
	raw, err := term.ReadPassword(int(in.Fd()))
	if _, e := io.WriteString(a.err, "\n"); err == nil {
		err = e
	}
	return string(raw), err
}
