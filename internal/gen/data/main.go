// Command data makes the snapshots embedded in package data from copies that
// public Go modules carry: the public suffix list, the root zone, the IANA
// special-purpose registries, the confusable characters. It is a module of its
// own, so that the program does not depend on those modules. The root's name
// servers and trust anchors are those of the Debian package dns-root-data, which
// must be installed; it verifies the signatures of IANA and Verisign.
//
//	cd internal/gen/data && go run .
//
// Word and brand lists are written by hand beside it (words.toml, brands.toml)
// and pass through the same checks.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/weppos/publicsuffix-go/publicsuffix"
	"go.mau.fi/util/confusable"

	"assay/data"
)

const target = "../../../data/embedded"

// A source is one snapshot to make.
type source struct {
	name, from, date string
	text             func() string
}

var sources = []source{
	{data.PublicSuffixes, data.PublicSuffixesURL + ", " + publicsuffix.ListVersion + ", by github.com/weppos/publicsuffix-go v0.50.3", "2026-03-02", suffixes},
	// The newest delegation and removal in the module's table.
	{data.RootZone, "IANA root zone, by github.com/zmap/zlint/v3 v3.7.1 util/gtld_map.go", "2026-04-17", rootZone},
	{data.AddressBlocks, data.IPv4BlocksURL + " " + data.IPv6BlocksURL + ", by github.com/letsencrypt/boulder v0.20260720.0", "2026-07-20", blocks},
	{data.Confusables, "https://www.unicode.org/Public/17.0.0/security/confusables.txt, by go.mau.fi/util v0.9.4", "2025-07-22", confusables},
	{data.RootHints, data.RootHintsURL + ", by Debian dns-root-data 2024071801", "2024-04-18", rootData("root.hints")},
	// The file of 2024-07-18 was the first with both KSK-2017 and KSK-2024.
	{data.RootAnchors, data.RootAnchorsURL + ", by Debian dns-root-data 2024071801", "2024-07-18", rootData("root.ds", "root.key")},
	{data.Words, "assay, after the founding document and two vendors' pages", "2026-11-24", file("words.toml")},
	{data.Brands, "assay", "2026-11-24", file("brands.toml")},
}

func main() {
	for _, s := range sources {
		header := fmt.Sprintf("# assay snapshot\n# source: %s\n# date: %s\n\n", s.from, s.date)
		snapshot, err := data.Import(target, s.name, strings.NewReader(header+s.text()), time.Now())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%-15s %6d entries of %s\n", s.name, snapshot.Entries, snapshot.Date.Format(time.DateOnly))
	}
}

// suffixes writes the rules in the form of public_suffix_list.dat.
func suffixes() string {
	var icann, private strings.Builder
	for _, r := range publicsuffix.DefaultRules() {
		section := &icann
		if r.Private {
			section = &private
		}
		section.WriteString(map[int]string{publicsuffix.WildcardType: "*.", publicsuffix.ExceptionType: "!"}[r.Type] + r.Value + "\n")
	}
	return "// ===BEGIN ICANN DOMAINS===\n" + icann.String() + "// ===END ICANN DOMAINS===\n" +
		"// ===BEGIN PRIVATE DOMAINS===\n" + private.String() + "// ===END PRIVATE DOMAINS===\n"
}

var delegation = regexp.MustCompile(`GTLD:\s+"([^"]+)",\s+DelegationDate:\s+"[^"]*",\s+RemovalDate:\s+"([^"]*)"`)

// rootZone reads the table of delegations: those not removed, without .onion,
// which the table holds for linting and the root zone does not.
func rootZone() string {
	var b strings.Builder
	for _, m := range delegation.FindAllStringSubmatch(moduleFile("github.com/zmap/zlint/v3@v3.7.1", "util/gtld_map.go"), -1) {
		if m[2] == "" && m[1] != "onion" {
			b.WriteString(m[1] + "\n")
		}
	}
	return b.String()
}

func blocks() string {
	const boulder = "github.com/letsencrypt/boulder@v0.20260720.0"
	return moduleFile(boulder, "iana/data/iana-ipv4-special-registry-1.csv") + "\n" +
		moduleFile(boulder, "iana/data/iana-ipv6-special-registry-1.csv")
}

// confusables writes the table in the form of confusables.txt.
func confusables() string {
	var b strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		to := confusable.GetReplacement(r)
		if to == "" {
			continue
		}
		var points []string
		for _, p := range to {
			points = append(points, fmt.Sprintf("%04X", p))
		}
		fmt.Fprintf(&b, "%04X ;\t%s ;\tMA\n", r, strings.Join(points, " "))
	}
	return b.String()
}

func rootData(names ...string) func() string {
	return func() string {
		var text strings.Builder
		for _, name := range names {
			text.WriteString(file("/usr/share/dns/"+name)() + "\n")
		}
		return text.String()
	}
}

func file(name string) func() string {
	return func() string {
		raw, err := os.ReadFile(name)
		if err != nil {
			log.Fatal(err)
		}
		return string(raw)
	}
}

// moduleFile reads a file of a module, which the go command fetches and checks.
func moduleFile(module, path string) string {
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	var m struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &m)
	}
	if err != nil {
		log.Fatal(module, err)
	}
	raw, err := os.ReadFile(filepath.Join(m.Dir, path))
	if err != nil {
		log.Fatal(err)
	}
	return string(raw)
}
