package lookup

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"
)

// maxConfigBytes bounds a file of list paths.
const maxConfigBytes = 1 << 20

// ReadConfig reads which lists to use from a TOML file:
//
//	[keys]
//	compromised = ["pwned.sqlite"]
//	debian = ["dwklint.sqlite", "blacklist.RSA-2048"]
//
//	[names]
//	blocked = ["blocked.txt"]
//	unsafe = ["phishing.txt"]
//
//	[parties]
//	denied = ["sanctions.csv"]
//
// Paths are relative to the file. An unknown field is an error.
func ReadConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("lists: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err == nil && len(raw) > maxConfigBytes {
		err = fmt.Errorf("larger than %d bytes", maxConfigBytes)
	}
	if err != nil {
		return Config{}, fmt.Errorf("lists: %s: %w", path, err)
	}
	c, err := parseConfig(raw, filepath.Dir(path))
	if err != nil {
		return Config{}, fmt.Errorf("lists: %s: %w", path, err)
	}
	return c, nil
}

func parseConfig(raw []byte, dir string) (Config, error) {
	var doc struct {
		Keys struct {
			Compromised []string `toml:"compromised"`
			Debian      []string `toml:"debian"`
		} `toml:"keys"`
		Names struct {
			Blocked []string `toml:"blocked"`
			Unsafe  []string `toml:"unsafe"`
		} `toml:"names"`
		Parties struct {
			Denied []string `toml:"denied"`
		} `toml:"parties"`
	}
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&doc); err != nil {
		return Config{}, tomlError(err)
	}
	at := func(paths []string) []string {
		for i, p := range paths {
			if !filepath.IsAbs(p) {
				paths[i] = filepath.Join(dir, p)
			}
		}
		return paths
	}
	return Config{
		CompromisedKeys: at(doc.Keys.Compromised), DebianKeys: at(doc.Keys.Debian),
		BlockedNames: at(doc.Names.Blocked), UnsafeNames: at(doc.Names.Unsafe),
		DeniedParties: at(doc.Parties.Denied),
	}, nil
}

// tomlError gives the reader's error with line and column.
func tomlError(err error) error {
	switch e := err.(type) {
	case *toml.DecodeError:
		row, column := e.Position()
		return fmt.Errorf("line %d, column %d: %w", row, column, err)
	case *toml.StrictMissingError:
		if len(e.Errors) > 0 {
			row, column := e.Errors[0].Position()
			return fmt.Errorf("line %d, column %d: unknown field %q", row, column, e.Errors[0].Key())
		}
	}
	return err
}
