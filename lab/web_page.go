package lab

import (
	"html"
	"net/http"
	"strings"
)

// pages are what is often met instead of a file, cut to what tells them apart.
var pages = map[string]struct {
	status int
	kind   string
	header map[string]string
	text   string
}{
	"home":      {200, "text/html", nil, `<!DOCTYPE html><html><head><title>Orchard</title><link href="/wp-content/themes/orchard/style.css"></head><body><h1>Apples and pears</h1></body></html>`},
	"login":     {200, "text/html", nil, `<!DOCTYPE html><html><head><title>Sign in</title></head><body><form method="post"><input name="user"><input type="password" name="password"></form></body></html>`},
	"json":      {200, "application/json", nil, `{"code": 404, "message": "no such route"}`},
	"parking":   {200, "text/html", nil, `<!DOCTYPE html><html><head><title>orchard.net</title></head><body><h1>This domain is for sale!</h1><script src="https://www.sedoparking.com/x.js"></script></body></html>`},
	"registrar": {200, "text/html", nil, `<!DOCTYPE html><html><head><title>Welcome</title></head><body><p>This domain name has been registered with Gandi.net</p></body></html>`},
	"router":    {401, "text/html", map[string]string{"Server": "micro_httpd", "WWW-Authenticate": `Basic realm="DSL Router"`}, `<HTML><HEAD><TITLE>401 Unauthorized</TITLE></HEAD><BODY><H4>401 Unauthorized</H4></BODY></HTML>`},
	"default":   {200, "text/html", nil, `<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>`},
	"challenge": {403, "text/html", map[string]string{"Server": "cloudflare", "Cf-Mitigated": "challenge", "Cf-Ray": "8c1f00a1bc2d3e4f-LAX"}, `<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head><body><script>window._cf_chl_opt={cvId:'3'};</script></body></html>`},
	"cookie":    {200, "text/html", nil, `<html><body><script type="text/javascript" src="/aes.js"></script><script>function toNumbers(d){var e=[];return e}document.cookie="__test=1";location.href="/";</script></body></html>`},
	"waf":       {403, "text/html", nil, `<html><head><title>Application Blocked</title></head><body><p><b>Application:</b> acme-protocol</p></body></html>`},
	"filing":    {403, "text/html", map[string]string{"Server": "Beaver"}, `<html><head><title>TestPage184</title><script>window.onload = function () { document.getElementById("mainFrame").src= "http://batit.aliyun.com/alww.html"; }</script></head><body><iframe id="mainFrame"></iframe></body></html>`},
	"refresh":   {200, "text/html", nil, `<html><head><meta http-equiv="refresh" content="0; url=$TO"></head><body></body></html>`},
	"script":    {200, "text/html", nil, `<html><script>location.replace("$TO")</script></html>`},
	"echo":      {200, "text/html", nil, `<html><head><title>Nothing here</title></head><body>There is no $PATH at $HOST</body></html>`},
}

// fillPage puts what differs from request to request into a page.
func fillPage(text, to string, r *http.Request) string {
	return strings.NewReplacer("$TO", html.EscapeString(to), "$PATH", html.EscapeString(r.URL.Path), "$HOST", html.EscapeString(r.Host)).Replace(text)
}
