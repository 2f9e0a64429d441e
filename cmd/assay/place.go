package main

import (
	"time"

	"assay/internal/config"
	"assay/perspective"
)

// place is this machine as the primary place to look from. now is the clock of
// signatures and TTLs.
func (a *app) place(n *config.Network, now func() time.Time) (*perspective.Local, error) {
	return n.Place("P0", now)
}
