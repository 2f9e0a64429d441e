package main

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"assay/order"
)

// next is the command to suggest where a check would suggest otherwise.
func (f *checkFlags) next(otherwise string) string { return cmp.Or(f.help, otherwise) }

// assemble makes one order of the names, the flags and the order file. What is
// said twice must agree: no flag silently overrides the file.
func (a *app) assemble(f *checkFlags, names []string) (*order.File, error) {
	if f.csr == "-" && f.order == "-" {
		return nil, a.usage(f.next("assay check --help"), "error.stdin-twice")
	}
	o := &order.File{}
	if f.order != "" {
		var err error
		if o, err = a.orderFile(f.order); err != nil {
			return nil, err
		}
	}
	if err := a.words(f); err != nil {
		return nil, err
	}
	if err := a.merge(f, o, names); err != nil {
		return nil, err
	}
	if f.csr != "" {
		text := f.csr
		if f.csr == "-" || isPath(f.csr) {
			var err error
			if text, err = a.readCSR(f.csr, "assay csr new "+cmp.Or(strings.Join(quoteAll(o.Names), " "), "NAME")); err != nil {
				return nil, err
			}
		}
		if o.CSR != "" && strings.TrimSpace(o.CSR) != strings.TrimSpace(text) {
			return nil, a.usage(f.next("assay check --help"), "error.twice", "Flag", "--csr", "What", "csr", "Path", f.order)
		}
		o.CSR = text
	}
	if len(o.Names) == 0 && o.CSR == "" && o.Organization == nil {
		return nil, a.usage(f.next("assay check --offline shop.orchard.net"), "error.nothing-to-check")
	}
	return o, a.expect(f, o)
}

// orderFile reads an order file and the requests it names.
func (a *app) orderFile(path string) (*order.File, error) {
	raw, err := a.read(path, order.MaxFileBytes, "assay schema order")
	if err != nil {
		return nil, err
	}
	name, base := path, filepath.Dir(path)
	if path == "-" {
		name, base = a.text.Text("input.stdin"), "."
	}
	o, err := order.Parse(raw)
	if err != nil {
		return nil, a.badOrder(name, err)
	}
	return o, a.fillPaths(o, base)
}

// fillPaths reads the requests an order file names by path.
func (a *app) fillPaths(o *order.File, base string) error {
	if err := a.fillCSR(&o.CSR, base, "assay csr new NAME"); err != nil {
		return err
	}
	return a.fillHistory(o.History, base)
}

func (a *app) fillHistory(earlier []order.Earlier, base string) error {
	for i := range earlier {
		if err := a.fillCSR(&earlier[i].CSR, base, "assay schema order"); err != nil {
			return err
		}
	}
	return nil
}

// badOrder puts the file's name before each fault.
func (a *app) badOrder(name string, err error) error {
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = name + ": " + lines[i]
	}
	return &failure{code: exitData, what: strings.Join(lines, "\n"), next: "assay schema order"}
}

// words checks the flags that take one of a few words.
func (a *app) words(f *checkFlags) error {
	f.product = strings.ToLower(f.product)
	products := []string{string(order.DV), string(order.OV), string(order.EV)}
	if f.product != "" && !slices.Contains(products, f.product) {
		return a.usage(f.next("assay check --help"), "error.one-of", "Flag", "--product", "Value", f.product, "Allowed", strings.Join(products, ", "))
	}
	if f.method != "" && !slices.Contains(order.Methods(), order.Method(f.method)) {
		var methods []string
		for _, m := range order.Methods() {
			methods = append(methods, string(m))
		}
		return a.usage(f.next("assay check --help"), "error.one-of", "Flag", "--method", "Value", f.method, "Allowed", strings.Join(methods, ", "))
	}
	return nil
}

func (a *app) merge(f *checkFlags, o *order.File, names []string) error {
	if len(names) > 0 && len(o.Names) > 0 && !sameNames(names, o.Names) {
		return a.usage(f.next("assay check --offline --order "+quoteArgument(f.order)), "error.names-twice",
			"Path", f.order, "File", strings.Join(o.Names, ", "), "Arguments", strings.Join(names, ", "))
	}
	if len(o.Names) == 0 {
		o.Names = names
	}
	for _, v := range []struct {
		flag, given string
		field       *string
	}{
		{"--product", f.product, (*string)(&o.Product)},
		{"--method", f.method, (*string)(&o.Method)},
		{"--plan", f.plan, &o.Plan},
	} {
		if v.given == "" {
			continue
		}
		if *v.field != "" && *v.field != v.given {
			return a.usage(f.next("assay check --help"), "error.differs", "Flag", v.flag, "Given", v.given, "Path", f.order, "File", *v.field)
		}
		*v.field = v.given
	}
	return nil
}

func sameNames(a, b []string) bool {
	fold := func(names []string) []string {
		out := make([]string, len(names))
		for i, n := range names {
			out[i] = strings.ToLower(strings.TrimSuffix(n, "."))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(fold(a), fold(b))
}

// expect reads --expect: VALUE for every name of the order, or NAME=VALUE.
func (a *app) expect(f *checkFlags, o *order.File) error {
	for _, text := range f.expect {
		names, value := o.Names, text
		if name, rest, found := strings.Cut(text, "="); found {
			if i := slices.IndexFunc(o.Names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
				names, value = o.Names[i:i+1], rest
			} else if strings.Contains(name, ".") && rest != "" && strings.Trim(rest, "=") != "" {
				return a.usage(f.next("assay check --help"), "error.expect-name", "Name", name)
			}
		}
		if value == "" {
			return a.usage(f.next("assay check --help"), "error.expect-empty")
		}
		for _, n := range names {
			if have, ok := o.Expect[n]; ok && have.Value != value && have.Content != value {
				return a.usage(f.next("assay check --help"), "error.expect-twice", "Name", n)
			}
			if o.Expect == nil {
				o.Expect = map[string]order.Expectation{}
			}
			if _, ok := o.Expect[n]; !ok {
				o.Expect[n] = order.Expectation{Value: value}
			}
		}
	}
	return nil
}
