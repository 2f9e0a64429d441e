package review

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"assay/evidence"
	"assay/internal/page"
	"assay/order"
	"assay/profile"
)

// TestRedactFile: neither the token nor the file's content is left anywhere.
func TestRedactFile(t *testing.T) {
	t.Parallel()
	const random = "r4ndomn4me"
	webs := map[string]*fakeWeb{
		"missing":  web(answering(noFile)),
		"altered":  web(answering(fakeAnswer{status: 200, body: "\xef\xbb\xbf" + labValue + " " + labKey})),
		"redirect": web(answering(fakeAnswer{status: 302, location: "http://elsewhere.net/" + random + "/" + labToken})),
		"page":     web(answering(fakeAnswer{status: 200, body: "<html><title>" + labToken + "</title>"})),
		"mismatch": web(answering(fakeAnswer{status: 200, body: "old " + labPrint[:20]})),
		"moved": web(func(r fakeRequest) fakeAnswer {
			if strings.Count(r.path, "/") == 1 {
				return fakeAnswer{status: 200, body: map[bool]string{true: labKey, false: labValue}[strings.Contains(r.path, labToken)]}
			}
			return noFile
		}),
	}
	for name, w := range webs {
		for _, m := range []order.Method{order.MethodFile, order.MethodHTTP01} {
			o := fileOrder(m)
			if m == order.MethodFile {
				o.Challenges[0].URL = "http://shop.orchard.net" + fileDirectory + random + ".txt"
			}
			r := (&trial{net: shop(w), order: o, profile: "baseline"}).judge(t)
			r.Redact()
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{labValue, labToken, labPrint, random, labPrint[:20], hex.EncodeToString([]byte(labValue))[:16], strings.TrimSpace(differing([]byte(labValue), "")[:23])} {
				if strings.Contains(string(raw), secret) {
					t.Errorf("%s by %s: %q is left: %.300s", name, m, secret, string(raw)[max(0, strings.Index(string(raw), secret)-150):])
				}
			}
			for _, f := range r.Findings {
				if f.Explanation == "" || strings.ContainsAny(f.Explanation, "‹›") {
					t.Errorf("%s: %q", f.ID, f.Explanation)
				}
			}
		}
	}
}

// FuzzAltered: whatever a body holds, naming what was done to it neither fails
// nor takes another text for the file.
func FuzzAltered(f *testing.F) {
	for _, body := range []string{labValue, "\xef\xbb\xbf" + labValue, "\"" + labValue + "\"", "\x1f\x8b\x08", "&lt;" + labValue, "", "\xff\xfe2\x00"} {
		f.Add([]byte(body), "gzip")
		f.Add([]byte(body), "")
	}
	p, err := profile.Named("letsencrypt")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, coding string) {
		facts := &facts{profile: p}
		h := &evidence.Hop{URL: "http://shop.orchard.net" + fakeFile, Status: 200, Body: &evidence.Body{Bytes: len(body), Head: body}}
		if coding != "" {
			h.Header = []evidence.Header{{Name: "Content-Encoding", Value: coding}}
		}
		v := &visit{file: labValue, method: order.MethodFile}
		read := page.Read(h)
		changes := facts.changesOf(v, h, &read)
		if len(changes) > 0 && !strings.Contains(squeeze(string(body)), squeeze(labValue)) &&
			!slices.ContainsFunc(changes, func(c string) bool { return c == "content-coding" || c == "utf-16" || c == "html-escaped" }) {
			t.Errorf("%q: %v", body, changes)
		}
		_ = differing(body, v.file)
	})
}
