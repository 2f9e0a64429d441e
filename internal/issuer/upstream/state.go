package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"

	"assay/internal/issuer"
)

// maxState is the largest state of an order, in bytes.
const maxState = 16 << 10

// A state is what is kept of an upstream order: where it is. Nothing in it is
// secret; without the account's key it is worth nothing.
type state struct {
	Version   int    `json:"v"`
	Directory string `json:"directory"`
	Account   string `json:"account,omitempty"`
	Order     string `json:"order"`
}

const stateVersion = 1

// ErrForeign is returned for the state of an order that was begun at another CA:
// the configuration has changed since. A request without state begins anew.
var ErrForeign = issuer.ErrElsewhere

// readState reads what [state.json] wrote.
func readState(raw json.RawMessage) (*state, error) {
	if len(raw) > maxState {
		return nil, fmt.Errorf("the state of the upstream order is larger than %d bytes", maxState)
	}
	s := &state{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("the state of the upstream order: %w", err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("the state of the upstream order has version %d; this program knows %d", s.Version, stateVersion)
	}
	if err := checkURL(s.Order); err != nil {
		return nil, fmt.Errorf("the state of the upstream order: its address %w", err)
	}
	return s, nil
}

func (s *state) json() (json.RawMessage, error) {
	raw, err := json.Marshal(s)
	if err == nil && len(raw) > maxState {
		err = fmt.Errorf("the state of the upstream order would be larger than %d bytes", maxState)
	}
	return raw, err
}

// maxURL bounds the addresses that the CA gives, in bytes.
const maxURL = 2000

// checkURL: https with a host and nothing that does not belong there.
func checkURL(text string) error {
	if len(text) > maxURL {
		return fmt.Errorf("is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%.100q is not https://host/…", text)
	}
	return nil
}
