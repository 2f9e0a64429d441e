package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"assay/evidence"
)

// The types of settings read themselves from the text of a file or a flag, so
// that both accept the same and say the same about what they do not.

// A Resolver is a recursive resolver: "192.0.2.1:53", "[2001:db8::1]:53" or an
// https URL. The zero value is none.
type Resolver struct{ text string }

// String returns the resolver as probes take it.
func (r Resolver) String() string { return r.text }

// MarshalText makes a Resolver a flag's default.
func (r Resolver) MarshalText() ([]byte, error) { return []byte(r.text), nil }

// UnmarshalText reads a resolver. A bare address gets port 53; a host name is
// refused, since nothing could look it up, except in a URL.
func (r *Resolver) UnmarshalText(raw []byte) error {
	text := strings.TrimSpace(string(raw))
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
			return fmt.Errorf("%.200q is not a URL such as https://dns.example.net/dns-query", text)
		case u.Scheme != "https":
			return fmt.Errorf("%.200q: DNS over HTTPS needs https://", text)
		}
		if u.Path == "" {
			u.Path = "/dns-query"
		}
		r.text = u.String()
		return nil
	}
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil && a.Zone() == "" {
		r.text = netip.AddrPortFrom(a, 53).String()
		return nil
	}
	ap, err := netip.ParseAddrPort(text)
	if err != nil || ap.Port() == 0 || ap.Addr().Zone() != "" {
		return fmt.Errorf("%.200q is no resolver: give an address and port, 192.0.2.1:53, or a URL, https://dns.example.net/dns-query", text)
	}
	r.text = ap.String()
	return nil
}

// maxListed bounds the lists of settings.
const maxListed = 64

// Resolvers is a list; in a flag its items are separated by commas.
type Resolvers []Resolver

// MarshalText makes Resolvers a flag's default.
func (l Resolvers) MarshalText() ([]byte, error) { return marshalList(l) }

// UnmarshalText reads a list.
func (l *Resolvers) UnmarshalText(raw []byte) error { return unmarshalList(raw, (*[]Resolver)(l)) }

// A Prefix is a network; a bare address is a network of one.
type Prefix struct{ netip.Prefix }

// MarshalText writes the prefix.
func (p Prefix) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a network in CIDR notation. Bits beyond the prefix are an
// error: they show that another network was meant.
func (p *Prefix) UnmarshalText(raw []byte) error {
	text := strings.TrimSpace(string(raw))
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		p.Prefix = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		return nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf("%.80q is no network: want CIDR notation, 10.1.0.0/16", text)
	}
	if n.Masked() != n {
		return fmt.Errorf("%.80q has bits beyond its prefix: did you mean %s?", text, n.Masked())
	}
	p.Prefix = n
	return nil
}

// Prefixes is a list; in a flag its items are separated by commas.
type Prefixes []Prefix

// MarshalText makes Prefixes a flag's default.
func (l Prefixes) MarshalText() ([]byte, error) { return marshalList(l) }

// UnmarshalText reads a list.
func (l *Prefixes) UnmarshalText(raw []byte) error { return unmarshalList(raw, (*[]Prefix)(l)) }

func marshalList[T interface{ MarshalText() ([]byte, error) }](list []T) ([]byte, error) {
	parts := make([]string, len(list))
	for i := range list {
		text, err := list[i].MarshalText()
		if err != nil {
			return nil, err
		}
		parts[i] = string(text)
	}
	return []byte(strings.Join(parts, ",")), nil
}

func unmarshalList[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](raw []byte, into *[]T) error {
	var list []T
	for text := range strings.SplitSeq(string(raw), ",") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		if len(list) == maxListed {
			return fmt.Errorf("more than %d items", maxListed)
		}
		var item T
		if err := P(&item).UnmarshalText([]byte(text)); err != nil {
			return err
		}
		list = append(list, item)
	}
	*into = list
	return nil
}

// An Address is a local address, without zone. The zero value is none.
type Address struct{ netip.Addr }

// MarshalText writes the address, "" for none.
func (a Address) MarshalText() ([]byte, error) { return a.Addr.MarshalText() }

// UnmarshalText reads an address.
func (a *Address) UnmarshalText(raw []byte) error {
	text := strings.TrimSpace(string(raw))
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return fmt.Errorf("%.80q is no address: want 192.0.2.1 or 2001:db8::1", text)
	}
	a.Addr = ip.Unmap()
	return nil
}

// A Location is where a network is; the zero value is not known.
type Location struct{ *evidence.Location }

// MarshalText writes the location, "" for none.
func (l Location) MarshalText() ([]byte, error) {
	if l.Location == nil {
		return nil, nil
	}
	return fmt.Appendf(nil, "%v,%v", l.Lat, l.Lon), nil
}

// UnmarshalText reads latitude and longitude.
func (l *Location) UnmarshalText(raw []byte) error {
	lat, lon, ok := strings.Cut(string(raw), ",")
	at := &evidence.Location{}
	var errs [2]error
	at.Lat, errs[0] = strconv.ParseFloat(strings.TrimSpace(lat), 64)
	at.Lon, errs[1] = strconv.ParseFloat(strings.TrimSpace(lon), 64)
	if !ok || errors.Join(errs[:]...) != nil || !at.Valid() {
		return fmt.Errorf("%.80q is no place on the earth: want latitude and longitude in degrees, 52.37,4.90", raw)
	}
	l.Location = at
	return nil
}

// The bounds of [Config.Timeout].
const (
	MinTimeout = 10 * time.Millisecond
	MaxTimeout = time.Minute
)

// A Duration is a time such as "500ms"; 0 is not set.
type Duration struct{ time.Duration }

// MarshalText writes the duration, "" for none.
func (d Duration) MarshalText() ([]byte, error) {
	if d.Duration == 0 {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(raw []byte) error {
	v, err := time.ParseDuration(strings.TrimSpace(string(raw)))
	if err != nil {
		return fmt.Errorf("%.80q is no duration: want a number with its unit, 500ms or 3s", raw)
	}
	if v < MinTimeout || v > MaxTimeout {
		return errors.New(v.String() + " is out of range: from " + MinTimeout.String() + " to " + MaxTimeout.String())
	}
	d.Duration = v
	return nil
}
