//go:build unix

package identity

import (
	"os"
	"syscall"
)

// onlyOwner is set where files have modes that say who may read them.
const onlyOwner = true

// Lock waits until nobody else holds the lock of a path (a file beside it), and
// takes it. Call the function it returns to let go; a process that ends lets go.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
