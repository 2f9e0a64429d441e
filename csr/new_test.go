package csr

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"assay/key"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for _, kind := range key.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			k, err := key.New(kind, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			long := strings.Repeat("a", 60) + ".orchard.net"
			text, err := New([]string{long, "bücher.example.com", "www.orchard.net", "WWW.orchard.net", "9.9.9.9"}, Subject{Organization: "Orchard Ltd"}, k, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			r, p := Read(text)
			if p != nil || len(r.Repairs) > 0 || !r.Verify().OK {
				t.Fatal(p)
			}
			want := []string{long, "xn--bcher-kva.example.com", "www.orchard.net", "9.9.9.9"}
			if !slices.Equal(r.Names(), want) || !slices.Equal(r.CommonNames(), []string{"xn--bcher-kva.example.com"}) || r.Values("O")[0] != "Orchard Ltd" {
				t.Errorf("names %v, subject %v", r.Names(), r.Subject)
			}
			secret, err := k.PEM()
			if err != nil {
				t.Fatal(err)
			}
			if _, keyprint, found := Scrub(string(secret)); !found || keyprint != key.Print(r.Key) {
				t.Error("the key file is not the private key of the request")
			}
			public, err := k.Public()
			if err != nil {
				t.Fatal(err)
			}
			for _, shown := range []string{fmt.Sprint(k), fmt.Sprintf("%+v %#v %d %x", k, k, k, k)} {
				if !strings.Contains(shown, "private key of "+public.Describe()) || len(shown) > 200 {
					t.Errorf("the key prints as %q", shown)
				}
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := key.New("dsa1024", rand.Reader); err == nil || !strings.Contains(err.Error(), "p256") {
		t.Error(err)
	}
	k, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range [][]string{nil, {"two words.net"}, {"a..b.net"}} {
		if _, err := New(names, Subject{}, k, rand.Reader); err == nil {
			t.Errorf("%q was accepted", names)
		}
	}
}
