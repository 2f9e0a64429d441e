package certfile

import (
	"archive/zip"
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"io/fs"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/message"
)

// bundle makes the zip file for a server. Its files have the certificate's
// notBefore as their time and are stored as they are, so that the same set gives
// the same bytes; those with a key may be read by their owner only.
func (v *server) bundle(s *Set, o *Options) ([]byte, error) {
	list, err := v.files(s, o)
	if err != nil {
		return nil, err
	}
	if s.root != nil {
		list = append(list, entry{suffix: ".root.pem", kind: "root", content: encodePEM(s.root.Raw)})
	}
	for _, lang := range cause.Languages() {
		list = append(list, entry{suffix: ".install." + string(lang) + ".txt", content: v.note(s, list, message.New(lang))})
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range list {
		h := &zip.FileHeader{Name: s.Name() + e.suffix, Method: zip.Store, Modified: s.leaf.NotBefore.UTC()}
		mode := fs.FileMode(0o644)
		if e.secret {
			mode = 0o600
		}
		h.SetMode(mode)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write(e.content)
		}
		if err != nil {
			return nil, &Error{What: Unreadable, Format: v.id, Err: err}
		}
	}
	if err := z.Close(); err != nil {
		return nil, &Error{What: Unreadable, Format: v.id, Err: err}
	}
	return b.Bytes(), nil
}

// note is the file that says how to install the others.
func (v *server) note(s *Set, list []entry, p *message.Printer) []byte {
	var b strings.Builder
	line := func(text string) { b.WriteString(text + "\n") }
	title := p.Text("bundle.title", "Server", v.title, "Name", s.host(s.Name()))
	line(title)
	line("")
	names := strings.Join(s.Names(), ", ")
	if names == "" {
		names = "-"
	}
	line(p.Text("bundle.names", "Names", names))
	line(p.Text("bundle.issuer", "Issuer", oneLine(s.leaf.Issuer.String())))
	line(p.Text("bundle.validity", "From", stamp(s.leaf.NotBefore), "To", stamp(s.leaf.NotAfter)))
	line(p.Text("bundle.serial", "Serial", s.leaf.SerialNumber.Text(16)))
	line(p.Text("bundle.digest", "Digest", hexDigest(s.leaf.Raw)))
	line("")
	line(p.Text("bundle.files"))
	for _, e := range list {
		if e.kind != "" {
			line("  " + s.Name() + e.suffix + p.Text("punctuation.colon") + p.Text("bundle.file."+e.kind))
		}
	}
	line("")
	which := "with-key"
	if s.key == nil {
		which = "without-key"
	}
	fill := []any{"File", s.Name(), "Directory", v.directory, "Host", s.host("localhost")}
	line(p.Text("bundle."+v.id+"."+which, fill...))
	if size := s.nginxBucket(); v.id == "nginx" && size > 0 {
		line("")
		line(p.Text("bundle.nginx.long-name", "Size", size))
	}
	line("")
	line(p.Text("bundle.check", fill...))
	if s.root != nil {
		line(p.Text("bundle.check-root", fill...))
	}
	if v.id == "iis" {
		return append([]byte("\ufeff"), windowsLines(b.String())...)
	}
	return []byte(b.String())
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// thumbprint is what Windows calls a certificate by in its store.
func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
