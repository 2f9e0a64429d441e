package lab

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// A handshake is a [Handshake] made ready.
type handshake struct {
	Handshake
	from   places
	config *tls.Config
}

// What a handshake can do; see [Handshake.Do].
var handshakeDeeds = []string{"", "alert", "plain", "close", "reset", "stall", "garbage"}

var tlsVersions = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// newHandshake checks a handshake and makes it ready.
func newHandshake(h Handshake, by *signer, value string) (*handshake, error) {
	x := &handshake{Handshake: h}
	var err error
	if x.from, err = parsePlaces(h.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if !slices.Contains(handshakeDeeds, h.Do) {
		return nil, fmt.Errorf("do: %q must be one of%s", h.Do, strings.Join(handshakeDeeds, " "))
	}
	if h.Alert < 0 || h.Alert > 255 {
		return nil, fmt.Errorf("alert: %d must be 0 to 255", h.Alert)
	}
	if x.Alert == 0 {
		x.Alert = 40
	}
	x.config = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	for _, v := range []struct {
		text string
		into *uint16
	}{{h.Min, &x.config.MinVersion}, {h.Max, &x.config.MaxVersion}} {
		if v.text == "" {
			continue
		}
		if *v.into = tlsVersions[v.text]; *v.into == 0 {
			return nil, fmt.Errorf("%q is no version: write 1.0 to 1.3", v.text)
		}
	}
	if x.config.MaxVersion != 0 && x.config.MaxVersion < x.config.MinVersion {
		x.config.MinVersion = x.config.MaxVersion
	}
	certificate, err := x.certificate(by, value)
	if err != nil {
		return nil, err
	}
	x.config.Certificates = []tls.Certificate{*certificate}
	switch {
	case slices.Contains(h.Protocols, "none"):
		x.config.NextProtos = nil
	case len(h.Protocols) > 0:
		x.config.NextProtos = h.Protocols
	}
	return x, nil
}

func (x *handshake) certificate(by *signer, value string) (*tls.Certificate, error) {
	if c := x.Challenge; c != nil {
		if !slices.Contains(challengeFaults, c.Fault) {
			return nil, fmt.Errorf("challenge: fault: %q must be one of%s", c.Fault, strings.Join(challengeFaults, " "))
		}
		x.config.NextProtos = []string{"acme-tls/1"}
		return by.challenge(*c, value)
	}
	if x.Deployment != "" {
		c, err := Deployed()
		if err != nil {
			return nil, err
		}
		return c.serves(x.Deployment)
	}
	names := []string(x.Names)
	if len(names) == 0 {
		names = []string{"orchard.net", "www.orchard.net"}
	}
	switch x.Issuer {
	case "", "lab":
		return by.ordinary(names)
	case "self":
		return (&signer{}).ordinary(names)
	}
	return nil, fmt.Errorf("issuer: %q must be lab or self", x.Issuer)
}

func (x *handshake) matches(hello *tls.ClientHelloInfo) bool {
	none := func(list []string) bool { return len(list) == 1 && list[0] == "none" }
	name := strings.ToLower(hello.ServerName)
	return x.from.has(placeOfConn(hello.Conn)) &&
		(x.ALPN == "" || x.ALPN == "none" && len(hello.SupportedProtos) == 0 || slices.Contains(hello.SupportedProtos, x.ALPN)) &&
		(len(x.Name) == 0 || none(x.Name) && name == "" || slices.Contains(x.Name, name))
}

var errOnPurpose = errors.New("the handshake ends here, as the change says")

// configFor is the configuration of a site's TLS server.
func (s *site) configFor(stop <-chan struct{}) *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, x := range s.handshakes {
			if x.Do == "plain" || !x.matches(hello) {
				continue
			}
			if x.Do == "" {
				return x.config, nil
			}
			x.misbehave(hello.Conn, stop)
			return nil, errOnPurpose
		}
		return s.ordinary.config, nil
	}}
}

// misbehave does what is done instead of a handshake, and leaves the connection
// closed.
func (x *handshake) misbehave(c net.Conn, stop <-chan struct{}) {
	defer c.Close()
	switch x.Do {
	case "alert":
		_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, byte(x.Alert)})
	case "garbage":
		_, _ = c.Write([]byte("\xaa\xaa\xaa\xaa this is no TLS \xaa\xaa"))
	case "reset":
		abort(c)
	case "stall":
		wait(c, stop)
	}
}

// plain reports whether the server speaks plain HTTP on port 443 to a client.
func (s *site) plain(c net.Conn) bool {
	for _, x := range s.handshakes {
		if x.Do == "plain" && x.from.has(placeOfConn(c)) {
			return true
		}
	}
	return false
}

func placeOfConn(c net.Conn) int {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return -1
	}
	return placeOf(at.Addr())
}

// abort resets a connection; one under TLS without a word.
func abort(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if l, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = c.Close()
}

// wait holds a connection until the client leaves or the world stops.
func wait(c net.Conn, stop <-chan struct{}) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		buf := make([]byte, 512)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	}()
	select {
	case <-gone:
	case <-stop:
		_ = c.Close()
		<-gone
	}
}
