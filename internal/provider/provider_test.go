package provider

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for servers, want := range map[string]string{
		"ada.ns.cloudflare.com bob.ns.cloudflare.com": "Cloudflare",
		"ns-1.awsdns-56.org ns-2.awsdns-10.co.uk":     "Amazon Route 53",
		"dns9.hichina.com":                            "Alibaba Cloud DNS",
		"f1g1ns1.dnspod.net":                          "DNSPod (Tencent Cloud)",
		"ada.ns.cloudflare.com ns1.orchard.net":       "",
		"ada.ns.cloudflare.com f1g1ns1.dnspod.net":    "",
		"evilns.cloudflare.com.orchard.net":           "",
		"xns.cloudflare.com":                          "",
		"":                                            "",
	} {
		got := ""
		if p := Of(strings.Fields(servers)); p != nil {
			got = p.Name
		}
		if got != want {
			t.Errorf("%s: %q, want %q", servers, got, want)
		}
	}
}

// TestComplete: an entry without the labels of its form would make a step of a
// handling that says nothing.
func TestComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, p := range All() {
		if p.Name == "" || p.HostField == "" || p.ValueField == "" || !strings.HasPrefix(p.Console, "https://") || len(p.Suffixes) == 0 && p.Label == "" {
			t.Errorf("%+v lacks something", p)
		}
		for _, s := range p.Suffixes {
			if s != strings.ToLower(s) || strings.HasPrefix(s, ".") || seen[s] != "" {
				t.Errorf("%s: suffix %q", p.Name, s)
			}
			seen[s] = p.Name
		}
	}
}
