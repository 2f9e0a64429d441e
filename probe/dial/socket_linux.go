package dial

import (
	"net/netip"
	"os"
	"syscall"
	"unsafe"
)

const canReconnect = true

// reconnect disconnects a socket, throws away what is still in it, and connects it
// to another address of the same family.
func reconnect(raw syscall.RawConn, to netip.AddrPort) error {
	var failed error
	if err := raw.Control(func(fd uintptr) {
		if failed = disconnect(fd); failed != nil {
			return
		}
		var buf [1]byte // the rest of a datagram is thrown away with it
		for range maxQueued {
			if _, err := syscall.Read(int(fd), buf[:]); err == syscall.EAGAIN {
				failed = syscall.Connect(int(fd), sockaddr(to))
				return
			}
		}
		failed = syscall.EBUSY
	}); err != nil {
		return err
	}
	return failed
}

// Exchange sends one datagram and reads the next. It sends where the runtime
// already listens for what comes: [net.UDPConn.Read] would first try to read what
// cannot be there yet, and only then wait.
func (s *Socket) Exchange(out, in []byte) (n int, err error) {
	sent := false
	var failed error
	err = s.raw.Read(func(fd uintptr) (done bool) {
		if !sent {
			sent = true
			_, failed = syscall.Write(int(fd), out)
			return failed != nil
		}
		for {
			if n, failed = syscall.Read(int(fd), in); failed != syscall.EINTR {
				return failed != syscall.EAGAIN
			}
		}
	})
	switch {
	case err != nil: // the deadline
		return 0, err
	case failed == syscall.EAGAIN || failed == syscall.EINTR: // of the sending
		if _, err := s.Write(out); err != nil {
			return 0, err
		}
		return s.UDPConn.Read(in)
	case failed != nil:
		return 0, os.NewSyscallError("exchange", failed)
	}
	return n, nil
}

// maxQueued bounds the datagrams and errors that are thrown away.
const maxQueued = 64

// disconnect is connect(2) to AF_UNSPEC: the port goes back to the system.
func disconnect(fd uintptr) error {
	none := syscall.RawSockaddr{Family: syscall.AF_UNSPEC}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none)); errno != 0 {
		return errno
	}
	return nil
}

func sockaddr(to netip.AddrPort) syscall.Sockaddr {
	if a := to.Addr().Unmap(); a.Is4() {
		return &syscall.SockaddrInet4{Port: int(to.Port()), Addr: a.As4()}
	}
	return &syscall.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}
