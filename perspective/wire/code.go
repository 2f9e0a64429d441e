package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Code is a join code: all that a coordinator needs to find an agent, to know
// that it is that agent, and to be let in, once.
type Code struct {
	Address string            // host and port
	Agent   ed25519.PublicKey // the agent's key
	Secret  [16]byte          // what both sides prove to know
	Expires time.Time         // when the agent stops accepting it; whole seconds
}

// codePrefix begins a join code, and says its version.
const codePrefix = "assay1"

// alphabet is Crockford's: no letter that can be taken for a digit. A code is one
// word, so that a double click selects it.
var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const (
	codeFixed    = 4 + 16 + ed25519.PublicKeySize
	codeSum      = 5
	maxAddress   = 260
	maxCodeInput = 4096
)

// String writes the code: about 130 characters of [0-9a-z].
func (c *Code) String() string {
	raw := make([]byte, 4, codeFixed+len(c.Address)+codeSum)
	binary.BigEndian.PutUint32(raw, uint32(c.Expires.Unix()))
	raw = append(raw, c.Secret[:]...)
	raw = append(raw, c.Agent...)
	raw = append(raw, c.Address...)
	return codePrefix + alphabet.EncodeToString(append(raw, codeChecksum(raw)...))
}

func codeChecksum(raw []byte) []byte {
	sum := sha256.Sum256(append([]byte(codePrefix), raw...))
	return sum[:codeSum]
}

// ErrCode is returned for a text that is no join code, or was damaged on its way.
var ErrCode = errors.New("not a whole join code")

// ParseCode reads a join code, however it was wrapped, spaced or capitalized on
// its way. The error wraps [ErrCode].
func ParseCode(text string) (*Code, error) {
	if len(text) > maxCodeInput {
		return nil, fmt.Errorf("%w: more than %d characters", ErrCode, maxCodeInput)
	}
	text = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '-', '"', '\'':
			return -1
		}
		return r
	}, strings.ToLower(text))
	encoded, ok := strings.CutPrefix(text, codePrefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrCode, codePrefix)
	}
	encoded = strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(encoded)
	raw, err := alphabet.DecodeString(encoded)
	if err != nil || len(raw) < codeFixed+codeSum || alphabet.EncodeToString(raw) != encoded {
		return nil, fmt.Errorf("%w: a part is missing, or a character is none of a code", ErrCode)
	}
	raw, sum := raw[:len(raw)-codeSum], raw[len(raw)-codeSum:]
	if !bytes.Equal(sum, codeChecksum(raw)) {
		return nil, fmt.Errorf("%w: its check characters do not fit", ErrCode)
	}
	c := &Code{
		Expires: time.Unix(int64(binary.BigEndian.Uint32(raw)), 0).UTC(),
		Agent:   ed25519.PublicKey(raw[20:codeFixed]), Address: string(raw[codeFixed:]),
	}
	copy(c.Secret[:], raw[4:20])
	if err := CheckAddress(c.Address); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCode, err)
	}
	return c, nil
}

// CheckAddress reports whether a text is a host and port that an agent can be
// reached at.
func CheckAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	n, numberErr := strconv.ParseUint(port, 10, 16)
	printable := !strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/\\@?#\"'", r) })
	if err != nil || numberErr != nil || n == 0 || host == "" || !printable || len(address) > maxAddress {
		return fmt.Errorf("%.80q is no address with a port (192.0.2.7:8443, [2001:db8::7]:8443, p3.example.net:8443)", address)
	}
	return nil
}
