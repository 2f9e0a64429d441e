package lookup

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"assay/csr"
	"assay/data"
	"assay/evidence"
	"assay/internal/strict"
	"assay/key"
)

// maxOrders is the most earlier orders in one answer, the newest: more than any
// quota counts.
const maxOrders = 10_000

// orderIndex finds earlier orders by what they share with a new one.
type orderIndex struct {
	orders                                 []evidence.PastOrder // newest first
	byCSR, byKey, byName, byDomain, byFree map[string][]int32
	data                                   *data.Set
}

// indexOrders returns nil where no orders are kept.
func indexOrders(orders []Order, set *data.Set) (*orderIndex, error) {
	if orders == nil {
		return nil, nil
	}
	x := &orderIndex{
		byCSR: map[string][]int32{}, byKey: map[string][]int32{}, byName: map[string][]int32{},
		byDomain: map[string][]int32{}, byFree: map[string][]int32{}, data: set,
	}
	for i := range orders {
		o := orders[i].PastOrder
		if csr := orders[i].CSR; csr != "" {
			der, keyprint, err := digestCSR(csr)
			if err != nil {
				return nil, fmt.Errorf("the CSR of earlier order %q: %w", strict.Quotable(o.Order), err)
			}
			o.CSRSHA256, o.Keyprint = der, keyprint
		}
		o.CSRSHA256, o.Keyprint = strings.ToLower(o.CSRSHA256), strings.ToLower(o.Keyprint)
		withoutKeys(&o)
		o.Names = lowered(o.Names)
		x.orders = append(x.orders, o)
	}
	slices.SortStableFunc(x.orders, func(a, b evidence.PastOrder) int { return newest(b).Compare(newest(a)) })
	for i := range x.orders {
		x.enter(int32(i), &x.orders[i])
	}
	return x, nil
}

// withoutKeys takes private keys out of a record: what it holds may be shown.
func withoutKeys(o *evidence.PastOrder) {
	for _, text := range []*string{&o.Order, &o.Account, &o.State, &o.Kind, &o.Product, &o.ReissuedBy} {
		*text = key.Redact(*text)
	}
	if slices.ContainsFunc(o.Names, key.InText) {
		o.Names = slices.Clone(o.Names)
		for i := range o.Names {
			o.Names[i] = key.Redact(o.Names[i])
		}
	}
}

func newest(o evidence.PastOrder) time.Time {
	if o.IssuedAt.After(o.SubmittedAt) {
		return o.IssuedAt
	}
	return o.SubmittedAt
}

func lowered(names []string) []string {
	c := slices.Clone(names)
	for i := range c {
		c[i] = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(c[i]), "."))
	}
	return c
}

func (x *orderIndex) enter(i int32, o *evidence.PastOrder) {
	add := func(m map[string][]int32, key string) {
		if list := m[key]; key != "" && (len(list) == 0 || list[len(list)-1] != i) {
			m[key] = append(list, i)
		}
	}
	add(x.byCSR, o.CSRSHA256)
	add(x.byKey, o.Keyprint)
	for _, n := range o.Names {
		add(x.byName, n)
		for _, d := range x.domains(n) {
			add(x.byDomain, d)
		}
	}
	if o.Free {
		add(x.byFree, o.Account)
	}
}

// domains are the registrable domains of a name: by the ICANN section of the
// public suffix list and by the whole of it. Different CAs count by different
// ones, so both are matched.
func (x *orderIndex) domains(name string) []string {
	base, _ := strings.CutPrefix(name, "*.")
	var found []string
	for _, icann := range []bool{true, false} {
		if d := x.data.Suffix(base, icann).Registrable; d != "" && !slices.Contains(found, d) {
			found = append(found, d)
		}
	}
	return found
}

// find returns the earlier orders with the same CSR, key or names, under the
// same registrable domain, and the free orders of the same account; newest
// first, without the order itself.
func (x *orderIndex) find(q evidence.LookupQuestion) []evidence.PastOrder {
	var at []int32
	at = append(at, x.byCSR[strings.ToLower(q.CSRSHA256)]...)
	at = append(at, x.byKey[strings.ToLower(q.Keyprint)]...)
	asked := map[string]bool{}
	for _, n := range q.Names {
		asked[n] = true
		at = append(at, x.byName[n]...)
		for _, d := range x.domains(n) {
			asked[d] = true
			at = append(at, x.byDomain[d]...)
		}
	}
	if q.Account != "" {
		at = append(at, x.byFree[q.Account]...)
	}
	slices.Sort(at)
	at = slices.Compact(at)
	var found []evidence.PastOrder
	for _, i := range at {
		o := x.orders[i]
		if q.Order != "" && o.Order == q.Order && mine(&o, &q) {
			continue
		}
		if found = append(found, x.shown(o, &q, asked)); len(found) == maxOrders {
			break
		}
	}
	return found
}

// mine reports whether an order belongs to the account that asks. Records that
// do not say whose they are belong to whoever brought them.
func mine(o *evidence.PastOrder, q *evidence.LookupQuestion) bool {
	return o.Account == "" || q.Account == "" || o.Account == q.Account
}

// shown is what the asking account may see of an order. Of another account's
// only that it exists, when, and which of the things asked it shares: no
// number, no values, no name or registrable domain but those asked about.
func (x *orderIndex) shown(o evidence.PastOrder, q *evidence.LookupQuestion, asked map[string]bool) evidence.PastOrder {
	o.Own = mine(&o, q)
	if o.Own {
		return o
	}
	other := evidence.PastOrder{
		SubmittedAt: o.SubmittedAt, IssuedAt: o.IssuedAt, State: o.State, Kind: o.Kind, Validated: o.Validated, Free: o.Free,
	}
	if strings.EqualFold(o.CSRSHA256, q.CSRSHA256) {
		other.CSRSHA256 = o.CSRSHA256
	}
	if strings.EqualFold(o.Keyprint, q.Keyprint) {
		other.Keyprint = o.Keyprint
	}
	whole := true // every name of it was asked about: it may be the same set
	for _, n := range o.Names {
		if asked[n] {
			other.Names = append(other.Names, n)
			continue
		}
		whole = false
		for _, d := range x.domains(n) {
			if asked[d] && !slices.Contains(other.Names, d) {
				other.Names = append(other.Names, d)
			}
		}
	}
	other.Partial = !whole
	return other
}

// digestCSR returns the SHA-256 of a request's DER and its key's keyprint. The
// error never quotes the text: it may be a private key.
func digestCSR(text string) (der, keyprint string, err error) {
	request, problem := csr.Read(text)
	if problem != nil {
		return "", "", problem
	}
	return request.SHA256, key.Print(request.Key), nil
}
