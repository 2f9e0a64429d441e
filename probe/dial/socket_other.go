//go:build !linux

package dial

import (
	"errors"
	"net"
	"net/netip"
)

const canReconnect = false

func reconnect(*net.UDPConn, netip.AddrPort) error { return errors.ErrUnsupported }
