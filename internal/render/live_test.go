package render_test

import (
	"fmt"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/review"
)

const value = "20261125a7k2m9x4q8w3e5r6t1"

// seen is what one place saw of the validation record: each server's copy.
func seen(place, status string, copies ...evidence.DNSCopy) evidence.Observation {
	o := evidence.Observation{
		Question: evidence.Question{Kind: evidence.KindDNS, Perspective: place, DNS: &evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true}},
		DNS:      &evidence.DNSAnswer{Status: status, Links: []evidence.DNSLink{{Owner: "_dnsauth.orchard.net", Zone: "orchard.net", Copies: copies}}},
	}
	if len(copies) > 0 && status == "NOERROR" {
		o.DNS.Answer = copies[0].Answer
	}
	return o.Identify()
}

func copyOf(server, address, status string, records ...evidence.Record) evidence.DNSCopy {
	return evidence.DNSCopy{Server: server, Address: address, Status: status, Authoritative: true, Answer: records}
}

func txt(data string) evidence.Record {
	return evidence.Record{Owner: "_dnsauth.orchard.net", Type: "TXT", TTL: 600, Data: data}
}

func liveFinding(level cause.Level, id cause.ID, evidence string, p cause.Parameters) review.Finding {
	return review.Finding{
		ID: string(id) + "@orchard.net", Cause: id, Level: level, Stage: id.Stage(), Subject: "orchard.net", Who: cause.Lookup(id).Who,
		Parameters: p, Evidence: []string{evidence},
	}
}

// live is a report of the network: servers and places that differ, a cache that
// runs out, things that do not work here, a laboratory.
func live() *review.Report {
	at := time.Date(2026, 11, 25, 13, 53, 0, 0, time.UTC)
	deadline, retry := at.Add(65*time.Hour), at.Add(12*time.Minute)
	servers := seen("P0", "NOERROR",
		copyOf("ns1.orchard.net", "45.155.10.11", "NOERROR", txt(`"`+value+`"`), txt(`"v=spf1 -all"`)),
		copyOf("ns2.orchard.net", "45.155.10.12", "NXDOMAIN"),
		evidence.DNSCopy{Server: "ns3.orchard.net", Address: "45.155.10.13", Status: "timeout"},
		evidence.DNSCopy{Server: "ns3.orchard.net", Address: "2a10:4155:10::13", Status: "not-asked", Unknown: "no-ipv6"},
		copyOf("ns4.orchard.net", "45.155.10.14", "NOERROR", txt("\"\\\""+value+"\\\"\x1b[31m\"")),
	)
	serial := evidence.Observation{
		Question: evidence.Question{Kind: evidence.KindDNS, Perspective: "P0", DNS: &evidence.DNSQuestion{Name: "orchard.net", Type: "SOA", Each: true, Apex: true}},
		DNS: &evidence.DNSAnswer{Status: "NOERROR", Links: []evidence.DNSLink{{Zone: "orchard.net", Copies: []evidence.DNSCopy{
			copyOf("ns1.orchard.net", "45.155.10.11", "NOERROR", evidence.Record{Type: "SOA", Data: "ns1.orchard.net. h.orchard.net. 2026112507 7200 3600 1209600 300"}),
			copyOf("ns2.orchard.net", "45.155.10.12", "NOERROR", evidence.Record{Type: "SOA", Data: "ns1.orchard.net. h.orchard.net. 2026112506 7200 3600 1209600 300"}),
		}}}},
	}.Identify()
	r := &review.Report{
		Version: 1, Engine: "0.1.0",
		Order:   &order.Order{Product: order.DV, Method: order.MethodDNS, Names: []string{"orchard.net"}},
		Profile: review.ProfileRef{Name: "cloud", Version: "1"},
		Scope:   review.ScopeNetwork, Mode: review.Precheck, At: at, Deadline: &deadline, Verdict: review.VerdictWait,
		NotAsked: []review.NotAsked{{What: "csr", Why: "not-given"}, {What: "perspective", Why: "no-rule", Causes: make([]cause.ID, 5)}, {What: "file", Why: "no-rule"}},
		Perspectives: []evidence.Perspective{
			{ID: "P0", Region: "APNIC", Missing: []evidence.Missing{{What: "ipv6", Detail: "unreachable"}}},
			{ID: "P1", Region: "APNIC"},
			{ID: "P2", Region: "RIPE", Resolver: "https://dns.example.net/dns-query"},
		},
		MPIC: "lab (2 of 5)", Lab: true, Matrix: cells(),
		Timing:       map[string]float64{"round 1": 1204.2, "round 1 P0": 204.2, "round 2": 100},
		Observations: []evidence.Observation{servers, serial},
		Findings: []review.Finding{
			liveFinding(cause.Wait, "dns.servers-disagree", servers.ID, cause.Parameters{
				"zone": "orchard.net", "owner": "_dnsauth.orchard.net", "type": "TXT", "name": "orchard.net", "expected": value,
				"servers_with": []string{"ns1.orchard.net"}, "servers_without": []string{"ns2.orchard.net"}, "answers": []string{"listed"}, "serials": []string{"listed"},
			}),
			liveFinding(cause.Wait, "dns.stale-cache", "", cause.Parameters{
				"zone": "orchard.net", "owner": "_dnsauth.orchard.net", "type": "TXT", "resolver": "192.0.2.53", "seen": []string{"old"},
				"role": "deciding", "ttl_left": 12 * time.Minute, "retry": retry,
			}),
		},
	}
	r.Findings[0].Reproduce = []string{"dig @ns1.orchard.net _dnsauth.orchard.net TXT +norec"}
	r.Findings[1].RetryAt = &retry
	return r
}

// cells are what three places saw of two name servers and a web server with two
// addresses; P2 sees another address, and P1 nothing by HTTPS.
func cells() []review.Cell {
	var list []review.Cell
	add := func(check, scheme, server, address string, outcomes ...string) {
		for i, o := range outcomes {
			if o != "" {
				list = append(list, review.Cell{Perspective: fmt.Sprintf("P%d", i), Check: check, Subject: "orchard.net", Scheme: scheme, Server: server, Address: address, Outcome: o})
			}
		}
	}
	add("dns", "", "ns1.orchard.net", "45.155.10.11", "ok", "ok", "ok")
	add("dns", "", "ns2\x1b[31m.orchard.net", "45.155.10.12", "missing", "timeout", "differs")
	add("file", "http", "", "2a10:4155:10::21", "unknown", "ok", "")
	add("file", "http", "", "45.155.10.21", "ok", "ok", "")
	add("file", "http", "", "45.155.10.99", "", "", "404")
	add("file", "https", "", "", "", "unknown", "")
	add("file", "https", "", "45.155.10.21", "reset", "", "plain-http-on-443")
	add("caa", "", "", "", "ok", "ok", "ok")
	return list
}

// ready is a check without a value to look for, from places that do not see the same.
func ready() *review.Report {
	var all []evidence.Observation
	for _, p := range []string{"P0", "P1", "P2", "P3"} {
		status, records := "NOERROR", []evidence.Record{txt(`"` + value + `"`)}
		if p > "P1" {
			status, records = "NXDOMAIN", nil
		}
		all = append(all, seen(p, status, copyOf("ns1.orchard.net", "45.155.10.11", status, records...), copyOf("ns2.orchard.net", "45.155.10.12", status, records...)))
	}
	return &review.Report{
		Order:   &order.Order{Product: order.DV, Names: []string{"orchard.net"}},
		Profile: review.ProfileRef{Name: "cloud"}, Scope: review.ScopeNetwork, Verdict: review.VerdictPass,
		At:           time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC),
		Perspectives: []evidence.Perspective{{ID: "P0"}},
		Timing:       map[string]float64{"round 1": 42},
		Observations: all,
		Readiness: []review.Readiness{
			{Method: "dns", Verdict: "pass"}, {Method: "dns-cname", Verdict: "pass"}, {Method: "file", Verdict: "unknown"}, {Method: "dns-auto", Verdict: "wait"},
		},
		Findings: []review.Finding{liveFinding(cause.Warn, "dns.differs-by-region", all[2].ID, cause.Parameters{
			"zone": "orchard.net", "owner": "_dnsauth.orchard.net", "type": "TXT", "expected": value, "passing": []string{"P0", "P1"},
			"perspectives": []string{"P2", "P3"}, "by": "address", "answers": []string{"listed"},
		})},
	}
}
