package upstream

import (
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

// TestValidate: everything that is wrong, each by its name.
func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{name: "good", change: func(*Config) {}},
		{name: "everything", change: func(c *Config) {
			*c = Config{
				ID: "Let's Encrypt", Directory: "http://ca.orchard.net/dir", Contact: []string{"x"}, EAB: &EAB{}, Profiles: map[string]string{"free": ""},
				Timeout: -1, Wait: time.Hour,
			}
		}, want: []string{"id: ", "directory: ", "key: ", "contact: ", "eab: ", "profiles: ", "timeout: ", "wait: ", "dialer: "}},
		{name: "no directory", change: func(c *Config) { c.Directory = "" }, want: []string{"directory: needed"}},
		{name: "two addresses in one", change: func(c *Config) { c.Contact = []string{"a@orchard.net,b@orchard.net"} }, want: []string{"contact: "}},
		{name: "a header", change: func(c *Config) { c.Contact = []string{"mailto:a@orchard.net?subject=x"} }, want: []string{"contact: "}},
		{name: "no HMAC", change: func(c *Config) { c.EAB = &EAB{KeyID: "x"} }, want: []string{"eab: "}},
		{name: "a small key", change: func(c *Config) { c.Key = smallKey }, want: []string{"key: the account key has 1024 bits"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{ID: "letsencrypt", Directory: base + "/dir", Key: newKey(), Contact: []string{"mailto:a@orchard.net"}, transport: newFake(t)}
			c.change(&cfg)
			if len(c.want) > 0 {
				cfg.transport = nil
			}
			_, err := New(cfg)
			if (err == nil) != (len(c.want) == 0) {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %s", err, want)
				}
			}
		})
	}
}

var smallKey = func() *rsa.PrivateKey {
	// A modulus is all that is looked at.
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}}
}()

// TestParse: what an operator pastes.
func TestParse(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"MDEyMzQ1Njc4OWFiY2RlZg": true, "MDEyMzQ1Njc4OWFiY2RlZg==": true, " MDEyMzQ1Njc4OWFiY2RlZg==\n": true, "+/+/+/+/+/+/+/+/+/+/+/+/": true, "-_-_-_-_-_-_-_-_-_-_-_-_": true,
		"": false, "short": false, "not base64 at all!!!!!!!": false,
	} {
		if _, err := ParseHMAC(text); (err == nil) != ok || err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: testHierarchy().root.Raw}))
	for text, want := range map[string]string{
		"# the root\n" + root + root: "", "": "holds no certificate", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n": "block 1 is a \"PRIVATE KEY\"",
		root + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n": "block 2: ", strings.Repeat("x", MaxRoots+1): "larger than",
	} {
		if _, err := ParseRoots([]byte(text)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// FuzzChain: any bytes give bounded certificates or an error.
func FuzzChain(f *testing.F) {
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: testHierarchy().root.Raw}))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := readChain(text)
		if err == nil && (len(list) == 0 || len(list) > maxChain) {
			t.Fatalf("%d certificates", len(list))
		}
	})
}

// FuzzState: what is read back is what was written.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"v":1,"directory":"https://ca.orchard.net/dir","account":"https://ca.orchard.net/acct/1","order":"https://ca.orchard.net/o/1"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := readState(raw)
		if err != nil {
			return
		}
		out, err := s.json()
		if err != nil {
			return
		}
		if again, err := readState(out); err != nil || *again != *s {
			t.Fatalf("%s: %+v %v", out, again, err)
		}
	})
}

// FuzzRetry: Retry-After never leads into the past by overflow, nor too far ahead.
func FuzzRetry(f *testing.F) {
	f.Add("120")
	f.Add("Sat, 01 Jan 2000 00:00:09 GMT")
	f.Add("18446744073709551615")
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		at := retryTime(header, now)
		if at.After(now.Add(maxRetry)) {
			t.Fatal(at)
		}
		var seconds uint32
		if _, err := fmt.Sscanf(header, "%d", &seconds); err == nil && fmt.Sprint(seconds) == header && at.Before(now) {
			t.Fatal(at)
		}
	})
}
