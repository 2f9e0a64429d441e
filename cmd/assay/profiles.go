package main

import (
	"path/filepath"
	"strings"

	"assay/profile"
)

// profile finds a profile by the name of an embedded one or the path of a file.
func (a *app) profile(name string) (*profile.Profile, error) {
	if !isProfileFile(name) {
		p, err := profile.Named(name)
		if err != nil {
			return nil, a.usage("assay profile list", "error.profile-name", "Name", name, "Names", strings.Join(profile.Embedded(), ", "))
		}
		return p, nil
	}
	raw, err := a.read(name, maxProfileBytes, "assay profile list")
	if err != nil {
		return nil, err
	}
	p, err := profile.Parse(raw)
	if err != nil {
		return nil, &failure{code: exitUsage, what: name + ": " + err.Error(), next: "assay schema profile"}
	}
	if p.Name == "" || p.Inherits != "" && p.Name == p.Inherits {
		p.Name = strings.TrimSuffix(filepath.Base(name), ".toml")
	}
	return p, nil
}
