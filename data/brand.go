package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// brandFile is a file of brand lists:
//
//	[[lists]]
//	id = "default"
//	version = "1"
//
//	[[lists.brands]]
//	name = "paypal"                # as it stands in names, lower case
//	domains = ["paypal.com", …]    # registrable domains that are its own
type brandFile struct {
	Lists []struct {
		ID      string  `toml:"id"`
		Version string  `toml:"version"`
		Title   string  `toml:"title"`
		Brands  []brand `toml:"brands"`
	} `toml:"lists"`
}

type brand struct {
	Name    string   `toml:"name"`
	Domains []string `toml:"domains"`
}

type brandList struct {
	version string
	brands  []brand
}

// maxBrands bounds a brand list.
const maxBrands = 100_000

// parseBrands reads a file of brand lists.
func parseBrands(text string) (map[string]*brandList, error) {
	var f brandFile
	if err := decodeTOML(text, &f); err != nil {
		return nil, err
	}
	if len(f.Lists) == 0 {
		return nil, errors.New("holds no list: want at least one [[lists]]")
	}
	lists := make(map[string]*brandList, len(f.Lists))
	for _, l := range f.Lists {
		switch {
		case l.ID == "" || l.Version == "":
			return nil, fmt.Errorf("list %q: id and version must not be empty", l.ID)
		case lists[l.ID] != nil:
			return nil, fmt.Errorf("list %q stands there twice", l.ID)
		case len(l.Brands) == 0 || len(l.Brands) > maxBrands:
			return nil, fmt.Errorf("list %q holds %d brands; want 1 to %d", l.ID, len(l.Brands), maxBrands)
		}
		for _, b := range l.Brands {
			if b.Name == "" || len(b.Name) > 63 || strings.ContainsAny(b.Name, ". \t\r\n*") || b.Name != strings.ToLower(b.Name) {
				return nil, fmt.Errorf("list %q: brand %.63q: want one label in lower case", l.ID, b.Name)
			}
			for _, d := range b.Domains {
				if a, err := toASCII(d); err != nil || a != d || !strings.Contains(d, ".") {
					return nil, fmt.Errorf("list %q: brand %q: %.80q is no domain in lower case A-label form", l.ID, b.Name, d)
				}
			}
		}
		lists[l.ID] = &brandList{version: l.Version, brands: l.Brands}
	}
	return lists, nil
}

// BrandList reports whether the set has a brand list, and its version.
func (s *Set) BrandList(list string) (version string, ok bool) {
	l := s.brands()[list]
	if l == nil {
		return "", false
	}
	return l.version, true
}

// skeletonIndex finds the brands of a list by their skeleton.
type skeletonIndex map[string][]int32

// indexBrands computes the skeletons of every list.
func (s *Set) indexBrands() map[string]skeletonIndex {
	indexes := map[string]skeletonIndex{}
	for id, l := range s.brands() {
		index := make(skeletonIndex, len(l.brands))
		for i, b := range l.brands {
			skeleton := string(s.appendSkeleton(nil, b.Name))
			index[skeleton] = append(index[skeleton], int32(i))
		}
		indexes[id] = index
	}
	return indexes
}

// FindBrands returns the brands of a list that labels of a name imitate: the
// label, or a token of it, has the skeleton of the brand (UTS 39) and is not
// the brand. The name is in U-label form, lower case, without "*."; where
// registrable, its registrable domain in A-label form, is the brand's own,
// nothing is found. The last label, the top-level domain, is not looked at.
//
// A token here is what stands between hyphens, with and without digits at its
// ends: digits inside may be the imitation ("paypa1").
func (s *Set) FindBrands(list, unicodeName, registrable string) []BrandHit {
	index, ok := s.skeletons()[list]
	if !ok {
		return nil
	}
	var hits []BrandHit
	last := strings.LastIndexByte(unicodeName, '.')
	for start := 0; start < last; {
		end := start + strings.IndexByte(unicodeName[start:], '.')
		if label := unicodeName[start:end]; !strings.HasPrefix(label, "xn--") {
			hits = s.inLabel(hits, list, index, label, registrable)
		}
		start = end + 1
	}
	return hits
}

func (s *Set) inLabel(hits []BrandHit, list string, index skeletonIndex, label, registrable string) []BrandHit {
	hits = s.imitates(hits, list, index, label, registrable)
	if !strings.ContainsAny(label, "-0123456789") {
		return hits
	}
	for token := range strings.SplitSeq(label, "-") {
		if token != label {
			hits = s.imitates(hits, list, index, token, registrable)
		}
		if trimmed := strings.Trim(token, "0123456789"); trimmed != token {
			hits = s.imitates(hits, list, index, trimmed, registrable)
		}
	}
	return hits
}

// imitates adds the brands that a label or token has the skeleton of.
func (s *Set) imitates(hits []BrandHit, list string, index skeletonIndex, text, registrable string) []BrandHit {
	var buffer [128]byte
	skeleton := s.appendSkeleton(buffer[:0], text)
	for _, i := range index[string(skeleton)] {
		b := &s.brands()[list].brands[i]
		if text == b.Name || slices.Contains(b.Domains, registrable) {
			continue
		}
		if slices.ContainsFunc(hits, func(h BrandHit) bool { return h.Brand == b.Name && h.Label == text }) {
			continue
		}
		hits = append(hits, BrandHit{
			Brand: b.Name, Domains: slices.Clone(b.Domains), Label: text, Skeleton: string(skeleton),
		})
	}
	return hits
}
