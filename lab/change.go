package lab

// A Change is what differs from the healthy world.
type Change struct{}
