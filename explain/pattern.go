package explain

import (
	"embed"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"assay/cause"
)

// A Pattern is one message that a program or a CA writes, and what it stands
// for. Patterns are data: the files patterns/*.toml hold them.
//
// To add one, take a real message, and put an entry into the file of whoever
// writes it, above every entry that is wider:
//
//	[[pattern]]
//	source = "lego"
//	match = 'ns (?P<server>[a-z0-9.:-]+) returned nxdomain for {{name}}'
//	causes = ["dns.record-missing", "dns.servers-disagree"]
//	example = 'NS ns2.orchard.net. returned NXDOMAIN for _acme-challenge.orchard.net.'
//	want = { server = "ns2.orchard.net" }
//	near = 'NS ns2.orchard.net. returned SERVFAIL for _acme-challenge.orchard.net.'
//
// Then run the tests: they hold every entry to its example and its near miss.
type Pattern struct {
	// Source is whose words these are.
	Source string `toml:"source"`
	// Match is an RE2 expression for the text as [Text] normalises it: ASCII
	// letters in lower case, white space as single blanks, plain quotation
	// marks and punctuation. {{name}} and {{url}} stand for a host name, in
	// quotation marks or not, and an http(s) address, and become the
	// parameters of that name, as every named group does; {{for}} for Boulder's
	// "Cannot issue for NAME:", where it is there.
	Match string `toml:"match"`
	// Causes are what the message stands for, likeliest first.
	Causes []cause.ID `toml:"causes"`
	// Confidence is how sure the first cause is: "certain", "likely" (where it
	// is empty) or "possible". The others are possible.
	Confidence string `toml:"confidence"`
	// Fallback marks words so general that they count only where nothing
	// narrower is recognised.
	Fallback bool `toml:"fallback"`
	// Example is a message that the pattern must recognise, Want some of its
	// parameters, and Near a message as alike as possible that it must not.
	Example string            `toml:"example"`
	Want    map[string]string `toml:"want"`
	Near    string            `toml:"near"`

	expression *regexp.Regexp
	needles    []string
	profile    string
}

// Patterns returns every pattern in the order in which they are tried: a
// message that an earlier one recognises is not given to a later one. The
// patterns are shared and must not be changed.
func Patterns() []*Pattern { return load() }

// files are the pattern files in the order they are tried, with the profile
// that judges as the writers of these messages do.
var files = []struct{ name, profile string }{
	{"boulder-validation", "letsencrypt"},
	{"boulder-order", "letsencrypt"},
	{"clients", "letsencrypt"},
	{"authorities", "baseline"},
	{"tencent", "cloud"},
	{"clouds", "cloud"},
	{"general", "letsencrypt"},
}

//go:embed patterns/*.toml
var patternFiles embed.FS

var load = sync.OnceValue(func() []*Pattern {
	var all []*Pattern
	for _, file := range files {
		raw, err := patternFiles.ReadFile("patterns/" + file.name + ".toml")
		if err != nil {
			panic("explain: embedded patterns: " + err.Error())
		}
		var content struct {
			Pattern []*Pattern `toml:"pattern"`
		}
		if err := toml.Unmarshal(raw, &content); err != nil {
			panic(fmt.Sprintf("explain: embedded patterns/%s.toml: %v", file.name, err))
		}
		for _, p := range content.Pattern {
			p.profile = file.profile
			p.compile()
			all = append(all, p)
		}
	}
	return all
})

// compile prepares the expression; one that is none is a programming error,
// which the tests find.
func (p *Pattern) compile() {
	text := shorthand.Replace(p.Match)
	p.expression = regexp.MustCompile(text)
	if tree, err := syntax.Parse(text, syntax.Perl); err == nil {
		p.needles = needles(tree.Simplify())
	}
}

// shorthand is what {{name}}, {{for}} and {{url}} stand for.
var shorthand = strings.NewReplacer(
	"{{name}}", `(?:["']?(?P<name>[a-z0-9*_][a-z0-9*_.\-]*)["']?)`,
	"{{for}}", `(?:cannot issue for "(?P<name>[^"]{1,260})": )?`,
	"{{url}}", `(?P<url>https?://[^\s"'<>]+)`,
)
