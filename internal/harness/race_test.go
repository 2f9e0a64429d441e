//go:build race

package harness

// raced is whether the race detector is on.
const raced = true
