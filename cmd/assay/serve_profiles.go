package main

import (
	"slices"
	"strings"

	"assay/profile"
)

// shelf are the profiles that a service reviews by. The operator's files are
// read once, when it starts: one that cannot be read, or no longer, never makes
// the built-in profile of its name decide in its place.
type shelf struct {
	// own are those of files, by what the file is called on the command line and
	// by the profile's name.
	own map[string]*profile.Profile
	// offered are the names that an applicant may use; nil: any.
	offered []string
}

// serveProfiles reads the profile of --profile and those of --profiles.
func (a *app) serveProfiles(f *serviceFlags) (*shelf, error) {
	s := &shelf{own: map[string]*profile.Profile{}}
	standard, err := a.shelve(s, f.profile)
	if err != nil || len(f.profiles) == 0 {
		return s, err
	}
	s.offered = []string{standard.Name}
	for _, given := range f.profiles {
		p, err := a.shelve(s, given)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(s.offered, p.Name) {
			s.offered = append(s.offered, p.Name)
		}
	}
	return s, nil
}

func (a *app) shelve(s *shelf, given string) (*profile.Profile, error) {
	if p := s.own[given]; p != nil {
		return p, nil
	}
	p, err := a.profile(given)
	if err != nil || !isProfileFile(given) {
		return p, err
	}
	if s.own[p.Name] != nil {
		return nil, a.usage(nextServe, "serve.profile-twice", "Path", given, "Name", p.Name)
	}
	s.own[given], s.own[p.Name] = p, p
	return p, nil
}

// named finds a profile: one of a file before a built-in one of the same name.
func (s *shelf) named(name string) (*profile.Profile, error) {
	if p := s.own[name]; p != nil {
		return p, nil
	}
	return profile.Named(name)
}

// isProfileFile reports whether what names a profile is the path of a file.
func isProfileFile(given string) bool {
	return strings.HasSuffix(given, ".toml") || strings.ContainsAny(given, `/\`)
}
