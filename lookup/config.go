package lookup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
//
// The error names the file, the line where there is one, what is wrong and what
// is wanted there.
func ReadConfig(path string) (Config, error) {
	c, err := readConfig(path)
	if err != nil {
		if p := (*os.PathError)(nil); errors.As(err, &p) {
			err = fmt.Errorf("%w: want a TOML file that names the lists", p.Err)
		}
		return Config{}, fmt.Errorf("lists: %s: %w", path, err)
	}
	return c, nil
}

func readConfig(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err == nil && len(raw) > maxConfigBytes {
		err = fmt.Errorf("larger than %d KiB: want a TOML file that names the lists, not a list", maxConfigBytes>>10)
	}
	if err != nil {
		return Config{}, err
	}
	return parseConfig(raw, filepath.Dir(path))
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

// configFields are the fields of a file of list paths.
const configFields = "keys.compromised, keys.debian, names.blocked, names.unsafe, parties.denied"

// tomlError says what the reader found wrong, with line and column, in words of
// the file and not of the program.
func tomlError(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := strict.Errors[0]
		row, column := e.Position()
		return fmt.Errorf("line %d, column %d: unknown field %s: the fields are %s", row, column, strings.Join(e.Key(), "."), configFields)
	}
	var decode *toml.DecodeError
	if !errors.As(err, &decode) {
		return err
	}
	row, column := decode.Position()
	switch key := decode.Key(); {
	case !strings.Contains(decode.Error(), "cannot"):
		return fmt.Errorf("line %d, column %d: %s", row, column, strings.TrimPrefix(decode.Error(), "toml: "))
	case len(key) > 1:
		return fmt.Errorf("line %d, column %d: %s must be a list of paths in quotes: [\"FILE\", …]", row, column, strings.Join(key, "."))
	default:
		return fmt.Errorf("line %d, column %d: must be a table of lists: the fields are %s", row, column, configFields)
	}
}
