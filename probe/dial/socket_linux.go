package dial

import (
	"net"
	"net/netip"
	"syscall"
	"unsafe"
)

const canReconnect = true

// reconnect disconnects a socket, throws away what is still in it, and connects it
// to another address of the same family.
func reconnect(conn *net.UDPConn, to netip.AddrPort) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		if failed = disconnect(fd); failed != nil {
			return
		}
		var buf [1]byte
		for range maxQueued {
			_, _, err := syscall.Recvfrom(int(fd), buf[:], syscall.MSG_DONTWAIT|syscall.MSG_TRUNC)
			if err == syscall.EAGAIN {
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
