// Package provider recognises who runs name servers from their names, and knows
// how that provider's console calls the fields of a record. It is data
// (providers.toml): a provider is added there and nowhere else.
package provider

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

// A Provider is a DNS provider.
type Provider struct {
	Name string `toml:"name"`
	// Suffixes are what the names of its name servers end with, Label is what
	// one of their labels begins with, where no suffix says it.
	Suffixes []string `toml:"suffixes"`
	Label    string   `toml:"label"`
	// HostField and ValueField are the labels of the form: where the name
	// without the zone goes, and where the value goes.
	HostField  string `toml:"host_field"`
	ValueField string `toml:"value_field"`
	// Console is the address of its console.
	Console string `toml:"console"`
}

//go:embed providers.toml
var file string

var load = sync.OnceValue(func() []Provider {
	var list struct {
		Providers []Provider `toml:"providers"`
	}
	if err := toml.Unmarshal([]byte(file), &list); err != nil {
		panic("provider: embedded providers.toml: " + err.Error())
	}
	return list.Providers
})

// All lists the providers. The slice is shared and must not be changed.
func All() []Provider { return load() }

// Of returns the provider that runs name servers, given by name without final
// dot in lower case; nil where none is known or several run them.
func Of(servers []string) *Provider {
	var found *Provider
	for _, s := range servers {
		p := of(s)
		if p == nil || found != nil && p != found {
			return nil
		}
		found = p
	}
	return found
}

func of(server string) *Provider {
	all := load()
	for i := range all {
		for _, suffix := range all[i].Suffixes {
			if rest, ok := strings.CutSuffix(server, suffix); ok && (rest == "" || strings.HasSuffix(rest, ".")) {
				return &all[i]
			}
		}
		if all[i].Label != "" && strings.Contains(server, "."+all[i].Label) {
			return &all[i]
		}
	}
	return nil
}
