package web

import (
	"net/http"
	"slices"
	"strings"

	"assay/evidence"
	"assay/internal/page"
)

const (
	maxValue  = 2048 // bytes kept of one header line
	maxValues = 4    // lines kept of one name
	maxKept   = 16 << 10
)

// kept returns the headers that are part of the evidence: those that package
// page reads.
func kept(h http.Header) []evidence.Header {
	var list []evidence.Header
	for name, values := range h {
		if !page.Reads(name) {
			continue
		}
		for _, v := range values[:min(len(values), maxValues)] {
			if name == "Set-Cookie" {
				// The value may be a secret and changes each time; the name tells
				// which product set it.
				v, _, _ = strings.Cut(v, "=")
			}
			list = append(list, evidence.Header{Name: name, Value: strings.ToValidUTF8(v[:min(len(v), maxValue)], "\uFFFD")})
		}
	}
	slices.SortStableFunc(list, func(a, b evidence.Header) int { return strings.Compare(a.Name, b.Name) })
	size := 0
	for i, l := range list {
		if size += len(l.Name) + len(l.Value); size > maxKept {
			return list[:i]
		}
	}
	return list
}
