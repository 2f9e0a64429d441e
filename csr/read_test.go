package csr

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"assay/key"
)

// sample is a request with every sign that base64 has beside letters and
// digits: some ways of pasting change those alone.
var sample = sync.OnceValue(func() string {
	for {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
			Subject:  pkix.Name{CommonName: "www.orchard.net", Organization: []string{"Orchard Ltd"}, Country: []string{"GB"}},
			DNSNames: []string{"www.orchard.net", "orchard.net"},
		}, k)
		if err != nil {
			panic(err)
		}
		text := Encode(raw)
		if strings.Contains(text, "/") && strings.Contains(text, "+") {
			return text
		}
	}
})

var rsaPrivate = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func pemOf(label string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: raw}))
}

func pkcs8(k any) []byte {
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		panic(err)
	}
	return raw
}

func utf16le(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func derOf(pemText string) []byte {
	b, _ := pem.Decode([]byte(pemText))
	return b.Bytes
}

// TestReadRepairs: forms that can mean one thing only are read, and what was
// put right is said.
func TestReadRepairs(t *testing.T) {
	t.Parallel()
	s := sample()
	body := strings.TrimSuffix(strings.TrimPrefix(s, beginLine), endLine+"\n")
	quoted, _ := json.Marshal(s)
	for name, c := range map[string]struct {
		text string
		want []Repair
	}{
		"plain":              {s, nil},
		"no final newline":   {strings.TrimSuffix(s, "\n"), nil},
		"CRLF":               {strings.ReplaceAll(s, "\n", "\r\n"), []Repair{RepairLineEnds}},
		"CR":                 {strings.ReplaceAll(s, "\n", "\r"), []Repair{RepairLineEnds}},
		"byte order mark":    {"\ufeff" + s, []Repair{RepairBOM}},
		"UTF-16":             {utf16le(s), []Repair{RepairUTF16}},
		"blank lines":        {"\n\n" + strings.ReplaceAll(s, "\n", "\n\n") + "\n  \n", []Repair{}},
		"indented":           {"    " + strings.ReplaceAll(s, "\n", "\n    "), []Repair{RepairSpaces}},
		"tabs":               {"\t" + strings.ReplaceAll(s, "\n", "\n\t"), []Repair{RepairSpaces}},
		"double quotes":      {`"` + s + `"`, []Repair{RepairQuotes}},
		"smart quotes":       {"“" + strings.TrimSpace(s) + "”", []Repair{RepairQuotes}},
		"JSON string":        {string(quoted), []Repair{RepairEscapes, RepairQuotes}},
		"JSON object":        {`{"csr": ` + string(quoted) + `}`, []Repair{RepairEscapes, RepairAround}},
		"literal \\r\\n":     {strings.ReplaceAll(s, "\n", `\r\n`), []Repair{RepairEscapes}},
		"PHP's slashes":      {strings.ReplaceAll(s, "/", `\/`), []Repair{RepairEscapes}},
		"HTML entities":      {strings.NewReplacer("+", "&#43;", "=", "&#61;", "/", "&#x2F;").Replace(html.EscapeString(s)), []Repair{RepairHTML}},
		"HTML lines":         {strings.ReplaceAll(s, "\n", "<br/>"), []Repair{RepairHTML}},
		"URL encoding":       {url.QueryEscape(s), []Repair{RepairURL}},
		"path encoding":      {url.PathEscape(s), []Repair{RepairURL}},
		"en dashes":          {strings.ReplaceAll(s, "-----", "–––––"), []Repair{RepairDashes}},
		"em dashes":          {strings.ReplaceAll(s, "-----", "——-"), []Repair{RepairDashes}},
		"four dashes":        {strings.ReplaceAll(s, "-----", "----"), []Repair{RepairDashes}},
		"one line":           {strings.ReplaceAll(s, "\n", ""), []Repair{RepairLines}},
		"spaces for lines":   {strings.ReplaceAll(s, "\n", " "), []Repair{RepairLines, RepairSpaces}},
		"one long line":      {beginLine + strings.ReplaceAll(body, "\n", "") + endLine, nil},
		"old label":          {strings.ReplaceAll(s, label, oldLabel), []Repair{RepairLabel}},
		"mail quotes":        {"> " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n> "), []Repair{RepairQuotes}},
		"text before":        {"Certificate Request:\n    Data:\n        Version: 1 (0x0)\n" + s, []Repair{RepairAround}},
		"text after":         {s + "\nregards,\nBob\n", []Repair{RepairAround}},
		"zero-width spaces":  {strings.ReplaceAll(s, "\n", "\u200b\n"), []Repair{RepairSpaces}},
		"base64 alone":       {body, []Repair{RepairNoArmour}},
		"base64url":          {base64.RawURLEncoding.EncodeToString(derOf(s)), nil},
		"binary":             {string(derOf(s)), []Repair{RepairDER}},
		"without equals":     {strings.ReplaceAll(s, "=", ""), nil},
		"programme's string": {`"` + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\\n\" +\n\"") + `"`, []Repair{RepairEscapes, RepairQuotes}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, p := Read(c.text)
			if p != nil {
				t.Fatal(p)
			}
			if !bytes.Equal(r.DER, derOf(s)) || !r.Verify().OK {
				t.Error("another request was read")
			}
			for _, want := range c.want {
				if !slices.Contains(r.Repairs, want) {
					t.Errorf("repairs %v, want %s", r.Repairs, want)
				}
			}
			if name == "plain" && len(r.Repairs) > 0 {
				t.Errorf("repairs %v of a plain request", r.Repairs)
			}
			same(t, c.text)
		})
	}
}

// same: what is kept of a text reads like the text and is kept as it is.
func same(t *testing.T, text string) {
	t.Helper()
	clean, r, p := Load(text)
	again, r2, p2 := Load(clean)
	if again != clean {
		t.Errorf("what is kept changes when it is read again:\n%q\n%q", clean, again)
	}
	if (r == nil) != (r2 == nil) || r != nil && !bytes.Equal(r.DER, r2.DER) {
		t.Error("what is kept holds another request")
	}
	if fmt.Sprint(p) != fmt.Sprint(p2) || p != nil && (p.Keyprint != p2.Keyprint || p.Missing != p2.Missing) {
		t.Errorf("what is kept has the problem %v, the text %v", p2, p)
	}
}

func TestReadProblems(t *testing.T) {
	t.Parallel()
	s := sample()
	lines := strings.SplitAfter(s, "\n")
	raw := derOf(s)
	certificate := pemOf("CERTIFICATE", certificateOf(t))
	spki, _ := x509.MarshalPKIXPublicKey(&rsaPrivate().PublicKey)
	for name, c := range map[string]struct {
		text string
		want Problem
	}{
		"empty":                     {" \r\n\t ", Problem{Kind: KindEmpty}},
		"too large":                 {strings.Repeat("A", MaxBytes+1), Problem{Kind: KindTooLarge}},
		"certificate":               {certificate, Problem{Kind: KindCertificate, Detected: "CERTIFICATE", Line: 1}},
		"certificate labelled CSR":  {strings.ReplaceAll(certificate, "CERTIFICATE", label), Problem{Kind: KindCertificate, Detected: "CERTIFICATE", Line: 1}},
		"CSR labelled certificate":  {strings.ReplaceAll(s, label, "CERTIFICATE"), Problem{Kind: KindWrongLabel, Detected: "CERTIFICATE", Line: 1}},
		"public key":                {pemOf("PUBLIC KEY", spki), Problem{Kind: KindPublicKey, Detected: "PUBLIC KEY", Line: 1}},
		"bare public key":           {base64.StdEncoding.EncodeToString(spki), Problem{Kind: KindPublicKey, Detected: "PUBLIC KEY"}},
		"SSH key":                   {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvb2JhcmZvb2JhcmZvb2JhcmZvb2JhcmZvb2Jh bob@desk", Problem{Kind: KindPublicKey, Detected: "SSH public key"}},
		"two requests":              {s + s, Problem{Kind: KindSecondBlock, Detected: label, Line: len(lines)}},
		"certificate behind":        {s + certificate, Problem{Kind: KindSecondBlock, Detected: "CERTIFICATE", Line: len(lines)}},
		"base64 behind":             {s + lines[1], Problem{Kind: KindSecondBlock, Line: len(lines) - 1, Detail: "encoded data follows the block"}},
		"no END":                    {strings.Join(lines[:len(lines)-2], ""), Problem{Kind: KindMissingEnd, Line: 1}},
		"no BEGIN":                  {strings.Join(lines[1:], ""), Problem{Kind: KindMissingBegin, Line: 1}},
		"another END":               {strings.Replace(s, "END CERTIFICATE REQUEST", "END CERTIFICATE", 1), Problem{Kind: KindWrongEnd, Detected: "CERTIFICATE", Line: 1}},
		"a line missing":            {lines[0] + strings.Join(lines[2:], ""), Problem{Kind: KindStructure}},
		"the last line missing":     {strings.Join(lines[:len(lines)-3], "") + lines[len(lines)-2], Problem{Kind: KindTruncated, Line: 1}},
		"a star":                    {strings.Replace(s, lines[2], "*"+lines[2], 1), Problem{Kind: KindBase64, Line: 3, Detail: `a character that base64 does not have: "*"`}},
		"a byte more":               {Encode(append(slices.Clone(raw), 0)), Problem{Kind: KindTrailing, Offset: len(raw), Line: 1, Detail: "1 bytes follow the request"}},
		"a byte less":               {Encode(raw[:len(raw)-1]), Problem{Kind: KindTruncated, Line: 1, Missing: 1, Detail: fmt.Sprintf("the request: an element of %d bytes reaches 1 bytes beyond the end", len(raw)-4)}},
		"a path":                    {"/home/bob/shop.csr\n", Problem{Kind: KindPath}},
		"prose":                     {"please issue the certificate", Problem{Kind: KindNotRequest}},
		"bytes":                     {"\x01\x02\xff\xfe\x00", Problem{Kind: KindNotRequest}},
		"an unknown label":          {strings.ReplaceAll(s, label, "QWERTZ"), Problem{Kind: KindWrongLabel, Detected: "UNKNOWN", Line: 1}},
		"parameters":                {pemOf("EC PARAMETERS", []byte{6, 5, 0x2b, 0x81, 4, 0, 0x22}), Problem{Kind: KindOther, Detected: "EC PARAMETERS", Line: 1}},
		"an empty block":            {beginLine + endLine[1:], Problem{Kind: KindTruncated, Line: 1, Missing: 2, Detail: "the request: the data ends"}},
		"an empty object":           {"{}", Problem{Kind: KindOther, Detected: "JSON"}},
		"not the requester's block": {"-----BEGIN UNREADABLE REQUEST-----\nfoo\n-----END UNREADABLE REQUEST-----\n", Problem{Kind: KindOther, Detected: unreadable, Line: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, p := Read(c.text)
			if r != nil || p == nil {
				t.Fatal("it was read")
			}
			got := *p
			got.private = nil
			if name == "a line missing" || name == "the last line missing" {
				if got.Kind != KindStructure && got.Kind != KindTruncated {
					t.Errorf("%+v", got)
				}
			} else if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
			same(t, c.text)
		})
	}
}

func certificateOf(t *testing.T) []byte {
	t.Helper()
	k := rsaPrivate()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"orchard.net"}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestPrivateKeys: whatever form a private key is pasted in, it is named as one
// and nothing of it is kept.
func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	k := rsaPrivate()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec1, _ := x509.MarshalECPrivateKey(ec)
	pkcs1 := x509.MarshalPKCS1PrivateKey(k)
	rsaPrint, ecPrint := printOf(t, &k.PublicKey), printOf(t, &ec.PublicKey)
	one := pemOf("RSA PRIVATE KEY", pkcs1)
	bare := base64.StdEncoding.EncodeToString(pkcs8(k))
	//lint:ignore SA1019 keys in this form are what people have
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", pkcs1, []byte("secret"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text, label, keyprint string
		secret                []byte
		request               bool
	}{
		"PKCS #1":              {one, "RSA PRIVATE KEY", rsaPrint, pkcs1, false},
		"PKCS #8":              {pemOf("PRIVATE KEY", pkcs8(k)), "PRIVATE KEY", rsaPrint, pkcs8(k), false},
		"PKCS #8 EC":           {pemOf("PRIVATE KEY", pkcs8(ec)), "PRIVATE KEY", ecPrint, pkcs8(ec), false},
		"EC":                   {pemOf("EC PRIVATE KEY", ec1), "EC PRIVATE KEY", ecPrint, ec1, false},
		"EC with parameters":   {pemOf("EC PARAMETERS", []byte{6, 5, 0x2b, 0x81, 4, 0, 0x22}) + pemOf("EC PRIVATE KEY", ec1), "EC PRIVATE KEY", ecPrint, ec1, false},
		"legacy encryption":    {string(pem.EncodeToMemory(legacy)), "RSA PRIVATE KEY", "", legacy.Bytes, false},
		"before the request":   {one + sample(), "RSA PRIVATE KEY", rsaPrint, pkcs1, true},
		"behind the request":   {sample() + one, "RSA PRIVATE KEY", rsaPrint, pkcs1, true},
		"CRLF":                 {strings.ReplaceAll(one, "\n", "\r\n"), "RSA PRIVATE KEY", rsaPrint, pkcs1, false},
		"JSON":                 {strings.ReplaceAll(one, "\n", `\n`), "RSA PRIVATE KEY", rsaPrint, pkcs1, false},
		"UTF-16":               {utf16le(one), "RSA PRIVATE KEY", rsaPrint, pkcs1, false},
		"HTML":                 {strings.ReplaceAll(one, "\n", "<br>"), "RSA PRIVATE KEY", rsaPrint, pkcs1, false},
		"smart dashes":         {strings.ReplaceAll(one, "-----", "——-"), "RSA PRIVATE KEY", rsaPrint, pkcs1, false},
		"no END":               {one[:len(one)/2], "RSA PRIVATE KEY", "", pkcs1, false},
		"no BEGIN":             {one[strings.Index(one, "\n")+80:], "RSA PRIVATE KEY", "", pkcs1, false},
		"no armour":            {bare, "PRIVATE KEY", rsaPrint, pkcs8(k), false},
		"no armour, prose":     {"my key is " + bare + " ok?", "PRIVATE KEY", rsaPrint, pkcs8(k), false},
		"bare behind request":  {sample() + bare, "PRIVATE KEY", rsaPrint, pkcs8(k), true},
		"labelled as request":  {pemOf(label, pkcs8(k)), "PRIVATE KEY", rsaPrint, pkcs8(k), false},
		"labelled as public":   {pemOf("PUBLIC KEY", pkcs1), "PRIVATE KEY", rsaPrint, pkcs1, false},
		"truncated, no armour": {bare[:400], "PRIVATE KEY", "", pkcs8(k), false},
		"binary":               {string(pkcs8(k)), "PRIVATE KEY", rsaPrint, pkcs8(k), false},
		"unusual label":        {pemOf("MY SPECIAL PRIVATE KEY", pkcs8(k)), "PRIVATE KEY", rsaPrint, pkcs8(k), false},
		"quoted":               {`"` + one + `"`, "RSA PRIVATE KEY", rsaPrint, pkcs1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, p := Read(c.text)
			if p == nil || p.Kind != KindPrivateKey {
				t.Fatalf("problem %v", p)
			}
			if p.Detected != c.label || p.Keyprint != c.keyprint || (r != nil) != c.request {
				t.Errorf("label %q, keyprint %q, request %v", p.Detected, p.Keyprint, r != nil)
			}
			clean, print, found := Scrub(c.text)
			if !found || print != c.keyprint {
				t.Errorf("scrub: found %v, keyprint %q", found, print)
			}
			leaks(t, clean, c.secret[40:])
			leaks(t, p.Error(), c.secret[40:])
			same(t, c.text)
		})
	}
}

func printOf(t *testing.T, pub any) string {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	p, err := key.Parse(spki)
	if err != nil {
		t.Fatal(err)
	}
	return key.Print(p)
}

// leaks fails where any 12 characters of the base64 of a secret, at any of its
// three alignments, stand in a text, its lines joined. What a key shares with a
// request (object identifiers, the public half) must not be part of it.
func leaks(t *testing.T, text string, secret []byte) {
	t.Helper()
	joined := strings.Join(strings.Fields(text), "")
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(secret[min(shift, len(secret)):])
		for i := 0; i+12 <= len(encoded); i++ {
			if strings.Contains(joined, encoded[i:i+12]) {
				t.Fatalf("characters %d to %d of the key are kept", i, i+12)
			}
		}
	}
}
