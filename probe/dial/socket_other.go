//go:build !linux

package dial

import (
	"errors"
	"net/netip"
	"syscall"
)

const canReconnect = false

func reconnect(syscall.RawConn, netip.AddrPort) error { return errors.ErrUnsupported }

// Exchange sends one datagram and reads the next.
func (s *Socket) Exchange(out, in []byte) (int, error) {
	if _, err := s.Write(out); err != nil {
		return 0, err
	}
	return s.Read(in)
}
