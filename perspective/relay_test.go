package perspective_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"assay/perspective/identity"
	"assay/perspective/wire"
)

type edKey = ed25519.PublicKey

func writeJSON(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

// relayed sends a coordinator's join request on to the agent over a connection of
// the man in the middle, as it is and in his own name, and returns an error where
// the agent lets it in.
func relayed(t *testing.T, middle *identity.Identity, code *wire.Code, raw []byte) error {
	t.Helper()
	config, err := middle.Client(code.Agent)
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	transport := &http.Transport{TLSClientConfig: config, Protocols: protocols}
	defer transport.CloseIdleConnections()
	var request wire.JoinRequest
	if err := json.Unmarshal(raw, &request); err != nil {
		return err
	}
	request.Coordinator = middle.Public
	own, err := json.Marshal(request)
	if err != nil {
		return err
	}
	for _, body := range [][]byte{raw, own} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+code.Address+wire.PathJoin, bytes.NewReader(body))
		if err != nil {
			return err
		}
		response, err := transport.RoundTrip(r)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			return fmt.Errorf("status %s", response.Status)
		}
	}
	return nil
}
