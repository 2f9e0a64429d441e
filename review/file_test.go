package review

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

const (
	labToken = "t0k3nt0k3nt0k3nt0k3n"
	labPrint = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
	labKey   = labToken + "." + labPrint
	acmeFile = acmeDirectory + labToken
)

// fileOrder is the order of the laboratory by a file method. Names below the
// registrable domain that are no www name have no partner.
func fileOrder(m order.Method, names ...string) *order.Order {
	if len(names) == 0 {
		names = []string{"shop.orchard.net"}
	}
	o := labOrder()
	o.Names, o.Method, o.Challenges = names, m, nil
	for _, n := range names {
		c := order.Challenge{Name: n, Method: m, Value: labValue}
		if m == order.MethodHTTP01 {
			c.Value = labKey
		}
		o.Challenges = append(o.Challenges, c)
	}
	return o
}

// shop is the healthy internet with the name of fileOrder and a web.
func shop(w *fakeWeb) *internet {
	n := healthy()
	n.orchard().add("shop A 45.155.10.21", "www A 45.155.10.21")
	n.web = w
	return n
}

func answering(a fakeAnswer) func(fakeRequest) fakeAnswer {
	return func(fakeRequest) fakeAnswer { return a }
}

// split answers over HTTP and HTTPS.
func byScheme(http, https fakeAnswer) *fakeWeb {
	return web(func(r fakeRequest) fakeAnswer {
		if r.https {
			return https
		}
		return http
	})
}

var (
	rightFile = fakeAnswer{status: 200, body: labValue}
	noFile    = fakeAnswer{status: 404, body: "no"}
	closedWeb = fakeAnswer{dial: refused}
)

// TestFileDecides: what each profile accepts and what it does not, by scheme,
// status, body and redirect (catalogue B4, B5, B15).
func TestFileDecides(t *testing.T) {
	t.Parallel()
	redirect := func(code int, to string, then fakeAnswer) *fakeWeb {
		return web(func(r fakeRequest) fakeAnswer {
			if !r.https && r.path == fakeFile {
				return fakeAnswer{status: code, location: to}
			}
			return then
		})
	}
	const both = "cloud baseline"
	for _, c := range []struct {
		name   string
		web    *fakeWeb
		passes string // profiles
	}{
		{"on both", byScheme(rightFile, rightFile), both},
		{"on HTTP, HTTPS closed", byScheme(rightFile, closedWeb), both},
		{"on HTTPS, HTTP closed", byScheme(closedWeb, rightFile), both},
		{"on HTTP, HTTPS silent", byScheme(rightFile, fakeAnswer{dial: "timeout"}), both},
		{"on HTTP, HTTPS 404", byScheme(rightFile, noFile), "baseline"},
		{"on HTTPS, HTTP 404", byScheme(noFile, rightFile), "baseline"},
		{"on HTTP, HTTPS without TLS", byScheme(rightFile, fakeAnswer{failure: evidence.ErrorPlainHTTP, phase: "tls"}), both},
		{"on HTTP, HTTPS stalls", byScheme(rightFile, fakeAnswer{failure: evidence.ErrorTimeout, phase: "header"}), "baseline"},
		{"on neither", byScheme(noFile, noFile), ""},
		{"closed", byScheme(closedWeb, closedWeb), ""},
		{"status 203", web(answering(fakeAnswer{status: 203, body: labValue})), "baseline"},
		{"status 404 with the file", web(answering(fakeAnswer{status: 404, body: labValue})), ""},
		{"status 304 with the file", web(answering(fakeAnswer{status: 304, body: labValue})), ""},
		{"line break at the end", web(answering(fakeAnswer{status: 200, body: labValue + "\r\n"})), both},
		{"blank in front", web(answering(fakeAnswer{status: 200, body: " " + labValue})), "baseline"},
		{"more text", web(answering(fakeAnswer{status: 200, body: "a " + labValue + " b"})), "baseline"},
		{"upper case", web(answering(fakeAnswer{status: 200, body: strings.ToUpper(labValue)})), ""},
		{"cut off", web(answering(fakeAnswer{status: 200, body: labValue[:len(labValue)-1]})), ""},
		{"empty", web(answering(fakeAnswer{status: 200})), ""},
		{"301 to HTTPS", redirect(301, "https://shop.orchard.net"+fakeFile, rightFile), both},
		{"307 to HTTPS", redirect(307, "https://shop.orchard.net"+fakeFile, rightFile), "baseline"},
		{"303 to HTTPS", redirect(303, "https://shop.orchard.net"+fakeFile, rightFile), "baseline"}, // HTTPS itself gives it
		{"302 to HTTPS without it", redirect(302, "https://shop.orchard.net"+fakeFile, noFile), ""},
		{"302 to another host of the domain", redirect(302, "http://www.orchard.net/x", rightFile), both},
		{"302 to another domain", redirect(302, "http://elsewhere.net/x", rightFile), "baseline"},
		{"302 to an address", redirect(302, "http://45.155.10.99/x", rightFile), "baseline"},
		{"302 to HTTP on port 443", redirect(302, "http://shop.orchard.net:443/x", rightFile), "baseline"},
		{"the value in the place that redirects", web(answering(fakeAnswer{status: 302, location: "ftp://x/", body: labValue})), ""},
	} {
		for _, p := range []string{"cloud", "baseline"} {
			n := shop(c.web)
			n.zones = append(n.zones, &fakeZone{name: "elsewhere.net", servers: []string{"ns.elsewhere.net"}, records: []string{"@ SOA a. b. 1 1 1 1 1", "@ A 45.155.10.30"}})
			n.web.count = nil
			tr := &trial{net: n, order: fileOrder(order.MethodFile), profile: p}
			r := tr.judge(t)
			passes := slices.Contains(strings.Fields(c.passes), p)
			stands := tr.facts.proofs()[0].standing() == proven
			blocks := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Stage == "file" && f.Level.Blocks() })
			if stands != passes || blocks == passes {
				t.Errorf("%s under %s: proven %v, blocked %v, want %v: %v", c.name, p, stands, blocks, passes, network(r))
			}
			textsComplete(t, r)
		}
	}
}

// TestFileHealthy: where all is well one round decides, and nothing is fetched
// that does not.
func TestFileHealthy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		profile, name, place, content string
		method                        order.Method
		fetches                       int
	}{
		{"cloud", "orchard.net", fakeFile, labValue, order.MethodFile, 4}, // and www
		{"cloud", "www.orchard.net", fakeFile, labValue, order.MethodFile, 4},
		{"cloud", "shop.orchard.net", fakeFile, labValue, order.MethodFileProxy, 2},
		{"baseline", "orchard.net", fakeFile, labValue, order.MethodFile, 2},
		{"letsencrypt", "orchard.net", acmeFile, labKey, order.MethodHTTP01, 1},
	} {
		for _, places := range [][]evidence.Perspective{{{ID: "P0"}}, {{ID: "P0"}, {ID: "P1", Region: "RIPE"}, {ID: "P2", Region: "ARIN"}}} {
			n := shop(giving(c.place, c.content))
			tr := &trial{net: n, order: fileOrder(c.method, c.name), profile: c.profile, places: places}
			r := tr.judge(t)
			fetches := 0
			for _, q := range n.asked {
				if q.HTTP != nil {
					fetches++
				}
			}
			if tr.rounds != 1 || fetches != c.fetches*len(places) || tr.facts.undecided() {
				t.Errorf("%s %s: %d rounds, %d fetches, undecided %v: %v", c.profile, c.name, tr.rounds, fetches, tr.facts.undecided(), network(r))
			}
			for _, row := range network(r) {
				if strings.Contains(row, " file.") {
					t.Errorf("%s %s: %s", c.profile, c.name, row)
				}
			}
		}
	}
}

// TestFileStrict: with the switch strict no redirect is allowed, and it is the
// redirect that is found.
func TestFileStrict(t *testing.T) {
	t.Parallel()
	w := web(func(r fakeRequest) fakeAnswer {
		if r.https {
			return rightFile
		}
		return fakeAnswer{status: 301, location: "https://shop.orchard.net" + fakeFile}
	})
	for switches, want := range map[string]string{`"strict"`: "wait file.redirected@shop.orchard.net", "": "warn file.redirected@shop.orchard.net"} {
		tr := &trial{net: shop(w), order: fileOrder(order.MethodFile), toml: "name = \"own\"\ninherits = \"cloud\"\nversion = \"1\"\nswitches = [" + switches + "]\n"}
		r := tr.judge(t)
		if got := network(r); !slices.Contains(got, want) || len(got) != 1 || (tr.facts.proofs()[0].standing() == proven) != (switches == "") {
			t.Errorf("switches %s: %v", switches, got)
		}
		textsComplete(t, r)
	}
}

// TestACMEFile: http-01 as Boulder decides it, at its one attempt; what it would refuse can
// still come right before it.
func TestACMEFile(t *testing.T) {
	t.Parallel()
	right := fakeAnswer{status: 200, body: labKey}
	const six, four = "2a10:4155:10::26", "45.155.10.21"
	by := func(answers map[string]fakeAnswer) *fakeWeb {
		return web(func(r fakeRequest) fakeAnswer {
			a, ok := answers[r.address]
			if https, is := answers[r.address+" https"]; is && r.https {
				a, ok = https, true
			}
			if !ok {
				return closedWeb
			}
			return a
		})
	}
	toHTTPS := fakeAnswer{status: 301, location: "https://shop.orchard.net" + acmeFile}
	for _, c := range []struct {
		name  string
		zone  string
		web   *fakeWeb
		pass  bool
		finds string
	}{
		{"the key authorization", "", giving(acmeFile, labKey), true, ""},
		{"with line breaks", "", giving(acmeFile, labKey+"\n\n"), true, ""},
		{"in more text", "", giving(acmeFile, "x"+labKey), false, "refuse file.content-altered"},
		{"128 bytes", "", giving(acmeFile, labKey+strings.Repeat(" ", 128-len(labKey))), false, "refuse file.content-altered"},
		{"127 bytes", "", giving(acmeFile, labKey+strings.Repeat(" ", 127-len(labKey))), true, ""},
		{"on HTTPS alone", "", byScheme(noFile, right), false, "refuse file.missing"},
		{"on HTTP, HTTPS answers something else", "", byScheme(right, noFile), true, ""},
		{"IPv6 closed", "shop AAAA " + six, by(map[string]fakeAnswer{four: right}), true, "warn file.ipv6-broken"},
		{"IPv6 404", "shop AAAA " + six, by(map[string]fakeAnswer{four: right, six: noFile}), false, "refuse file.ipv6-broken"},
		{"IPv4 404", "shop AAAA " + six, by(map[string]fakeAnswer{six: right, four: noFile}), true, "warn file.addresses-disagree"},
		{"IPv6 closed, and the redirect of IPv4 leads there again", "shop AAAA " + six, by(map[string]fakeAnswer{four: toHTTPS, four + " https": right}), false, "refuse file.ipv6-broken"},
		{"IPv6 closed on port 80 alone", "shop AAAA " + six, by(map[string]fakeAnswer{four: toHTTPS, four + " https": right, six: closedWeb, six + " https": right}), true, "info file.redirected"},
		{"the second address is dead", "shop A 45.155.10.22", by(map[string]fakeAnswer{four: right}), true, "warn file.address-dead"},
	} {
		n := shop(c.web)
		if c.zone != "" {
			n.orchard().add(c.zone)
		}
		before := (&trial{net: n, order: fileOrder(order.MethodHTTP01), profile: "letsencrypt"}).judge(t)
		if want := strings.Replace(c.finds, "refuse ", "wait ", 1); !hasRow(before, want) {
			t.Errorf("%s: %v before the attempt, want %s", c.name, network(before), want)
		}
		tr := &trial{net: n, order: fileOrder(order.MethodHTTP01), profile: "letsencrypt", mode: Attempt}
		r := tr.judge(t)
		if stands := tr.facts.proofs()[0].standing() == proven; stands != c.pass {
			t.Errorf("%s: proven %v: %v", c.name, stands, network(r))
		}
		if !hasRow(r, c.finds) {
			t.Errorf("%s: %v, want %s", c.name, network(r), c.finds)
		}
		textsComplete(t, r)
	}
}

// hasRow reports whether a report has a finding of this level and cause; "" is none.
func hasRow(r *Report, want string) bool {
	return want == "" || slices.ContainsFunc(network(r), func(row string) bool { return strings.HasPrefix(row, want+"@") })
}

// TestFilePlace: a file counts at the place that its method says, on the host
// itself, and never where the request holds the whole value.
func TestFilePlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method order.Method
		url    string
		value  string
		place  string
		rule   string
	}{
		{order.MethodFile, "", labValue, fakeFile, ""},
		{order.MethodFile, "http://shop.orchard.net/.well-known/pki-validation/a1.txt", labValue, fileDirectory + "a1.txt", ""},
		{order.MethodFile, "https://SHOP.orchard.net:443/.well-known/pki-validation/a1.txt", labValue, fileDirectory + "a1.txt", ""},
		{order.MethodFile, "http://orchard.net/.well-known/pki-validation/a1.txt", labValue, "", "url"},
		{order.MethodFile, "http://shop.orchard.net.evil.net/.well-known/pki-validation/a1.txt", labValue, "", "url"},
		{order.MethodFile, "http://shop.orchard.net:8080/.well-known/pki-validation/a1.txt", labValue, "", "url"},
		{order.MethodFile, "http://u@shop.orchard.net/.well-known/pki-validation/a1.txt", labValue, "", "url"},
		{order.MethodFile, "ftp://shop.orchard.net/.well-known/pki-validation/a1.txt", labValue, "", "url"},
		{order.MethodFile, "http://shop.orchard.net/uploads/a1.txt", labValue, "", "url"},
		{order.MethodFile, "http://shop.orchard.net/.well-known/pki-validation/../../uploads/a1.txt", labValue, "", "url"},
		{order.MethodFile, "http://shop.orchard.net/.well-known/pki-validation/%2e%2e/%2e%2e/uploads/a1.txt", labValue, "", "url"},
		{order.MethodFile, "http://shop.orchard.net/.well-known/pki-validation/a1.txt?x=1", labValue, "", "url"},
		{order.MethodFile, "http://shop.orchard.net/.well-known/pki-validation/", labValue, "", "url"},
		{order.MethodFile, "http://shop.orchard.net/.well-known/pki-validation/" + labValue + ".txt", labValue, "", "url-value"},
		{order.MethodFile, "http://shop.orchard.net/.well-known/pki-validation/" + strings.ToUpper(labValue), labValue, "", "url-value"},
		{order.MethodHTTP01, "", labKey, acmeFile, ""},
		{order.MethodHTTP01, "http://shop.orchard.net" + acmeFile, labKey, acmeFile, ""},
		{order.MethodHTTP01, "http://shop.orchard.net/.well-known/acme-challenge/other", labKey, "", "url"},
		{order.MethodHTTP01, "", "notdotted", "", "key-authorization"},
		{order.MethodHTTP01, "", "to/ken.print", "", "key-authorization"},
	} {
		place, rule := placeOf(&order.Challenge{URL: c.url, Value: c.value}, c.method, "shop.orchard.net")
		if place != c.place || rule != c.rule {
			t.Errorf("%s %q: %q, %q", c.method, c.url, place, rule)
		}
		if c.rule == "" {
			continue
		}
		o := fileOrder(c.method)
		o.Challenges[0].URL, o.Challenges[0].Value = c.url, c.value
		tr := &trial{net: shop(web(answering(fakeAnswer{status: 200, body: c.value}))), order: o, profile: "baseline"}
		r := tr.judge(t)
		if r.Verdict == VerdictPass {
			t.Errorf("%s: passes", c.url)
		}
		if got := finding(t, r, cause.RequestMethodNotAllowed).Parameters["rule"]; got != c.rule {
			t.Errorf("%s: %v", c.url, got)
		}
		textsComplete(t, r)
	}
}

// TestFileCovers: a file stands for its name alone.
func TestFileCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		names []string
		with  []string // names that have a value
		pass  bool
	}{
		{[]string{"shop.orchard.net"}, []string{"shop.orchard.net"}, true},
		{[]string{"shop.orchard.net", "a.shop.orchard.net"}, []string{"shop.orchard.net"}, false},
		{[]string{"a.shop.orchard.net"}, []string{"shop.orchard.net"}, false},
		{[]string{"*.shop.orchard.net"}, []string{"shop.orchard.net"}, false},
		{[]string{"shop.orchard.net", "*.shop.orchard.net"}, []string{"shop.orchard.net"}, false},
		{[]string{"shop.orchard.net"}, []string{"orchard.net"}, false},
		{[]string{"shop.orchard.net"}, nil, false},
	} {
		n := shop(giving(fakeFile, labValue))
		n.orchard().add("a.shop A 45.155.10.21")
		o := fileOrder(order.MethodFile, c.with...)
		o.Names, o.Challenges = c.names, o.Challenges[:len(c.with)]
		tr := &trial{net: n, order: o, profile: "baseline", mode: Attempt}
		r := tr.judge(t)
		if tr.facts.undecided() == c.pass || r.Verdict == VerdictPass && !c.pass {
			t.Errorf("%v with %v: %s, undecided %v", c.names, c.with, r.Verdict, tr.facts.undecided())
		}
	}
}

// TestNoFileNoProof: whatever servers answer, a visit is not proven where the
// file is nowhere in it, and the order never passes.
func TestNoFileNoProof(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom([]order.Method{order.MethodFile, order.MethodFileProxy, order.MethodHTTP01}).Draw(t, "method")
		name := rapid.SampledFrom(profile.Embedded()).Draw(t, "profile")
		bodies := []string{"", "hello", labValue[:len(labValue)-2], strings.ToUpper(labValue), "<html><title>x</title>", `{"a":1}`, labToken, labKey[:60], "\xff\xfe\x00", "?"}
		locations := []string{"", "https://shop.orchard.net" + fakeFile, "http://www.orchard.net/a", "/b", fakeFile, "http://10.0.0.1/", "ftp://x/", "http://shop.orchard.net:8080/", "https://shop.orchard.net" + acmeFile}
		n := shop(web(func(r fakeRequest) fakeAnswer {
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				return fakeAnswer{dial: rapid.SampledFrom([]string{"refused", "timeout", "unreachable", "reset", "guard", "failed"}).Draw(t, "dial")}
			case 1:
				return fakeAnswer{
					failure: rapid.SampledFrom([]string{evidence.ErrorTimeout, evidence.ErrorReset, evidence.ErrorIncomplete, evidence.ErrorNotHTTP, evidence.ErrorAlert, evidence.ErrorVersion}).Draw(t, "failure"),
					phase:   rapid.SampledFrom([]string{"tls", "header", "body"}).Draw(t, "phase"),
				}
			}
			a := fakeAnswer{
				status: rapid.SampledFrom([]int{200, 200, 200, 203, 204, 301, 302, 303, 304, 307, 400, 401, 403, 404, 410, 429, 451, 500, 522}).Draw(t, "status"),
				body:   rapid.SampledFrom(bodies).Draw(t, "body"),
			}
			if a.status/100 == 3 {
				a.location = rapid.SampledFrom(locations).Draw(t, "location")
			}
			if rapid.Bool().Draw(t, "cached") {
				a.header = []string{"X-Cache: HIT", "Age: 30", "Via: 1.1 cdn-e1"}
			}
			return a
		}))
		if rapid.Bool().Draw(t, "ipv6") {
			n.orchard().add("shop AAAA 2a10:4155:10::26")
		}
		tr := &trial{net: n, order: fileOrder(m), profile: name, places: []evidence.Perspective{{ID: "P0"}, {ID: "P1"}}}
		r := tr.judge(t)
		for _, p := range tr.facts.proofs() {
			if p.standing() == proven {
				t.Fatalf("proven without the file: %v", network(r))
			}
		}
		if r.Verdict == VerdictPass {
			t.Fatalf("passes: %v", network(r))
		}
	})
}

// TestFallBackNotSeen: where the redirect begins anew with IPv6, and nobody could
// look, the name is not known to fail, nor to pass.
func TestFallBackNotSeen(t *testing.T) {
	t.Parallel()
	const six = "2a10:4155:10::26"
	n := shop(web(func(r fakeRequest) fakeAnswer {
		switch {
		case r.address == six:
			return closedWeb
		case r.https:
			return fakeAnswer{status: 200, body: labKey}
		}
		return fakeAnswer{status: 301, location: "https://shop.orchard.net" + r.path}
	}))
	n.orchard().add("shop AAAA " + six)
	n.unknownWeb = func(q evidence.HTTPQuestion) string {
		if q.Address == six {
			return evidence.UnknownUnreachable
		}
		return ""
	}
	r := (&trial{net: n, order: fileOrder(order.MethodHTTP01), profile: "letsencrypt"}).judge(t)
	if r.Verdict != VerdictUnknown {
		t.Errorf("%s %v", r.Verdict, network(r))
	}
}
