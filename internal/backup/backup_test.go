package backup

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"
	"pgregory.net/rapid"

	"assay/internal/secret"
)

var at = time.Date(2026, 11, 20, 8, 0, 0, 5000, time.FixedZone("CST", 8*3600))

type tables []table

type table struct {
	name string
	rows [][]byte
}

type failer interface{ Fatal(...any) }

func identity(t failer) *age.X25519Identity {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func write(t failer, to age.Recipient, content tables) ([]byte, Manifest) {
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{Assay: "1.2.3", Schema: 7, Engine: "sqlite", At: at}, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range content {
		if err := w.Part(p.name); err != nil {
			t.Fatal(err)
		}
		for _, row := range p.rows {
			if err := w.Row(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	m, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), m
}

func verify(text []byte, i age.Identity) (Manifest, error) {
	r, err := NewReader(bytes.NewReader(text), i)
	if err != nil {
		return Manifest{}, err
	}
	return Verify(r)
}

func small() tables {
	return tables{{"tenants", [][]byte{[]byte("root")}}, {"empty", nil}, {"orders", [][]byte{[]byte("a"), {}, []byte("ccc")}}}
}

func equal(a, b Manifest) bool {
	return a.Header == b.Header && slices.Equal(a.Parts, b.Parts)
}

func TestReadsBack(t *testing.T) {
	t.Parallel()
	i := identity(t)
	rapid.Check(t, func(t *rapid.T) {
		var want tables
		for _, name := range rapid.SliceOfNDistinct(rapid.StringN(1, 10, MaxName), 0, 5, rapid.ID[string]).Draw(t, "names") {
			want = append(want, table{name, rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 5).Draw(t, "rows")})
		}
		text, m := write(t, i.Recipient(), want)
		if got, err := verify(text, i); err != nil || !equal(got, m) {
			t.Fatalf("%+v, %v; want %+v", got, err, m)
		}
		r, err := NewReader(iotest.HalfReader(bytes.NewReader(text)), i)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range want {
			name, err := r.Next()
			if err != nil || name != p.name {
				t.Fatalf("part %q, %v; want %q", name, err, p.name)
			}
			for _, row := range p.rows {
				if got, err := r.Row(); err != nil || !bytes.Equal(got, row) {
					t.Fatalf("row %q, %v; want %q", got, err, row)
				}
			}
			if _, err := r.Row(); err != io.EOF {
				t.Fatalf("after the last row: %v", err)
			}
		}
		for range 2 {
			if _, err := r.Next(); err != io.EOF {
				t.Fatalf("after the last part: %v", err)
			}
		}
	})
}

func TestManifest(t *testing.T) {
	t.Parallel()
	i := identity(t)
	text, m := write(t, i.Recipient(), small())
	if m.Header.Format != Format || m.Header.Assay != "1.2.3" || m.Header.Schema != 7 || m.Header.Engine != "sqlite" || !m.Header.At.Equal(at) {
		t.Errorf("header %+v", m.Header)
	}
	// printf '\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3ccc' | sha256sum
	want := Part{"orders", 3, 4, "83d20c4a7bd49ac4f718f5a201d6c8be9342ff6e2c2927516281cf1c9cc555fc"}
	if len(m.Parts) != 3 || m.Parts[2] != want || m.Parts[1].Rows != 0 {
		t.Errorf("parts %+v", m.Parts)
	}
	if bytes.Contains(text, []byte("tenants")) {
		t.Error("the text is plain")
	}
	// Parts may be read over; each row still counts.
	r, err := NewReader(bytes.NewReader(text), i)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !equal(r.Manifest(), m) || r.Header() != m.Header {
		t.Errorf("read %+v", r.Manifest())
	}
}

func TestCutIsFound(t *testing.T) {
	t.Parallel()
	i := identity(t)
	text, _ := write(t, i.Recipient(), small())
	for n := range text {
		if _, err := verify(text[:n], i); err == nil {
			t.Fatalf("%d of %d bytes pass", n, len(text))
		}
	}
	// Over several of age's chunks, cut at their edges too.
	noise := make([]byte, 200<<10)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	large, _ := write(t, i.Recipient(), tables{{"t", [][]byte{noise}}})
	const chunk = 64<<10 + 16
	for n := len(large) - chunk; n > 0; n -= chunk {
		if _, err := verify(large[:n], i); err == nil {
			t.Errorf("%d of %d bytes pass", n, len(large))
		}
	}
	head := bytes.Index(large, []byte("\n--- ")) + 1
	payload := head + bytes.IndexByte(large[head:], '\n') + 1 + 16
	for n := payload + chunk; n < len(large); n += chunk {
		if _, err := verify(large[:n], i); !errors.Is(err, ErrCut) {
			t.Errorf("cut at a chunk's edge, %d of %d: %v", n, len(large), err)
		}
	}
}

func TestChangedBitIsFound(t *testing.T) {
	t.Parallel()
	i := identity(t)
	text, _ := write(t, i.Recipient(), small())
	for n := range text {
		for _, flip := range []byte{1, 0x80} {
			changed := bytes.Clone(text)
			changed[n] ^= flip
			if _, err := verify(changed, i); err == nil {
				t.Fatalf("byte %d may change", n)
			}
		}
	}
	if _, err := verify(append(text, 0), i); err == nil {
		t.Error("something may follow")
	}
	var none *age.NoIdentityMatchError
	if _, err := verify(text, identity(t)); !errors.As(err, &none) {
		t.Errorf("with another identity: %v", err)
	}
	r, err := NewReader(io.MultiReader(bytes.NewReader(text[:len(text)-5]), iotest.ErrReader(io.ErrClosedPipe)), i)
	if err == nil {
		_, err = Verify(r)
	}
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader's error: %v", err)
	}
}

// forge encrypts what a writer would not write.
func forge(t failer, to age.Recipient, plain, behind []byte) []byte {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(w)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(z.Close(), func() error { _, err := w.Write(behind); return err }(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inside is the plain text of a backup.
func inside(t failer, text []byte, i age.Identity) []byte {
	r, err := age.Decrypt(bytes.NewReader(text), i)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func rec(kind byte, content string) []byte {
	return append(appendRecordHead(nil, kind, len(content)), content...)
}

// Anybody who knows the recipient can encrypt: what is inside is judged too.
func TestForgedContent(t *testing.T) {
	t.Parallel()
	i := identity(t)
	text, _ := write(t, i.Recipient(), small())
	plain := inside(t, text, i)
	cut := func(s, old, new string) []byte { return []byte(strings.Replace(s, old, new, 1)) }
	s := string(plain)
	header := plain[:5+bytes.IndexByte(plain[5:], '}')+1]
	for name, c := range map[string]struct {
		plain, behind []byte
		want          error
	}{
		"unchanged":           {plain, nil, nil},
		"nothing":             {nil, nil, ErrCut},
		"no manifest":         {plain[:bytes.LastIndex(plain, []byte("M\x00"))], nil, ErrCut},
		"a row less":          {cut(s, string(rec('R', "a")), ""), nil, ErrDamaged},
		"a row more":          {cut(s, string(rec('R', "a")), string(rec('R', "a"))+string(rec('R', "a"))), nil, ErrDamaged},
		"a row changed":       {cut(s, string(rec('R', "a")), string(rec('R', "b"))), nil, ErrDamaged},
		"a part renamed":      {cut(s, "empty", "emptx"), nil, ErrDamaged},
		"a part twice":        {cut(s, string(rec('P', "orders")), string(rec('P', "tenants"))), nil, ErrDamaged},
		"a row first":         {append(bytes.Clone(header), rec('R', "a")...), nil, ErrDamaged},
		"no header":           {plain[len(header):], nil, ErrDamaged},
		"header no JSON":      {rec('H', "x"), nil, ErrDamaged},
		"unknown record":      {append(bytes.Clone(header), rec('X', "a")...), nil, ErrDamaged},
		"too long a name":     {append(bytes.Clone(header), rec('P', strings.Repeat("n", MaxName+1))...), nil, ErrDamaged},
		"a length and no row": {append(append(bytes.Clone(header), rec('P', "t")...), 'R', 3, 255, 255, 255), nil, ErrCut},
		"a huge length":       {append(append(bytes.Clone(header), rec('P', "t")...), 'R', 255, 255, 255, 255), nil, ErrDamaged},
		"more in the stream":  {append(bytes.Clone(plain), 0), nil, ErrDamaged},
		"more behind it":      {plain, []byte{0}, ErrDamaged},
	} {
		if _, err := verify(forge(t, i.Recipient(), c.plain, c.behind), i); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	newer := rec('H', `{"format":2,"assay":"9.0"}`)
	if _, err := verify(forge(t, i.Recipient(), newer, nil), i); err == nil || !strings.Contains(err.Error(), "format 2") || !strings.Contains(err.Error(), "9.0") {
		t.Errorf("a newer format: %v", err)
	}
	var many []byte
	for n := range MaxParts + 1 {
		many = append(many, rec('P', string(rune('A'+n)))...)
	}
	if _, err := verify(forge(t, i.Recipient(), append(bytes.Clone(header), many...), nil), i); !errors.Is(err, ErrDamaged) {
		t.Errorf("too many parts: %v", err)
	}
}

func TestWriterMisused(t *testing.T) {
	t.Parallel()
	i := identity(t)
	for name, use := range map[string]func(w *Writer) error{
		"a row first":  func(w *Writer) error { return w.Row(nil) },
		"a part twice": func(w *Writer) error { return errors.Join(w.Part("a"), w.Part("a")) },
		"no name":      func(w *Writer) error { return w.Part("") },
		"a long row":   func(w *Writer) error { return errors.Join(w.Part("a"), w.Row(make([]byte, MaxRow+1))) },
	} {
		var b bytes.Buffer
		w, err := NewWriter(&b, Header{}, i.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if err := use(w); err == nil {
			t.Errorf("%s: nothing is said", name)
		}
		if _, err := w.Close(); err == nil {
			t.Errorf("%s: it ends well", name)
		}
		if _, err := verify(b.Bytes(), i); err == nil {
			t.Errorf("%s: what was written passes for a backup", name)
		}
	}
	if _, err := NewWriter(io.Discard, Header{}); err == nil {
		t.Error("a backup for nobody")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "backup.key")
	if _, err := ReadIdentities(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("without a file: %v", err)
	}
	made, err := CreateIdentity(path, at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateIdentity(path, at); !errors.Is(err, os.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	identities, err := ReadIdentities(path)
	if err != nil || len(identities) != 1 {
		t.Fatalf("%d identities, %v", len(identities), err)
	}
	to, err := ParseRecipient(made.Recipient().String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	text, m := write(t, to, small())
	if got, err := verify(text, identities[0]); err != nil || !equal(got, m) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadIdentities(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Errorf("others may read: %v", err)
	}
	for _, text := range []string{"", "age1", made.String(), made.Recipient().String() + "\n" + made.Recipient().String()} {
		if _, err := ParseRecipient(text); err == nil || strings.Contains(err.Error(), made.String()) {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := secret.CreatePrivateFile(wrong, []byte(made.String()[:40])); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadIdentities(wrong); err == nil || strings.Contains(err.Error(), made.String()[20:40]) {
		t.Errorf("half an identity: %v", err)
	}
}

// What is inside the encryption is fuzzed: outside, age judges it.
func FuzzRead(f *testing.F) {
	i := identity(f)
	text, _ := write(f, i.Recipient(), small())
	f.Add(inside(f, text, i))
	f.Fuzz(func(t *testing.T, plain []byte) {
		r, err := open(bytes.NewReader(plain), strings.NewReader(""))
		if err != nil {
			return
		}
		m, err := Verify(r)
		if err != nil {
			return
		}
		// A header, the records that the manifest counts, and the manifest.
		size := int64(5 + 5)
		for _, p := range m.Parts {
			size += 5 + int64(len(p.Name)) + 5*p.Rows + p.Bytes
		}
		if size > int64(len(plain)) {
			t.Errorf("%d bytes hold %+v", len(plain), m)
		}
	})
}
