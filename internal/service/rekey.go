package service

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"assay/internal/store"
)

// RekeyEntry is the entry of the audit log that says that secrets were sealed anew
// under another data key, and whether the master key is another one too. Whoever
// changes the key appends it: no service runs then.
func RekeyEntry(now time.Time, master bool) (*store.Entry, error) {
	s := &Service{Config: Config{Now: func() time.Time { return now }, Rand: rand.Reader}}
	id, err := s.timed()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]any{"master": master})
	if err != nil {
		return nil, fmt.Errorf("an audit entry: %w", err)
	}
	return &store.Entry{
		ID: id, At: s.now(), Tenant: RootTenant, Actor: serviceActor, Role: string(RoleAdministrator),
		Action: "keys.rekey", Subject: "keys", Data: data,
	}, nil
}
