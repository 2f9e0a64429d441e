package review

import (
	"strings"

	"assay/evidence"
)

// dig is the command that asks one server the question, "" where a name could
// mean something to a shell. server is empty for the resolver that the reader
// has.
func dig(server, n, typ string, options ...string) string {
	if !plainName(n) || !plainName(server) {
		return ""
	}
	words := []string{"dig"}
	if server != "" {
		words = append(words, "@"+server)
	}
	if n == "" {
		n = "."
	}
	if strings.HasPrefix(n, "*") {
		n = "'" + n + "'"
	}
	words = append(words, n, typ)
	if len(options) == 0 && server != "" {
		options = []string{"+norec"}
	}
	return strings.Join(append(words, options...), " ")
}

// plainName reports whether a name is safe to paste: what comes out of the DNS
// may hold any byte.
func plainName(n string) bool {
	for i := 0; i < len(n); i++ {
		c := n[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == ':' || c == '-' && i > 0 || c == '*' && i == 0) {
			return false
		}
	}
	return true
}

// maxReproduce bounds the commands of one finding.
const maxReproduce = 4

// digAll asks every server of a link.
func digAll(l *evidence.DNSLink, n, typ string) []string {
	var commands []string
	for _, server := range serverNames(l) {
		if len(commands) < maxReproduce {
			commands = append(commands, dig(server, n, typ))
		}
	}
	if len(commands) == 0 {
		commands = append(commands, dig("", n, typ, "+trace"))
	}
	return commands
}

// digOne asks the first server of a link.
func digOne(l *evidence.DNSLink, n, typ string) string {
	if names := serverNames(l); len(names) > 0 {
		return dig(names[0], n, typ)
	}
	return dig("", n, typ, "+trace")
}

// digResolver asks a resolver as an address with port or a URL.
func digResolver(resolver, n, typ string) string {
	if host, ok := strings.CutPrefix(resolver, "https://"); ok {
		host, path, _ := strings.Cut(host, "/")
		if path != "" && path != "dns-query" {
			return ""
		}
		return dig(host, n, typ, "+https")
	}
	host, port := resolver, ""
	if i := strings.LastIndexByte(resolver, ':'); i >= 0 && (strings.Count(resolver, ":") == 1 || resolver[0] == '[') {
		host, port = strings.Trim(resolver[:i], "[]"), resolver[i+1:]
	}
	if port != "" && port != "53" {
		return dig(host, n, typ, "-p", port)
	}
	return dig(host, n, typ, "+rec")
}
