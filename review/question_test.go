package review

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"assay/data"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// TestKeyQuestion: the digests under which a key is looked for are those that
// OpenSSL's output gives, with the commands of docs/lists.md.
func TestKeyQuestion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	request := filepath.Join(dir, "shop.csr")
	openssl := func(args ...string) []byte {
		t.Helper()
		out, err := exec.Command("openssl", args...).Output()
		if err != nil {
			t.Fatalf("openssl %s: %v", args[0], err)
		}
		return out
	}
	openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", filepath.Join(dir, "key.pem"), "-subj", "/CN=orchard.net", "-out", request)
	text, err := os.ReadFile(request)
	if err != nil {
		t.Fatal(err)
	}
	modulus := openssl("req", "-in", request, "-noout", "-modulus") // "Modulus=…" and a line feed
	raw, err := hex.DecodeString(string(modulus[len("Modulus=") : len(modulus)-1]))
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(dir, "public.pem")
	if err := os.WriteFile(public, openssl("req", "-in", request, "-noout", "-pubkey"), 0o600); err != nil {
		t.Fatal(err)
	}
	vulnkey, keyprint := sha1.Sum(modulus), sha256.Sum256(raw)
	spki := sha256.Sum256(openssl("pkey", "-pubin", "-in", public, "-outform", "DER"))
	der := sha256.Sum256(openssl("req", "-in", request, "-outform", "DER"))

	c := Prepare(&order.Order{Product: order.DV, Names: []string{"orchard.net"}, CSR: string(text)}, data.Embedded())
	cloud, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	f := c.facts(Input{Profile: cloud})
	q := f.question(evidence.TopicKeys)
	for name, pair := range map[string][2]string{
		"openssl-vulnkey": {q.VulnkeySHA1, hex.EncodeToString(vulnkey[:])},
		"keyprint":        {q.Keyprint, hex.EncodeToString(keyprint[:])},
		"modulus":         {q.ModulusSHA256, hex.EncodeToString(keyprint[:])},
		"key info":        {q.SPKISHA256, hex.EncodeToString(spki[:])},
		"request":         {f.question(evidence.TopicOrders).CSRSHA256, hex.EncodeToString(der[:])},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, OpenSSL %q", name, pair[0], pair[1])
		}
	}
	if q.ModulusBits != 2048 {
		t.Errorf("%d bits", q.ModulusBits)
	}
}
