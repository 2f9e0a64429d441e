package explain

import (
	"strings"
)

// clientName is how clients say which name the words of the CA that follow
// are about: certbot and cert-manager "Domain: NAME", Caddy "identifier":"NAME",
// lego and win-acme "[NAME]", acme.sh "NAME:Verify error:".
var clientName = lazily(
	`(?:\bdomain"?: ?"?|\bidentifier"?: ?"?|\bdnsname"?[:=] ?"?|\[)((?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]+)(?:\]|"|,| |$)` +
		`|((?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]+): ?verify error`)

// maxContext is how far before a message, in bytes, its name is looked for.
const maxContext = 1024

// clientNames returns a function that gives the name a client wrote last
// before a place in the text, at most maxContext bytes before it.
func clientNames(text, folded string) func(at int) string {
	type written struct {
		at   int
		name string
	}
	var all []written
	for _, m := range clientName().FindAllStringSubmatchIndex(folded, -1) {
		for group := 2; group <= 4; group += 2 {
			if m[group] >= 0 {
				all = append(all, written{m[0], shorten(text[m[group]:m[group+1]], maxParameter)})
			}
		}
	}
	return func(at int) string {
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].at <= at && at-all[i].at <= maxContext {
				return all[i].name
			}
		}
		return ""
	}
}

// host is the host of an http(s) address without its port, "" where it is none.
func host(url string) string {
	_, rest, found := strings.Cut(url, "://")
	if !found {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	name, _, _ := strings.Cut(rest, ":")
	return name
}
