package service

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"assay/internal/issuer/private"
	"assay/internal/secret"
	"assay/internal/store"
	"assay/internal/store/copy"
	"assay/internal/store/rekey"
	"assay/internal/store/sqlite"
	"assay/order"
)

// plainColumns are all others that hold bytes.
func plainColumns() []string {
	return []string{
		"tokens.hash", "orders.body", "reviews.report", "reviews.seen", "observations.body", "audit.data", "audit.private", "audit.hash", "audit_heads.hash",
		"audit_heads.signature", "requests.digest", "requests.headers", "requests.body", "authorities.der", "attempts.tbs", "attempts.data", "upstream_orders.data",
		"chains.der", "certificates.findings", "certificates.der", "crls.der", "csrs.der",
	}
}

// keptSecrets fills a house so that each sealed column has a value.
func (o *office) keptSecrets(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	o.ServerKeys, o.Rand = true, rand.Reader
	name := private.Name{CommonName: "Orchard", Organization: "Orchard", Country: "CN"}
	must[*private.Authority](t)(o.OpenAuthorities(ctx, AuthoritySettings{Name: name}))
	must[*CSRView](t)(o.NewCSR(ctx, o.owner, CSRRequest{Names: []string{"fig.orchard.net"}}))
	leaf, above, key := o.elsewhere(t, "fig.orchard.net")
	must[*UploadView](t)(o.Upload(ctx, o.owner, UploadRequest{Certificate: leaf, Chain: above, Key: key}))
	o.channel(t, o.owner, ChannelRequest{Kind: KindWebhook, Target: "https://hooks.orchard.net/?hush"})
	organization, contact := o.approved(t)
	v := o.apply(t, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
	see := must[*View](t)
	see(o.UploadLetter(ctx, o.owner, v.ID, pdfLetter))
	see(o.AddCall(ctx, o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}))
	l := must[[]LetterView](t)(o.Letters(ctx, o.first, v.ID))[0]
	see(o.DecideLetter(ctx, o.first, v.ID, l.ID, DecisionRequest{Reason: "no-seal", Note: "page 2"}))
	sealed := must[[]byte](t)(o.Secrets.Seal("upstream-account", []byte("the key of an account")))
	if err := o.Store.Write(ctx, func(tx store.Tx) error { return tx.PutSecret("upstream-account", sealed, o.clock()) }); err != nil {
		t.Fatal(err)
	}
}

// TestSealedColumns: every column of bytes is known to be sealed or plain. Each sealed
// one has its values opened by the key, in a copy of the database too, and by no other
// key; and what they hold stands nowhere in the database in the clear.
func TestSealedColumns(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.keptSecrets(t)
	dir := t.TempDir()
	target := must[copy.Database](t)(sqlite.Open(t.Context(), filepath.Join(dir, "copy.db")))
	defer target.(interface{ Close() error }).Close()
	source, ok := o.Store.(copy.Database)
	if !ok {
		t.Fatalf("%T is no database", o.Store)
	}
	must[[]copy.Table](t)(copy.Copy(t.Context(), source, target, nil))
	for _, column := range byteColumns(t, target.Reading()) {
		sealed := slices.ContainsFunc(rekey.Columns(), func(c rekey.Column) bool { return c.String() == column })
		if plain := slices.Contains(plainColumns(), column); sealed == plain {
			t.Errorf("%s: say in rekey.Columns that it is sealed, and for which row, or in this test that it is not", column)
		}
	}
	other := newOffice(t).Secrets
	var secrets [][]byte
	for _, column := range rekey.Columns() {
		n := 0
		for id, value := range sealedIn(t, target.Reading(), column) {
			n++
			plain, err := o.Secrets.Open(id, value)
			if err != nil {
				t.Errorf("%s of %s: %v", column, id, err)
				continue
			}
			secrets = append(secrets, plain)
			if _, err := o.Secrets.Open(id+"0", value); !errors.Is(err, secret.ErrChanged) {
				t.Errorf("%s of %s opens for another row: %v", column, id, err)
			}
			if _, err := other.Open(id, value); err == nil {
				t.Errorf("%s of %s opens with another key", column, id)
			}
		}
		if n == 0 {
			t.Errorf("%s: nothing was sealed", column)
		}
	}
	nowhere(t, target, filepath.Join(dir, "copy.db"), secrets)
}

// byteColumns are the columns that hold bytes, as TABLE.COLUMN.
func byteColumns(t *testing.T, db *sql.DB) (list []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BLOB'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		list = append(list, table+"."+column)
	}
	if err := rows.Err(); err != nil || len(list) < 20 {
		t.Fatal(list, err)
	}
	return list
}

// sealedIn are the values of a column by the row that they are sealed for.
func sealedIn(t *testing.T, db *sql.DB, c rekey.Column) map[string][]byte {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s", c.Row, c.Name, c.Table, c.Where()))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	values := map[string][]byte{}
	for rows.Next() {
		var id string
		var value []byte
		if err := rows.Scan(&id, &value); err != nil {
			t.Fatal(err)
		}
		values[id] = value
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// nowhere looks for secrets in the files of a database, as they are, and the DER of
// those that are keys.
func nowhere(t *testing.T, db copy.Database, path string, secrets [][]byte) {
	t.Helper()
	if _, err := db.Reading().ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Log(err) // then it stands in the log, which is read as well
	}
	var all []byte
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw...)
	}
	for _, s := range secrets {
		s = bytes.Trim(s, `"`)
		if len(s) > 12 && bytes.Contains(all, s) {
			t.Errorf("%.40q stands in the clear", s)
		}
		if der, err := base64.StdEncoding.DecodeString(string(s)); err == nil && len(der) > 12 && bytes.Contains(all, der) {
			t.Errorf("the key %.20q… stands in the clear", s)
		}
	}
	if bytes.Contains(all, []byte("PRIVATE KEY")) {
		t.Error("a private key stands in the clear")
	}
}
