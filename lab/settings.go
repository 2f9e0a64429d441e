package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// WriteSettings writes into a directory what the program needs to look from the
// perspective: root hints, trust anchors, dial map, and a configuration file that
// names them. It returns the configuration file.
func (p *Probe) WriteSettings(dir string) (string, error) {
	var hints, anchors, config strings.Builder
	for _, h := range p.Hints {
		fmt.Fprintf(&hints, ". 3600000 NS %s\n", h.Name)
	}
	for _, h := range p.Hints {
		for _, a := range h.Addresses {
			typ := "AAAA"
			if a.Is4() {
				typ = "A"
			}
			fmt.Fprintf(&hints, "%s 3600000 %s %s\n", h.Name, typ, a)
		}
	}
	for _, ds := range p.Anchors {
		fmt.Fprintln(&anchors, ds)
	}
	fmt.Fprintf(&config, "# How to look at this laboratory, as from its place %s.\nroot-hints = \"root.hints\"\n", p.Place.ID)
	files := map[string]string{"root.hints": hints.String()}
	if len(p.Anchors) > 0 {
		files["root.ds"] = anchors.String()
		config.WriteString("trust-anchors = \"root.ds\"\n")
	}
	if p.Map != nil {
		files["dial-map"] = p.Map.String()
		config.WriteString("dial-map = \"dial-map\"\n")
	}
	if p.Source.IsValid() {
		fmt.Fprintf(&config, "source-address = %q\n", p.Source)
	}
	if p.Place.Resolver != "" {
		fmt.Fprintf(&config, "resolver = %q\n", p.Place.Resolver)
	}
	if len(p.Place.Public) > 0 {
		fmt.Fprintf(&config, "public-resolvers = [\"%s\"]\n", strings.Join(p.Place.Public, `", "`))
	}
	if len(p.Allow) > 0 {
		var allow []string
		for _, n := range p.Allow {
			allow = append(allow, n.String())
		}
		fmt.Fprintf(&config, "allow-addresses = [\"%s\"]\n", strings.Join(allow, `", "`))
	}
	var faults []error
	for name, text := range files {
		faults = append(faults, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	// Last and at once: whoever waits for it finds everything it names.
	path := filepath.Join(dir, "assay.toml")
	faults = append(faults, os.WriteFile(path+".tmp", []byte(config.String()), 0o600), os.Rename(path+".tmp", path))
	return path, errors.Join(faults...)
}
