package probe

import (
	"fmt"
	"strings"

	"assay/evidence"
)

// stamp completes the settings that are not the internet's with what shows in
// the dialer and the resolver: a laboratory must not pass for the internet
// because somebody forgot to say so. A source address alone is no such setting.
func stamp(c Config) *evidence.NetworkOptions {
	var o evidence.NetworkOptions
	if c.Network != nil {
		o = *c.Network
	}
	d := c.DNS.Dialer
	if d.Map != nil && o.DialMap == "" {
		o.DialMap = d.Map.Digest()
	}
	if o.Ports == "" {
		var ports []string
		for _, p := range []struct {
			name       string
			port, rule uint16
		}{{"dns", d.DNSPort, 53}, {"http", d.HTTPPort, 80}, {"https", d.HTTPSPort, 443}} {
			if p.port != 0 && p.port != p.rule {
				ports = append(ports, fmt.Sprintf("%s=%d", p.name, p.port))
			}
		}
		o.Ports = strings.Join(ports, " ")
	}
	if o.Exempt == "" {
		var exempt []string
		for _, p := range d.Allow {
			exempt = append(exempt, p.String())
		}
		o.Exempt = strings.Join(exempt, ",")
	}
	if o.Resolver == "" {
		o.Resolver = c.DNS.Resolver
	}
	if o == (evidence.NetworkOptions{}) {
		return nil
	}
	return &o
}
