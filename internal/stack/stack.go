// Package stack makes room on the stacks of goroutines that will need it.
//
// A goroutine begins with a small stack and doubles it each time it is too small,
// copying what is on it: most work is done where it is deep already. A goroutine
// that is known to go deep grows it once, at its beginning, while there is nothing
// to copy. That is an optimization only; too little or too much room is no error.
package stack

// Grow8 makes room for about 5 KB: a stack of 8 KB.
//
//go:noinline
func Grow8() {
	var room [5 << 10]byte
	use(&room[0])
}

// Grow16 makes room for about 12 KB: a stack of 16 KB.
//
//go:noinline
func Grow16() {
	var room [12 << 10]byte
	use(&room[0])
}

// use keeps the room from being optimized away.
//
//go:noinline
func use(b *byte) { *b = 1 }
