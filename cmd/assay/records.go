package main

import (
	"path/filepath"
	"strings"

	"assay"
	"assay/data"
	"assay/evidence"
	"assay/internal/strict"
	"assay/lookup"
	"assay/order"
)

// withRecords gives a reviewer the lists and records of the flags.
func (a *app) withRecords(f *checkFlags, r *assay.Reviewer) (*lookup.Source, error) {
	config, err := a.lists(f.lists)
	if err != nil {
		return nil, err
	}
	config.Data, config.Clock = r.Data, a.clock(f, r.Data)
	if f.history != "" {
		if config.Records, err = a.history(f.history); err != nil {
			return nil, err
		}
	}
	source, err := lookup.Open(config)
	if err != nil {
		return nil, a.badOrder(f.history, err)
	}
	r.Records = source
	return source, nil
}

// lists reads --lists: which lists of keys, names and parties to search.
func (a *app) lists(path string) (lookup.Config, error) {
	if path == "" {
		return lookup.Config{}, nil
	}
	config, err := lookup.ReadConfig(path)
	if err != nil {
		what := a.text.Text("error.lists", "What", strings.TrimPrefix(err.Error(), "lists: "))
		return config, &failure{code: exitUsage, what: what, next: "assay check --help"}
	}
	return config, nil
}

// history reads --history: earlier orders as an order file lists them, alone or
// under "history", or records of every kind (package lookup).
func (a *app) history(path string) (*lookup.Records, error) {
	raw, err := a.read(path, lookup.MaxRecordsBytes, "assay check --help")
	if err != nil {
		return nil, err
	}
	var file struct {
		lookup.Records
		History []order.Earlier `json:"history"`
	}
	text := strings.TrimSpace(string(raw))
	if strings.HasPrefix(text, "[") || strings.HasPrefix(text, "-") {
		err = strict.Decode(raw, &file.History)
	} else {
		err = strict.Decode(raw, &file)
	}
	if err != nil {
		return nil, a.badOrder(path, err)
	}
	base := filepath.Dir(path)
	if err := a.fillHistory(file.History, base); err != nil {
		return nil, err
	}
	err = file.Records.ReadCSRs(func(csr string) (string, error) {
		err := a.fillCSR(&csr, base, "assay check --help")
		return csr, err
	})
	if err != nil {
		return nil, err
	}
	if orders := lookup.FromHistory(file.History); len(orders) > 0 || file.History != nil {
		file.Records.Orders = append(file.Records.Orders, orders...)
	}
	return &file.Records, nil
}

// knowing returns a reviewer that also knows the earlier orders an order file
// lists.
func (a *app) knowing(r *assay.Reviewer, source *lookup.Source, earlier []order.Earlier, path string) (*assay.Reviewer, error) {
	if len(earlier) == 0 {
		return r, nil
	}
	more, err := source.WithOrders(lookup.FromHistory(earlier))
	if err != nil {
		return nil, a.badOrder(path, err)
	}
	own := *r
	own.Records = more
	return &own, nil
}

// clock is a finding about this machine's clock where it cannot be right: it is
// before the day on which an authority published data that is built in. Words
// and brands are not an authority's.
func (a *app) clock(f *checkFlags, set *data.Set) *evidence.Input {
	if f.at != "" {
		return nil
	}
	now := a.now()
	for _, s := range set.Snapshots() {
		if !s.Imported && s.Name != data.Words && s.Name != data.Brands && s.Date.After(now) {
			return &evidence.Input{Name: "clock", Configured: true, Error: a.text.Text("clock.behind",
				"Now", now.UTC().Format("2006-01-02"), "Name", s.Name, "Date", s.Date.Format("2006-01-02"))}
		}
	}
	return nil
}
