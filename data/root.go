package data

import (
	"fmt"
	"strings"
)

// parseRootZone reads tlds-alpha-by-domain.txt: one label a line.
func parseRootZone(text string) (map[string]struct{}, error) {
	labels := make(map[string]struct{}, len(text)/7)
	number := 0
	for line := range strings.Lines(text) {
		number++
		label := strings.ToLower(strings.TrimSpace(line))
		if label == "" || label[0] == '#' {
			continue
		}
		if len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || label[0] == '-' {
			return nil, fmt.Errorf("line %d: %.80q is no top-level domain", number, label)
		}
		labels[label] = struct{}{}
	}
	return labels, nil
}

// IsTLD reports whether a label in lower case A-label form is a top-level
// domain of the root zone.
func (s *Set) IsTLD(label string) bool {
	_, ok := s.rootZone()[label]
	return ok
}
