package main

import (
	"testing"

	"assay/order"
	"assay/profile"
)

// TestDefaultProfile: the rules that a check goes by of itself offer the method.
func TestDefaultProfile(t *testing.T) {
	t.Parallel()
	for _, m := range []order.Method{"", order.MethodDNS, order.MethodFile, order.MethodHTTP01, order.MethodDNS01, order.MethodTLSALPN01} {
		p, err := profile.Named(defaultProfile(m))
		if err != nil {
			t.Fatal(err)
		}
		offered := m == ""
		for i := range p.Methods {
			offered = offered || p.Methods[i].Name == m
		}
		if !offered {
			t.Errorf("%s does not offer %q", p.Name, m)
		}
	}
}
