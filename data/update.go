package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Where the authorities publish.
const (
	PublicSuffixesURL = "https://publicsuffix.org/list/public_suffix_list.dat"
	RootZoneURL       = "https://data.iana.org/TLD/tlds-alpha-by-domain.txt"
	IPv4BlocksURL     = "https://www.iana.org/assignments/iana-ipv4-special-registry/iana-ipv4-special-registry-1.csv"
	IPv6BlocksURL     = "https://www.iana.org/assignments/iana-ipv6-special-registry/iana-ipv6-special-registry-1.csv"
	RootHintsURL      = "https://www.internic.net/domain/named.root"
	RootAnchorsURL    = "https://data.iana.org/root-anchors/root-anchors.xml"
	ConfusablesURL    = "https://www.unicode.org/Public/security/latest/confusables.txt"
)

// URLs returns where a snapshot is published, nil for the operator's own lists
// (words, brands). More than one are parts of one snapshot, in their order.
func URLs(name string) []string {
	switch name {
	case PublicSuffixes:
		return []string{PublicSuffixesURL}
	case RootZone:
		return []string{RootZoneURL}
	case AddressBlocks:
		return []string{IPv4BlocksURL, IPv6BlocksURL}
	case Confusables:
		return []string{ConfusablesURL}
	case RootHints:
		return []string{RootHintsURL}
	case RootAnchors:
		return []string{RootAnchorsURL}
	}
	return nil
}

// Updatable lists the snapshots that [Update] can fetch.
func Updatable() []string {
	var names []string
	for _, name := range Names() {
		if URLs(name) != nil {
			names = append(names, name)
		}
	}
	return names
}

// Update fetches snapshots from their authorities and imports each into a
// directory. fetch opens a URL and fails for any answer but 200. Without names
// everything that can be fetched is. A snapshot that fails leaves its old
// file; the others are updated, and the error joins all failures.
func Update(ctx context.Context, fetch func(ctx context.Context, url string) (io.ReadCloser, error), dir string, names []string, now time.Time) ([]Snapshot, error) {
	if len(names) == 0 {
		names = Updatable()
	}
	var updated []Snapshot
	var failures []error
	for _, name := range names {
		snapshot, err := update(ctx, fetch, dir, name, now)
		if err != nil {
			failures = append(failures, fmt.Errorf("update %s: %w", name, err))
			continue
		}
		updated = append(updated, snapshot)
	}
	return updated, errors.Join(failures...)
}

func update(ctx context.Context, fetch func(ctx context.Context, url string) (io.ReadCloser, error), dir, name string, now time.Time) (Snapshot, error) {
	urls := URLs(name)
	if urls == nil {
		return Snapshot{}, fmt.Errorf("has no public source; there are %s", strings.Join(Updatable(), ", "))
	}
	var text bytes.Buffer
	for _, url := range urls {
		body, err := fetch(ctx, url)
		if err != nil {
			return Snapshot{}, fmt.Errorf("%s: %w", url, err)
		}
		_, err = io.Copy(&text, io.LimitReader(body, maxBytes(name)+1))
		body.Close()
		if err != nil {
			return Snapshot{}, fmt.Errorf("%s: %w", url, err)
		}
		text.WriteByte('\n')
	}
	return importFrom(dir, name, strings.Join(urls, " "), &text, now)
}
