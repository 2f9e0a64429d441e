package rest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"assay/cause"
	"assay/internal/message"
)

// client is who asks: the address of the connection, or, behind trusted
// proxies, the last address before them.
func (s *Server) client(r *http.Request) netip.Addr {
	at := peer(r.RemoteAddr)
	if !within(at, s.TrustedProxies) {
		return at
	}
	// From the right: what stands left of the first address that is no proxy of
	// ours was written by whoever asked.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		ip, err := netip.ParseAddr(strings.Trim(strings.TrimSpace(hop), "[]"))
		if err != nil {
			return at
		}
		at = ip.Unmap().WithZone("")
		if !within(at, s.TrustedProxies) {
			return at
		}
	}
	return at
}

func peer(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	return ap.Addr().Unmap().WithZone("")
}

func within(ip netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// addressKey is whom a limit by address counts: an IPv4 address, or the /64 of
// an IPv6 address, which one customer usually has whole.
func addressKey(client string) string {
	ip, err := netip.ParseAddr(client)
	if err != nil || ip.Is4() {
		return client
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return client
	}
	return p.String()
}

// maxAcceptLanguage bounds what is read of a wish for a language.
const maxAcceptLanguage = 200

// languageOf chooses the language of an answer by Accept-Language (RFC 9110
// 12.5.4): English where nothing else that there is is wished for.
func languageOf(header string) cause.Language {
	if header == "" || len(header) > maxAcceptLanguage {
		return cause.English
	}
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return cause.English
	}
	for _, tag := range tags { // by preference
		switch base, _ := tag.Base(); base.String() {
		case "zh":
			return cause.Chinese
		case "en":
			return cause.English
		}
	}
	return cause.English
}

// printers are shared: a printer compiles a message once.
type printers map[cause.Language]*message.Printer

func newPrinters() printers {
	p := printers{}
	for _, lang := range cause.Languages() {
		p[lang] = message.New(lang)
	}
	return p
}
