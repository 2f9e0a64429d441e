package page

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/simplifiedchinese"

	"assay/evidence"
)

// hop makes a response of a status, header lines and a body.
func hop(status int, headers, body string) *evidence.Hop {
	h := &evidence.Hop{URL: "http://orchard.net/.well-known/pki-validation/fileauth.txt", Status: status}
	for line := range strings.SplitSeq(headers, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Header = append(h.Header, evidence.Header{Name: name, Value: value})
		}
	}
	head := body
	if len(head) > 4096 {
		head = head[:1024]
	}
	h.Body = &evidence.Body{Bytes: len(body), Head: []byte(head)}
	return h
}

func utf16le(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func gbk(s string) string {
	out, err := simplifiedchinese.GBK.NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return out
}

const typeHTML = "Content-Type: text/html; charset=utf-8"

// TestRead: what answers look like in the wild, cut to what tells them apart.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		hop      *evidence.Hop
		kind     Kind
		product  string
		title    string
		encoding string
		redirect string
		target   string
	}{
		{name: "the file", hop: hop(200, "Content-Type: text/plain", "202611230800abc"), kind: Text},
		{name: "the file served as HTML", hop: hop(200, typeHTML, "202611230800abc"), kind: Text},
		{name: "nothing", hop: hop(200, "", ""), kind: Empty},
		{name: "no body", hop: &evidence.Hop{Status: 204}, kind: Empty},
		{name: "with BOM", hop: hop(200, "", "\xef\xbb\xbf202611"), kind: Text, encoding: "bom"},
		{name: "UTF-16 of Windows Notepad", hop: hop(200, "", "\xff\xfe"+utf16le("202611")), kind: Text, encoding: "utf-16le"},
		{name: "UTF-16 without mark", hop: hop(200, "", utf16le("202611")), kind: Text, encoding: "utf-16le"},
		{name: "UTF-16, big-endian", hop: hop(200, "", "\xfe\xff\x002\x000"), kind: Text, encoding: "utf-16be"},
		{name: "a picture", hop: hop(200, "Content-Type: image/png", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe\xfd\xfc"), kind: Binary},
		{name: "compressed unasked", hop: hop(200, "Content-Encoding: gzip", "\x1f\x8b\x08\x00"), kind: Binary},
		{name: "JSON", hop: hop(404, "Content-Type: application/json", `{"code":404,"message":"no route"}`), kind: JSON},
		{name: "JSON without type", hop: hop(200, "", `[1, 2]`), kind: JSON},
		{name: "text in braces", hop: hop(200, "", `{not json`), kind: Text},
		{name: "object storage", hop: hop(404, "Content-Type: application/xml\nServer: AliyunOSS", `<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code></Error>`), kind: XML},
		{name: "nginx 404", hop: hop(404, "Server: nginx/1.26.2\n"+typeHTML, "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx/1.26.2</center>\r\n</body>\r\n</html>\r\n"), kind: HTML, title: "404 Not Found"},
		{name: "a page that begins with a comment", hop: hop(200, "", "<!-- cached -->\n<!DOCTYPE html><html><title>Orchard\n &amp; Co</title>"), kind: HTML, title: "Orchard & Co"},
		{name: "WordPress", hop: hop(404, typeHTML, `<!DOCTYPE html><html><head><title>Page not found – Orchard</title><link href='https://orchard.net/wp-content/themes/x/style.css'>`), kind: HTML, product: "WordPress", title: "Page not found – Orchard"},
		{name: "application shell", hop: hop(200, typeHTML, `<!doctype html><html><head><title>Orchard</title></head><body><div id="__next"></div><script src="/_next/static/chunks/main.js">`), kind: HTML, product: "Next.js", title: "Orchard"},
		{name: "login form", hop: hop(200, typeHTML, `<html><title>Sign in</title><form method=post><input name=user><input type="password" name=pw></form>`), kind: Login, title: "Sign in"},
		{name: "Cloudflare challenge", hop: hop(403, "Server: cloudflare\nCf-Mitigated: challenge\nCf-Ray: 8c1f00a1bc2d3e4f-LAX\n"+typeHTML, `<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title><meta http-equiv="refresh" content="360"></head><body><script>window._cf_chl_opt={cvId:'3'}</script>`), kind: Challenge, product: "Cloudflare", title: "Just a moment..."},
		{name: "Cloudflare block", hop: hop(403, "Server: cloudflare\nCf-Ray: 8c1f00a1bc2d3e4f-LAX\n"+typeHTML, `<html><head><title>Attention Required! | Cloudflare</title></head><body><h1>Sorry, you have been blocked</h1>`), kind: Firewall, product: "Cloudflare", title: "Attention Required! | Cloudflare"},
		{name: "nginx testcookie", hop: hop(200, typeHTML, `<html><body><script type="text/javascript" src="/aes.js" ></script><script>function toNumbers(d){var e=[];d.replace(/(..)/g,function(d){e.push(parseInt(d,16))});return e}`), kind: Cookie, product: "nginx testcookie"},
		{name: "Jiasule", hop: hop(521, "Set-Cookie: __jsluid_h\n"+typeHTML, `<script>document.cookie=('_')+('_')+('j')+'sl_clearance=1'+';path=/';location.href=location.pathname+location.search</script>`), kind: Cookie, product: "Knownsec Jiasule"},
		{name: "Alibaba Cloud cookie script", hop: hop(200, typeHTML, `<html><script>var arg1='B6E7F3C2';var _0x4818=['csKHwqMI']</script>`), kind: Cookie, product: "Alibaba Cloud WAF"},
		{name: "Palo Alto", hop: hop(503, typeHTML, `<html><head><title>Application Blocked</title></head><body><p><b>Application:</b> acme-protocol</p></body></html>`), kind: Firewall, product: "Palo Alto Networks", title: "Application Blocked"},
		{name: "ModSecurity", hop: hop(406, typeHTML, `<head><title>Not Acceptable!</title></head><body><h1>Not Acceptable!</h1><p>An appropriate representation of the requested resource could not be found on this server. This error was generated by Mod_Security.</p></body></html>`), kind: Firewall, product: "ModSecurity", title: "Not Acceptable!"},
		{name: "Imperva", hop: hop(200, "X-Iinfo: 9-123-0 0NNN\n"+typeHTML, `<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX"></head><body><iframe src="/_Incapsula_Resource?CWUDNSAI=9" >Request unsuccessful. Incapsula incident ID: 1</iframe>`), kind: Firewall, product: "Imperva"},
		{name: "BIG-IP", hop: hop(200, typeHTML, `<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your administrator.<br><br>Your support ID is: 17</body></html>`), kind: Firewall, product: "F5 BIG-IP", title: "Request Rejected"},
		{name: "Alibaba Cloud filing page", hop: hop(403, "Server: Beaver\n"+typeHTML, `<html><head><meta http-equiv="Content-Type" content="textml;charset=UTF-8" /><style>body{background-color:#FFFFFF}</style><title>TestPage184</title><script language="javascript" type="text/javascript">window.onload = function () { document.getElementById("mainFrame").src= "http://batit.aliyun.com/alww.html"; }</script></head><body><iframe id="mainFrame"></iframe></body></html>`), kind: Filing, product: "Alibaba Cloud", title: "TestPage184"},
		{name: "Tencent Cloud filing redirect", hop: hop(302, "Location: https://dnspod.qcloud.com/static/webblock.html?d=orchard.net", ""), kind: Filing, product: "Tencent Cloud"},
		{name: "a filing page in GBK", hop: hop(200, "Content-Type: text/html; charset=gb2312", gbk("<html><title>提示</title><body>您访问的网站未备案，暂时无法访问</body></html>")), kind: Filing, title: "提示", encoding: "gb18030"},
		{name: "a filed site's own page", hop: hop(404, typeHTML, `<html><title>果园</title><footer>京ICP备12345678号-1</footer></html>`), kind: HTML, title: "果园"},
		{name: "GoDaddy parking", hop: hop(200, typeHTML, `<!DOCTYPE html><html><head><script>window.onload=function(){window.location.href="/lander"}</script></head></html>`), kind: Parking, product: "GoDaddy", redirect: "script", target: "/lander"},
		{name: "a domain for sale", hop: hop(200, typeHTML, `<html><title>orchard.net</title><h1>This domain is for sale!</h1>`), kind: Parking, title: "orchard.net"},
		{name: "registrar", hop: hop(200, typeHTML, `<html><title>orchard.net</title><p>This domain name has been registered with Gandi.net</p>`), kind: Registrar, product: "Gandi", title: "orchard.net"},
		{name: "router", hop: hop(401, "Server: micro_httpd\nWww-Authenticate: Basic realm=\"DSL Router\"\n"+typeHTML, `<HTML><HEAD><TITLE>401 Unauthorized</TITLE></HEAD>`), kind: Router, title: "401 Unauthorized"},
		{name: "FRITZ!Box", hop: hop(200, typeHTML, `<html><head><title>FRITZ!Box</title></head><body><input type="password">`), kind: Router, product: "AVM FRITZ!Box", title: "FRITZ!Box"},
		{name: "nginx default page", hop: hop(200, "Server: nginx\n"+typeHTML, `<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head>`), kind: DefaultPage, product: "nginx", title: "Welcome to nginx!"},
		{name: "Apache default page", hop: hop(200, typeHTML, `<html><body><h1>It works!</h1></body></html>`), kind: DefaultPage, product: "Apache"},
		{name: "meta refresh", hop: hop(200, typeHTML, `<html><head><meta http-equiv="refresh" content="0; url=https://www.orchard.net/.well-known/x"></head></html>`), kind: HTML, redirect: "meta-refresh", target: "https://www.orchard.net/.well-known/x"},
		{name: "Refresh header", hop: hop(200, "Refresh: 0;url=/there", "wait"), kind: Text, redirect: "header", target: "/there"},
		{name: "a page that reloads itself", hop: hop(200, typeHTML, `<html><meta http-equiv=refresh content=30><title>status</title>`), kind: HTML, title: "status"},
		{name: "script redirect", hop: hop(200, typeHTML, `<script>location.replace("https://www.orchard.net/")</script>`), kind: HTML, redirect: "script", target: "https://www.orchard.net/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := Read(c.hop)
			want := Page{Kind: c.kind, Product: c.product, Title: c.title, Encoding: c.encoding, Coding: p.Coding, Redirect: c.redirect, Target: c.target}
			if p != want {
				t.Errorf("got  %+v\nwant %+v", p, want)
			}
		})
	}
}

// TestEdge: whose cache it is, where, and whether it answered.
func TestEdge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		headers    string
		cdn, id    string
		cache      string
		age        time.Duration
		none, late bool
	}{
		{headers: "Server: nginx", none: true, age: -1},
		{headers: "Server: cloudflare\nCf-Ray: 8c1f00a1bc2d3e4f-LAX\nCf-Cache-Status: DYNAMIC", cdn: "Cloudflare", id: "LAX", cache: "miss", age: -1},
		{headers: "Cf-Ray: 8c1f00a1bc2d3e4f-FRA\nCf-Cache-Status: HIT\nAge: 300", cdn: "Cloudflare", id: "FRA", cache: "hit", age: 300 * time.Second, late: true},
		{headers: "X-Cache: Error from cloudfront\nVia: 1.1 abc.cloudfront.net (CloudFront)\nX-Amz-Cf-Pop: FRA56-P8", cdn: "Amazon CloudFront", id: "FRA56-P8", age: -1},
		{headers: "X-Cache: Hit from cloudfront\nX-Amz-Cf-Pop: LHR61-C1\nAge: 12", cdn: "Amazon CloudFront", id: "LHR61-C1", cache: "hit", age: 12 * time.Second, late: true},
		{headers: "Via: cache14.l2hk1[0,304-0,H], cache19.l2hk1[0,0], cache5.de1[0,200-0,H], cache6.de1[0,0]\nAge: 3262\nX-Cache: HIT TCP_MEM_HIT dirn:5:155697652\nEagleid: c31b1fce15", cdn: "Alibaba Cloud CDN", id: "cache6.de1", cache: "hit", age: 3262 * time.Second, late: true},
		{headers: "X-Nws-Log-Uuid: 98801002280863795\nX-Cache-Lookup: Cache Miss", cdn: "Tencent Cloud CDN", cache: "miss", age: -1},
		{headers: "X-Cache-Lookup: Cache Miss, Hit From Upstream Cluster, Cache Miss", cdn: "Tencent Cloud CDN", cache: "hit", age: -1, late: true},
		{headers: "Via: CHN-SH-GLOBAL1-CACHE28[24],CHN-SH-GLOBAL1-CACHE21[0,TCP_HIT,22]\nX-Hcs-Proxy-Type: 1\nAge: 287667", cdn: "Huawei Cloud CDN", id: "CHN-SH-GLOBAL1-CACHE28", age: 287667 * time.Second, late: true},
		{headers: "Ohc-Cache-Hit: ts7un82 [1], qdix116 [0]\nX-Cache-Status: MISS", cdn: "Baidu AI Cloud CDN", id: "ts7un82", cache: "miss", age: -1},
		{headers: "X-Served-By: cache-lhr7324-LHR, cache-fra1-FRA\nX-Cache: MISS, HIT\nAge: 0", cdn: "Fastly", id: "FRA", cache: "hit", age: 0, late: true},
		{headers: "Server: AkamaiGHost\nX-Cache: TCP_MISS from a23-45-67-8.deploy.akamaitechnologies.com (AkamaiGHost/22.1)", cdn: "Akamai", id: "a23-45-67-8", cache: "miss", age: -1},
		{headers: "Server: BunnyCDN-DE1-1075\nCdn-Cache: HIT", cdn: "Bunny", id: "DE1-1075", cache: "hit", age: -1, late: true},
		{headers: "Via: 1.1 google\nAge: 5", cdn: "Google Cloud CDN", age: 5 * time.Second, late: true},
		{headers: "Via: cdn\nX-Cache: MISS", id: "cdn", cache: "miss", age: -1},
		{headers: "Via: cdn\nX-Cache: HIT\nAge: 300", id: "cdn", cache: "hit", age: 300 * time.Second, late: true},
		{headers: "Age: 17", age: 17 * time.Second, late: true},
		{headers: "Age: never\nX-Cache-Status: EXPIRED", cache: "miss", age: -1},
	} {
		e, ok := ReadEdge(hop(404, c.headers, "x"))
		if ok == c.none || e.CDN != c.cdn || e.ID != c.id || e.Cache != c.cache || e.Age != c.age || e.Stale() != c.late {
			t.Errorf("%q: %+v, %v", c.headers, e, ok)
		}
	}
}

// TestGist: pages that differ only in what changes from view to view are one,
// others are not.
func TestGist(t *testing.T) {
	t.Parallel()
	const a, b = "http://orchard.net/.well-known/pki-validation/fileauth.txt", "http://www.orchard.net/.well-known/pki-validation/r4nd.txt"
	for _, c := range []struct {
		name, one, other string
		same             bool
	}{
		{"a nonce", `<form><input value="9f8e7d6c5b">Hello</form>`, `<form><input value="0a1b2c3d4e">Hello</form>`, true},
		{"a long token without digits", "x abcdefghijklmnopqrstuvwxyz y", "x zyxwvutsrqponmlkjihgfedcba y", true},
		{"the path is repeated", "no fileauth.txt at orchard.net.", "no r4nd.txt at www.orchard.net.", true},
		{"a random value was sent back", "no fileauth.txt", "no ?", true},
		{"a date", "served 2026-11-25 at 08:00", "served 2027-01-02 at 09:30", true},
		{"other words", "no such file", "such a file", false},
		{"other markup", "<b>x</b>", "<i>x</i>", false},
		{"other script", "没有找到", "找到了", false},
	} {
		if got := Gist([]byte(c.one), a) == Gist([]byte(c.other), b); got != c.same {
			t.Errorf("%s: same is %v", c.name, got)
		}
	}
	if g := Gist([]byte("20261125a7k2m9x4q8"), a); g != "" {
		t.Errorf("a validation value has the gist %q", g)
	}
	if Gist(nil, a) != "" || Gist([]byte("hello"), a) == "" {
		t.Error("the gist of nothing, or of something")
	}
}

// TestParse: a broken set is refused with a reason.
func TestParse(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"unknown kind":         "[[page]]\nkind = \"shop\"\nmatch = [{ body = \"x\" }]",
		"unknown field":        "[[page]]\nkind = \"waf\"\nmatch = [{ bdy = \"x\" }]",
		"nothing to match":     "[[page]]\nkind = \"waf\"\nmatch = []",
		"empty clause":         "[[page]]\nkind = \"waf\"\nmatch = [{}]",
		"value without header": "[[page]]\nkind = \"waf\"\nmatch = [{ value = \"x\", body = \"y\" }]",
		"header in capitals":   "[[page]]\nkind = \"waf\"\nmatch = [{ header = \"X-CACHE\" }]",
		"pattern":              "[[cdn]]\nname = \"x\"\nmatch = [{ header = \"Via\" }]\nedge = [{ header = \"Via\", pattern = \"(\" }]",
		"pattern, no group":    "[[cdn]]\nname = \"x\"\nmatch = [{ header = \"Via\" }]\nedge = [{ header = \"Via\", pattern = \"a\" }]",
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if !Reads("Cf-Ray") || !Reads("Location") || Reads("X-Nobody-Reads") {
		t.Error("the headers that are read")
	}
}

// FuzzRead: whatever a server answers, reading it ends, in bounds, the same way
// twice.
func FuzzRead(f *testing.F) {
	f.Add("Content-Type: text/html\nVia: cdn", []byte("<title>x</title><meta http-equiv=refresh content='0;url=x'>"))
	f.Add("Age: 5\nX-Cache: HIT", []byte("\xff\xfe2\x000\x00"))
	f.Add("Content-Type: text/html; charset=gbk", []byte(gbk("<title>未备案")))
	f.Add("Refresh: 0;url", []byte("\u0130\u0130<TITLE>\u0130</TITLE>"))
	f.Fuzz(func(t *testing.T, headers string, body []byte) {
		h := hop(200, headers, string(body))
		p := Read(h)
		if p != Read(h) || len([]rune(p.Title)) > maxTitle || p.Kind == "" {
			t.Errorf("%+v", p)
		}
		ReadEdge(h)
		Gist(body, h.URL)
	})
}

func BenchmarkRead(b *testing.B) {
	h := hop(404, typeHTML+"\nServer: nginx", "<html><title>Not found</title>"+strings.Repeat("<p>Lorem ipsum dolor</p>", 100))
	for b.Loop() {
		Read(h)
	}
}
