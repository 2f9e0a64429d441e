package data

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestAnchors: both keys of the root can be used, and the digest of each is the
// one computed from its key by another implementation.
func TestAnchors(t *testing.T) {
	t.Parallel()
	anchors := Embedded().Anchors()
	var tags []int
	for _, a := range anchors {
		tags = append(tags, int(a.KeyTag))
		rr, err := dns.NewRR(". IN DNSKEY 257 3 8 " + a.Key)
		if err != nil {
			t.Fatal(err)
		}
		key := rr.(*dns.DNSKEY)
		if key.KeyTag() != a.KeyTag {
			t.Errorf("key tag %d, of the key %d", a.KeyTag, key.KeyTag())
		}
		ds, err := dns.NewRR(a.DS())
		if err != nil {
			t.Fatal(err)
		}
		if got := key.ToDS(dns.SHA256); !strings.EqualFold(got.Digest, ds.(*dns.DS).Digest) || a.DigestType != dns.SHA256 {
			t.Errorf("key tag %d: digest %s, of the key %s", a.KeyTag, a.Digest, got.Digest)
		}
	}
	if !slices.Equal(tags, []int{20326, 38696}) {
		t.Errorf("key tags %v", tags)
	}
}

func TestRootServers(t *testing.T) {
	t.Parallel()
	servers := Embedded().RootServers()
	if len(servers) != 13 {
		t.Fatalf("%d servers", len(servers))
	}
	for i, s := range servers {
		if want := fmt.Sprintf("%c.root-servers.net", 'a'+i); s.Name != want || len(s.Addresses) != 2 {
			t.Errorf("%s %v, want %s with two addresses", s.Name, s.Addresses, want)
		}
		for _, a := range s.Addresses {
			if block, reserved := Embedded().Reserved(a); reserved {
				t.Errorf("%s: %s is %s", s.Name, a, block.Name)
			}
		}
	}
	if a := servers[0].Addresses[0].String(); a != "198.41.0.4" {
		t.Errorf("a.root-servers.net is %s", a)
	}
}

// rootXML is the form of root-anchors.xml, with the digest of the key of 2010,
// which ended in 2019, and of today's.
const rootXML = `<?xml version="1.0" encoding="UTF-8"?>
<TrustAnchor id="A" source="http://data.iana.org/root-anchors/root-anchors.xml">
<Zone>.</Zone>
<KeyDigest id="Kjqmt7v" validFrom="2010-07-15T00:00:00+00:00" validUntil="2019-01-11T00:00:00+00:00">
<KeyTag>19036</KeyTag><Algorithm>8</Algorithm><DigestType>2</DigestType>
<Digest>49AAC11D7B6F6446702E54A1607371607A1A41855200FD2CE1CDDE32F24E8FB5</Digest>
</KeyDigest>
<KeyDigest id="Klajeyz" validFrom="2017-02-02T00:00:00+00:00">
<KeyTag>20326</KeyTag><Algorithm>8</Algorithm><DigestType>2</DigestType>
<Digest>E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D</Digest>
<PublicKey>KEY</PublicKey><Flags>257</Flags>
</KeyDigest>
</TrustAnchor>`

func TestParseAnchors(t *testing.T) {
	t.Parallel()
	one, two := Embedded().Anchors()[0], Embedded().Anchors()[1]
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	withKey := strings.Replace(rootXML, "KEY", one.Key, 1)
	key := func(a Anchor) string { return ". 172800 IN DNSKEY 257 3 8 " + a.Key + " ; a comment" }
	for _, c := range []struct {
		name, text string
		at         time.Time
		want       []uint16
		err        string
	}{
		{"xml of today", withKey, now, []uint16{20326}, ""},
		{"xml in 2018", withKey, now.AddDate(-8, 0, 0), []uint16{19036, 20326}, ""},
		{"xml whose key is another", strings.Replace(rootXML, "KEY", two.Key, 1), now, []uint16{20326, 38696}, ""},
		{"xml of another zone", strings.Replace(withKey, "<Zone>.<", "<Zone>net.<", 1), now, nil, `is for the zone "net."`},
		{"DS alone", one.DS(), now, []uint16{20326}, ""},
		{"key alone", key(two), now, []uint16{38696}, ""},
		{"key in parentheses", ". DNSKEY 257 3 8 (\n" + two.Key[:100] + "\n" + two.Key[100:] + " )\n", now, []uint16{38696}, ""},
		{"DS and key of one", one.DS() + "\n" + key(one), now, []uint16{20326}, ""},
		{"DS and key that disagree", strings.Replace(one.DS(), "E06D", "E06E", 1) + "\n" + key(one), now, nil, "line 2: the DS and the DNSKEY with key tag 20326 do not belong together"},
		{"another zone", "net. IN DS 1 8 2 " + one.Digest, now, nil, `line 1: DS of "net"`},
		{"a revoked key", strings.Replace(key(one), "257", "385", 1), now, nil, "the key is revoked"},
		{"a key that signs no keys", strings.Replace(key(one), "257", "256", 1), now, nil, "flags 256"},
		{"a digest cut short", ". IN DS 1 8 2 ABCD", now, nil, "line 1: digest type 2 with a digest of 2 bytes"},
		{"another type", ". IN A 192.0.2.1", now, nil, "want a DS or DNSKEY record"},
		{"nothing", "; nothing\n", now, nil, "holds no trust anchor"},
		{"open parenthesis", ". DNSKEY 257 3 8 (", now, nil, "line 1: a parenthesis is not closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			anchors, err := ParseAnchors(c.text, c.at)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var tags []uint16
			for _, a := range anchors {
				tags = append(tags, a.KeyTag)
			}
			if !slices.Equal(tags, c.want) {
				t.Errorf("key tags %v, want %v", tags, c.want)
			}
		})
	}
}

func TestParseRootHints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, err string }{
		{"one server", ". 3600000 IN NS a.lab.\na.lab. 3600000 IN A 45.155.10.1\n", ""},
		{"class before TTL", ". IN 3600000 NS A.LAB.\nA.LAB. AAAA 2a10::1 ; comment\n", ""},
		{"no address", ". NS a.lab.\n", "gives no address of a.lab"},
		{"no server", "a.lab. A 45.155.10.1\n", "names no server"},
		{"another zone", "net. NS a.lab.\n", `line 1: NS of "net"`},
		{"a stray address", ". NS a.lab.\na.lab. A 45.155.10.1\nb.lab. A 45.155.10.2\n", "line 3: the address of \"b.lab\""},
		{"wrong family", ". NS a.lab.\na.lab. A 2a10::1\n", "line 2: \"2a10::1\" is no address of type A"},
		{"a zone", "$ORIGIN .\n", "line 1: $ORIGIN is not supported"},
		{"relative name", ". NS a.lab.\na.lab A 45.155.10.1\n", "line 2: the name \"a.lab\" must end with a dot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			servers, err := ParseRootHints(c.text)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || len(servers) != 1 || servers[0].Name != "a.lab" || len(servers[0].Addresses) != 1 {
				t.Errorf("%v %v", servers, err)
			}
		})
	}
}

func FuzzRootFiles(f *testing.F) {
	f.Add(embeddedPart(RootHints).body)
	f.Add(embeddedPart(RootAnchors).body)
	f.Add(rootXML)
	f.Add(". NS ( a. )\na. A 1.1.1.1")
	at := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		for _, canonical := range []func(string, time.Time) (string, int, error){canonicalHints, canonicalAnchors} {
			body, n, err := canonical(text, at)
			if err != nil {
				continue
			}
			again, m, err := canonical(body, at)
			if err != nil || again != body || m != n {
				t.Errorf("canonical form is not stable: %v\n%s\n%s", err, body, again)
			}
		}
	})
}
