package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"filippo.io/age"

	"assay/internal/secret"
)

const maxIdentityFile = 64 << 10

// CreateIdentity makes a file, mode 0600, with the identity that opens backups,
// in the form of age-keygen. The error matches [fs.ErrExist] where there is one,
// which is left as it is.
func CreateIdentity(path string, at time.Time) (*age.X25519Identity, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	return identity, secret.CreatePrivateFile(path, fmt.Appendf(nil, `# created: %s
# public key: %s
# Opens the backups of Assay. Keep a copy apart from this machine: without it
# a backup cannot be restored elsewhere.
%s
`, at.UTC().Format(time.RFC3339), identity.Recipient(), identity))
}

// ReadIdentities reads a file of identities, one a line, that only its owner may
// read.
func ReadIdentities(path string) ([]age.Identity, error) {
	content, err := secret.ReadPrivateFile(path, maxIdentityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the identity that opens backups is not at %s: give the file that was kept for this: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	identities, err := age.ParseIdentities(bytes.NewReader(content))
	if err != nil { // not its text: it may hold part of the file
		return nil, fmt.Errorf("%s is no file of age identities: want lines AGE-SECRET-KEY-1…", path)
	}
	return identities, nil
}

// ParseRecipient reads a recipient that an operator gives: age1….
func ParseRecipient(text string) (age.Recipient, error) {
	recipients, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(recipients) != 1 {
		return nil, errors.New("no recipient of age: want the public key, age1…, that age-keygen printed; the line AGE-SECRET-KEY-1… is the identity and stays with you")
	}
	return recipients[0], nil
}
