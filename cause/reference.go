package cause

import (
	_ "embed"
	"regexp"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

// Where the two documents of the CA/Browser Forum are read, and the versions
// that the catalogue quotes.
const (
	baselineVersion   = "2.3.1"
	guidelinesVersion = "2.0.4"
	baselineURL       = "https://cabforum.org/working-groups/server/baseline-requirements/requirements/"
	guidelinesURL     = "https://cabforum.org/working-groups/server/extended-validation/guidelines/"
	rfcURL            = "https://www.rfc-editor.org/rfc/rfc"
)

//go:embed references.toml
var referencesFile []byte

// A source is what one short name of a document stands for.
type source struct {
	Title string `toml:"title"`
	ZH    string `toml:"zh"`
	URL   string `toml:"url"`
}

type sources struct {
	// RFC holds titles by number.
	RFC    map[string]string `toml:"rfc"`
	Source map[string]source `toml:"source"`
}

var loadSources = sync.OnceValue(func() *sources {
	s := &sources{}
	if err := toml.Unmarshal(referencesFile, s); err != nil {
		panic("cause: embedded references: " + err.Error())
	}
	return s
})

// Reference spells out a short name from an entry's References or Seed, in
// English: "BR 6.1.5", "RFC 8555 7.4", "TC-api", "S12". The title is empty for
// a name that is not known; the address is empty where there is no page to
// read, and otherwise that of the first document named.
func Reference(short string) (title, url string) { return ReferenceIn(short, English) }

// ReferenceIn is [Reference] in a language. Titles of standards stay English.
func ReferenceIn(short string, lang Language) (title, url string) {
	kind, rest, _ := strings.Cut(short, " ")
	switch kind {
	case "BR":
		return forumReference("CA/Browser Forum Baseline Requirements "+baselineVersion, rest, baselineURL, lang)
	case "EVG":
		return forumReference("CA/Browser Forum EV Guidelines "+guidelinesVersion, rest, guidelinesURL, lang)
	case "RFC":
		return rfcReference(rest, lang)
	}
	return sourceReference(short, lang)
}

// lazily compiles an expression when it is first used.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// sectionList is how the catalogue writes sections: "6.1.5", "3.2.2.1, .7",
// "3.2.2.4.18-.20", "6.1.1.3(3)(4), 4.9.1.1", "App. B".
var sectionList = lazily(`^(App\. [A-Z]|[0-9.]+)(\([0-9.]+\))*(-\.[0-9]+)?(, (App\. [A-Z]|[0-9.]+)(\([0-9.]+\))*)*$`)

func forumReference(document, sections, url string, lang Language) (string, string) {
	if !sectionList().MatchString(sections) {
		return "", ""
	}
	return document + section(sections, lang), url
}

// section is what follows the title of a document.
func section(sections string, lang Language) string {
	switch {
	case sections == "":
		return ""
	case lang == Chinese:
		return "，第 " + sections + " 节"
	case strings.ContainsAny(sections, ",-"):
		return ", sections " + sections
	}
	return ", section " + sections
}

// rfcText is how the catalogue writes RFCs: "8555", "8555 7.4", "5280 A.1",
// "1035, 5890".
var rfcText = lazily(`^([0-9]{1,5})(?: ([0-9A-Z][0-9.]*))?((?:, [0-9]{1,5})*)$`)

func rfcReference(text string, lang Language) (title, url string) {
	m := rfcText().FindStringSubmatch(text)
	if m == nil {
		return "", ""
	}
	number, at, more := m[1], m[2], m[3]
	title = "RFC " + number
	if name := loadSources().RFC[number]; name != "" {
		title += ": " + name
	}
	title += section(at, lang)
	for _, other := range strings.Split(more, ", ") {
		if other == "" {
			continue
		}
		title += "; RFC " + other
		if name := loadSources().RFC[other]; name != "" {
			title += ": " + name
		}
	}
	url = rfcURL + number
	switch {
	case at == "":
	case at[0] >= 'A':
		url += "#appendix-" + at
	default:
		url += "#section-" + at
	}
	return title, url
}

// sourceReference looks a name up; what follows a known name and a space is a
// place in that document ("TC-api −3/−8").
func sourceReference(short string, lang Language) (title, url string) {
	all := loadSources().Source
	name, place := short, ""
	for {
		if s, ok := all[name]; ok {
			title = s.Title
			if lang == Chinese && s.ZH != "" {
				title = s.ZH
			}
			if place != "" {
				title += " (" + place + ")"
			}
			return title, s.URL
		}
		cut := strings.LastIndexByte(name, ' ')
		if cut < 0 {
			return "", ""
		}
		name, place = name[:cut], short[cut+1:]
	}
}
