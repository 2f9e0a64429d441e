package main

import (
	"assay"
	"assay/data"
	"assay/order"
)

// dataSet is the snapshots to judge with.
func (a *app) dataSet() (*data.Set, error) { return data.Embedded(), nil }

// withRecords gives a reviewer the lists and earlier orders of the flags.
func (a *app) withRecords(f *checkFlags, r *assay.Reviewer) (*assay.Reviewer, error) {
	records, err := a.records(f, nil, r.Data)
	r.Records = records
	return r, err
}

// records answers lookups from the lists and earlier orders that were given.
func (a *app) records(f *checkFlags, earlier []order.Earlier, set *data.Set) (assay.Records, error) {
	if f.history != "" {
		if _, err := a.history(f.history); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
