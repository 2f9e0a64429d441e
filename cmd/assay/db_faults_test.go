package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/internal/message"
	"assay/internal/secret"
	"assay/internal/store"
	"assay/internal/store/migrations"
	"assay/internal/store/sqlite"
	"assay/lab"
	"assay/order"
)

// TestRestoreKilled kills restores at random moments: what is there is one service
// or the other, with the key that opens it, and never some of both.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := filepath.Join(s.dir, "backup.key")
	files, digests := [2]string{}, [2]string{}
	for i, name := range []string{"a.age", "b.age"} {
		s.look(t, bare(), lab.Options{})
		s.apply(t, name[:1]+".orchard.net")
		s.stop(t)
		var made backupResult
		files[i] = filepath.Join(s.dir, name)
		s.db(t, 0, &made, "backup", files[i], "--identity", key, "--data", s.data())
		digests[i] = made.Digest
		if i == 0 { // the second one is another service with keys of its own
			if err := os.Rename(s.data(), filepath.Join(s.dir, "first")); err != nil {
				t.Fatal(err)
			}
		}
	}
	began := time.Now()
	s.db(t, 0, &restoreResult{}, "restore", files[1], "--identity", key, "--data", s.data(), "--replace")
	took := time.Since(began)
	seen := map[string]int{}
	for i := range 30 {
		s.killed(t, took, "restore", files[i%2], "--identity", key, "--data", s.data(), "--replace")
		got := s.opened(t)
		if !slices.Contains(digests[:], got) {
			t.Fatalf("after kill %d neither the one nor the other is there", i)
		}
		seen[got]++
	}
	t.Logf("of 30: %v", seen)
}

// opened finishes what is pending, opens the database with its key file, and
// returns the digest of its content.
func (s *site) opened(t *testing.T) string {
	t.Helper()
	var said bytes.Buffer
	a := &app{out: &said, err: &said, getenv: func(string) string { return "" }, now: time.Now, text: message.New("en")}
	if err := a.finishRestore(s.data()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.data(), databaseFile)
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	err = a.unlock(context.WithoutCancel(t.Context()), &house{dir: s.data(), Store: db}, filepath.Join(s.data(), keyName))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	return content(t, path)
}

// TestRekeyKilled kills changes of the keys at random moments: every secret opens with
// the key file of before or, where a run came to its end, with that of after.
func TestRekeyKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	s.stop(t)
	const secrets = 3000 // several transactions
	key, next := filepath.Join(s.data(), keyName), filepath.Join(s.data(), keyName+".new")
	s.keys(t, key, func(h *house) error {
		return h.Store.Write(t.Context(), func(tx store.Tx) error {
			for i := range secrets {
				id := fmt.Sprint("secret-", i)
				sealed, err := h.secrets.Seal(id, []byte("hush "+id))
				if err := errors.Join(err, tx.PutSecret(id, sealed, time.Now())); err != nil {
					return err
				}
			}
			return nil
		})
	})
	rekey := []string{"rekey", "--data", s.data(), "--new-key-file", next}
	began := time.Now()
	s.db(t, 0, &rekeyResult{}, rekey...)
	took := time.Since(began)
	ends := 0
	for i := 0; ; i++ {
		if _, err := os.Stat(next); err == nil && s.unlocks(t, next) {
			ends++
			if err := os.Rename(next, key); err != nil {
				t.Fatal(err)
			}
		}
		s.keys(t, key, func(h *house) error {
			for i := range secrets {
				id := fmt.Sprint("secret-", i)
				sealed, err := h.Store.Secret(t.Context(), id)
				if err != nil {
					return err
				}
				if plain, err := h.secrets.Open(id, sealed); err != nil || string(plain) != "hush "+id {
					return fmt.Errorf("after kill %d: %q, %w", i, plain, err)
				}
			}
			return nil
		})
		if i == 15 {
			break
		}
		s.killed(t, took, rekey...)
	}
	t.Logf("%d of 16 came to their end", ends)
}

// unlocks reports whether a key file opens the database.
func (s *site) unlocks(t *testing.T, key string) bool {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(s.data(), databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ring, err := db.Secret(t.Context(), secretRing)
	if err != nil {
		t.Fatal(err)
	}
	_, err = secret.Open(t.Context(), secret.Config{Master: secret.KeyFile{Path: key}, Ring: ring})
	if err != nil && !errors.Is(err, secret.ErrOtherMaster) {
		t.Fatal(err)
	}
	return err == nil
}

// keys opens the database with a key file.
func (s *site) keys(t *testing.T, key string, use func(h *house) error) {
	t.Helper()
	var said bytes.Buffer
	a := &app{out: &said, err: &said, getenv: func(string) string { return "" }, now: time.Now, text: message.New("en")}
	db, err := sqlite.Open(t.Context(), filepath.Join(s.data(), databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{dir: s.data(), Store: db}
	if err = a.unlock(t.Context(), h, key); err == nil {
		err = use(h)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
}

// TestBackupUnderLoad takes backups while orders come in: each has every order that
// was acknowledged before it began, and a chain that verifies.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	var lock sync.Mutex
	var acknowledged []string
	var load sync.WaitGroup
	stop := make(chan struct{})
	csrs := make([][]string, 3)
	for worker := range csrs {
		for n := range 40 {
			csrs[worker] = append(csrs[worker], csrOf(t, fmt.Sprintf("w%dn%d.orchard.net", worker, n), fmt.Sprintf("w%dn%d.orchard.net", worker, n)))
		}
		load.Go(func() {
			for n, csr := range csrs[worker] {
				select {
				case <-stop:
					return
				default:
				}
				v, err := s.do(t, http.MethodPost, "/orders", application(order.MethodDNS, csr, fmt.Sprintf("w%dn%d.orchard.net", worker, n)))
				if err != nil {
					t.Error(err)
					return
				}
				lock.Lock()
				acknowledged = append(acknowledged, v.ID)
				lock.Unlock()
			}
		})
	}
	key := filepath.Join(s.dir, "backup.key")
	for i := range 5 {
		lock.Lock()
		want := slices.Clone(acknowledged)
		lock.Unlock()
		file, dir := filepath.Join(s.dir, fmt.Sprint(i, ".age")), filepath.Join(s.dir, fmt.Sprint("restored", i))
		s.db(t, 0, &backupResult{}, "backup", file, "--identity", key, "--data", s.data())
		var r restoreResult
		s.db(t, 0, &r, "restore", file, "--identity", key, "--data", dir)
		if !r.Audit.Valid {
			t.Errorf("backup %d: %+v", i, r.Audit)
		}
		raw, err := sqlite.Look(filepath.Join(dir, databaseFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range want {
			var n int
			if err := raw.Reading().QueryRowContext(t.Context(), "SELECT count(*) FROM orders JOIN due ON due.order_id = orders.id WHERE orders.id = $1", id).Scan(&n); err != nil || n == 0 {
				t.Errorf("backup %d: the order %s or what is due for it is missing: %v", i, id, err)
			}
		}
		if err := raw.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	load.Wait()
	if len(acknowledged) == 0 {
		t.Error("there was no load")
	}
	s.audited(t)
}

// TestInterrupted: a command that is stopped leaves nothing that passes for its
// result.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	s.stop(t)
	key, file, db := filepath.Join(s.dir, "backup.key"), filepath.Join(s.dir, "b.age"), filepath.Join(s.dir, "copy.db")
	s.db(t, 0, &backupResult{}, "backup", file, "--identity", key, "--data", s.data())
	before, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"backup", filepath.Join(s.dir, "c.age"), "--identity", key, "--data", s.data()},
		{"restore", file, "--identity", key, "--data", s.data(), "--replace"},
		{"restore", file, "--identity", key, "--check"},
		{"copy", "--to", db, "--data", s.data()},
		{"migrate", "--to", "1", "--data", s.data()},
	} {
		var out, said bytes.Buffer
		a := &app{out: &out, err: &said, getenv: func(string) string { return "" }, now: time.Now, text: message.New("en")}
		c := a.dbCommand()
		c.SetArgs(args)
		c.SetContext(ctx)
		c.SilenceErrors, c.SilenceUsage = true, true
		err := c.ExecuteContext(ctx)
		var f *failure
		if !errors.As(err, &f) || f.code != exitInterrupted {
			t.Errorf("%v: %v", args, err)
		}
		if out.Len() > 0 {
			t.Errorf("%v: %s", args, &out)
		}
	}
	after, err := os.ReadDir(s.dir)
	if err != nil || len(after) != len(before) {
		t.Errorf("%v; before it %v, %v", after, before, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.data(), ".restore-*")); err != nil || len(left) > 0 {
		t.Errorf("%q, %v", left, err)
	}
	var m migration
	s.db(t, 0, &m, "migrate", "--status", "--data", s.data())
}

// TestRestoreRefused: what is cut, edited, sealed for others, or has an audit chain
// that was tampered with is not restored, and what is there stays.
func TestRestoreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	s.apply(t, "one.orchard.net")
	s.audited(t)
	s.stop(t)
	path, key := filepath.Join(s.data(), databaseFile), filepath.Join(s.dir, "backup.key")
	whole := content(t, path)
	good := filepath.Join(s.dir, "good.age")
	s.db(t, 0, &backupResult{}, "backup", good, "--identity", key, "--data", s.data())
	raw, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	edited := slices.Clone(raw)
	edited[len(edited)/2] ^= 1
	other := filepath.Join(s.dir, "other.key")
	s.db(t, 0, &backupResult{}, "backup", filepath.Join(s.dir, "of-others.age"), "--identity", other, "--data", s.data())
	for name, text := range map[string][]byte{"cut.age": raw[:len(raw)-20], "short.age": raw[:100], "edited.age": edited, "longer.age": append(slices.Clone(raw), 1), "empty.age": nil} {
		file := filepath.Join(s.dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s.db(t, exitData, nil, "restore", file, "--identity", key, "--data", s.data(), "--replace")
	}
	s.db(t, exitData, nil, "restore", good, "--identity", other, "--data", s.data(), "--replace")

	// Somebody who can write to the database changes what an entry says.
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE audit SET actor = 'nobody' WHERE seq = 1"); err != nil {
		t.Fatal(err)
	}
	tampered := filepath.Join(s.dir, "tampered.age")
	s.db(t, 0, &backupResult{}, "backup", tampered, "--identity", key, "--data", s.data())
	s.db(t, 0, &restoreResult{}, "restore", good, "--identity", key, "--data", filepath.Join(s.dir, "new"))
	s.db(t, exitData, nil, "restore", tampered, "--identity", key, "--data", filepath.Join(s.dir, "new"), "--replace")
	if content(t, filepath.Join(s.dir, "new", databaseFile)) != whole {
		t.Error("a refused restore changed something")
	}
	var r restoreResult
	s.db(t, 0, &r, "restore", tampered, "--identity", key, "--data", filepath.Join(s.dir, "new"), "--replace", "--accept-broken-audit")
	if r.Audit.Valid || r.Audit.Problem == "" {
		t.Errorf("%+v", r.Audit)
	}

	// A database of a newer program is left alone, and the versions are named.
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.db(t, exitUnavailable, nil, "migrate", "--data", s.data())
	s.db(t, exitRefuse, nil, "migrate", "--data", s.data(), "--status")
	said := s.run(t, exitUnavailable, nil, "serve", "--data", s.data(), "--listen", "127.0.0.1:0")
	if !strings.Contains(said, fmt.Sprintf("is of version 99, this program knows up to %d", newest)) || !strings.Contains(said, "assay db restore FILE --replace") {
		t.Errorf("serve on a newer database: %s", said)
	}
	newer := filepath.Join(s.dir, "newer.age")
	s.db(t, 0, &backupResult{}, "backup", newer, "--identity", key, "--data", s.data())
	s.db(t, exitUnavailable, nil, "restore", newer, "--identity", key, "--data", filepath.Join(s.dir, "new"), "--replace")
}

// killed runs assay db in a process of its own and kills it at a random moment of about
// the time that it takes.
func (s *site) killed(t *testing.T, took time.Duration, args ...string) {
	t.Helper()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, append([]string{"db"}, args...)...)
	c.Env = append(os.Environ(), "HOME="+s.dir, "ASSAY_CONFIG=", "ASSAY_DATABASE=")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(rand.N(took+took/4), func() { _ = c.Process.Kill() }) // it may have ended
	_ = c.Wait()                                                                  // killed or not
	timer.Stop()
}

// TestDamaged: where the service's database is damaged its start says which file that
// is, what SQLite found, and what to do, wherever in the start it shows.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"secrets", "tenants"} {
		s := newSite(t)
		s.look(t, bare(), lab.Options{})
		s.stop(t)
		path := filepath.Join(s.data(), databaseFile)
		damage(t, path, table)
		said := s.run(t, exitUnavailable, nil, "serve", "--data", s.data(), "--listen", "127.0.0.1:0")
		for _, want := range []string{"The database " + path + " is damaged", "malformed", "try: assay db restore FILE --replace --data " + s.data()} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not said: %s", table, want, said)
			}
		}
		if strings.Contains(said, "service.unavailable") {
			t.Errorf("%s: %s", table, said)
		}
	}
}

// damage writes over the first pages of a table and of its indices.
func damage(t *testing.T, path, table string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	if err := db.QueryRow("PRAGMA page_size").Scan(&size); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query("SELECT rootpage FROM sqlite_master WHERE tbl_name = ? AND rootpage > 0", table)
	if err != nil {
		t.Fatal(err)
	}
	var pages []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, n)
	}
	if err := errors.Join(rows.Err(), db.Close()); err != nil || len(pages) == 0 {
		t.Fatal(err, pages)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, n := range pages {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, int(size)), (n-1)*size); err != nil {
			t.Fatal(err)
		}
	}
}
