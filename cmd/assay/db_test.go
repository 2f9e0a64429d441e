package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"assay/internal/client"
	"assay/internal/message"
	"assay/internal/service"
	"assay/internal/store/copy"
	"assay/internal/store/pgtest"
	"assay/internal/store/sqlite"
	"assay/lab"
	"assay/order"
)

// db runs an assay db command of the real program, wants an exit code, and reads
// its JSON, where into is not nil.
func (s *site) db(t *testing.T, code int, into any, args ...string) {
	t.Helper()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"db"}, args...)
	if into != nil {
		args = append(args, "--json")
	}
	c := exec.Command(binary, args...)
	c.Env = append(os.Environ(), "LANG=C.UTF-8", "HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir, "ASSAY_CONFIG=", "ASSAY_DATABASE="+s.database)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if c.ProcessState.ExitCode() != code {
		t.Fatalf("%v: exit code %d, want %d: %s%s", args, c.ProcessState.ExitCode(), code, &out, &said)
	}
	if into != nil && code == 0 {
		if err := json.Unmarshal(out.Bytes(), into); err != nil {
			t.Fatalf("%v: %v: %s", args, err, &out)
		}
	}
}

func (s *site) data() string { return filepath.Join(s.dir, "data") }

// content is the digest of everything in the site's SQLite database.
func content(t *testing.T, path string) string {
	t.Helper()
	raw, err := sqlite.Look(path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	all, err := copy.Digest(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return copy.Whole(all)
}

// due lists what is due for whom and when, without who holds it.
func due(t *testing.T, path string) (list []string) {
	t.Helper()
	raw, err := sqlite.Look(path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	rows, err := raw.Reading().QueryContext(t.Context(), "SELECT order_id, kind, due_at FROM due ORDER BY order_id, kind")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, kind string
		var at int64
		if err := rows.Scan(&id, &kind, &at); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(id, " ", kind, " ", at))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func (s *site) apply(t *testing.T, name string) *service.View {
	t.Helper()
	return s.must(t, http.MethodPost, "/orders", application(order.MethodDNS, csrOf(t, name, name), name))
}

// same reports what of an order must not change while nobody touches it.
func same(t *testing.T, got, want *service.View) {
	t.Helper()
	if got.State != want.State || got.Challenges[0].Value != want.Challenges[0].Value || !got.Deadline.Equal(*want.Deadline) {
		t.Errorf("order %s: %s %s %v; was %s %s %v", want.ID, got.State, got.Challenges[0].Value, got.Deadline, want.State, want.Challenges[0].Value, want.Deadline)
	}
}

// publish is a world where the values of orders are published.
func publish(orders ...*service.View) lab.Change {
	zone := lab.ZoneChange{}
	for _, v := range orders {
		label := v.Order.Names[0][:len(v.Order.Names[0])-len(".orchard.net")]
		zone.Add = append(zone.Add, "_dnsauth."+label+` TXT "`+v.Challenges[0].Value+`"`, label+" A 45.155.10.21")
	}
	return lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": zone}}
}

// TestUpgradeAndRollBack: orders are pending and due; the database is backed up
// while it is served, stopped, taken to the version before and up again, and
// served: everything is there and goes on. Then the backup leads back to what was
// when it was made, on this machine and on a new one.
func TestUpgradeAndRollBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	first, second, third := s.apply(t, "one.orchard.net"), s.apply(t, "two.orchard.net"), s.apply(t, "three.orchard.net")
	s.must(t, http.MethodPost, "/orders/"+third.ID+"/cancel", nil)
	s.audited(t)

	file, key := filepath.Join(s.dir, "before.age"), filepath.Join(s.dir, "backup.key")
	var made backupResult
	s.db(t, 0, &made, "backup", file, "--identity", key, "--data", s.data())
	if !slices.Contains(made.Files, keyName) || made.Rows == 0 || made.Schema != 2 {
		t.Errorf("%+v", made)
	}
	s.db(t, exitUnavailable, nil, "migrate", "--data", s.data())
	s.db(t, exitUnavailable, nil, "restore", file, "--identity", key, "--data", s.data(), "--replace")
	after := s.apply(t, "four.orchard.net") // what the way back cannot know
	s.stop(t)

	path := filepath.Join(s.data(), databaseFile)
	whole, waiting := content(t, path), due(t, path)
	if len(waiting) < 4 {
		t.Fatalf("too little is due: %q", waiting)
	}
	var m migration
	s.db(t, 0, &m, "migrate", "--data", s.data(), "--to", "1")
	if m.From != 2 || m.To != 1 {
		t.Errorf("%+v", m)
	}
	s.db(t, exitRefuse, nil, "migrate", "--data", s.data(), "--status")
	s.db(t, 0, &m, "migrate", "--data", s.data())
	if m.From != 1 || m.To != 2 {
		t.Errorf("%+v", m)
	}
	s.db(t, 0, &m, "migrate", "--data", s.data())
	if m.From != 2 || m.To != 2 {
		t.Errorf("again: %+v", m)
	}
	if content(t, path) != whole || !slices.Equal(due(t, path), waiting) {
		t.Error("something changed on the way down and up")
	}

	// Served from the version before, as after an upgrade.
	s.db(t, 0, &m, "migrate", "--data", s.data(), "--to", "1")
	s.look(t, publish(first, after), lab.Options{})
	same(t, s.must(t, http.MethodGet, "/orders/"+second.ID, nil), second)
	for _, v := range []*service.View{first, after} {
		if v = s.verify(t, v.ID); v.State != order.StateReady {
			t.Errorf("after the upgrade: %s %v", v.State, rootCauses(v.Findings))
		}
	}
	s.audited(t)
	s.stop(t)

	// The way back.
	s.db(t, exitUsage, nil, "restore", file, "--identity", key, "--data", s.data())
	var back restoreResult
	s.db(t, 0, &back, "restore", file, "--identity", key, "--data", s.data(), "--replace")
	if back.Digest != made.Digest || content(t, path) != made.Digest || !back.Audit.Valid || back.OtherKey || back.Audit.Entries == 0 {
		t.Errorf("restored: %+v", back)
	}
	if _, err := os.Stat(filepath.Join(back.Kept, databaseFile)); err != nil {
		t.Error("what was there is not kept:", err)
	}
	s.goesOn(t, first, second, third, after)

	// On a machine that has nothing but the backup and the key that opens it.
	s.stop(t)
	moved := filepath.Join(s.dir, "old-machine")
	if err := os.Rename(s.data(), moved); err != nil {
		t.Fatal(err)
	}
	var elsewhere restoreResult
	s.db(t, 0, &elsewhere, "restore", file, "--identity", key, "--data", s.data())
	if elsewhere.Kept != "" || elsewhere.Digest != made.Digest {
		t.Errorf("elsewhere: %+v", elsewhere)
	}
	s.goesOn(t, first, second, third, after)
}

// goesOn: with the token from before the server goes on where the backup was made.
func (s *site) goesOn(t *testing.T, first, second, third, after *service.View) {
	t.Helper()
	s.look(t, publish(first), lab.Options{})
	same(t, s.must(t, http.MethodGet, "/orders/"+second.ID, nil), second)
	if v := s.must(t, http.MethodGet, "/orders/"+third.ID, nil); v.State != order.StateCancelled {
		t.Errorf("%s is %s", v.ID, v.State)
	}
	var p *client.Problem
	if _, err := s.do(t, http.MethodGet, "/orders/"+after.ID, nil); !errors.As(err, &p) || p.Status != http.StatusNotFound {
		t.Errorf("an order from after the backup: %v", err)
	}
	if v := s.verify(t, first.ID); v.State != order.StateReady {
		t.Errorf("after the restore: %s %v", v.State, rootCauses(v.Findings))
	}
	s.audited(t)
}

// TestCopyThereAndBack: SQLite to PostgreSQL and back by the command, with equal
// digests; both refuse while a server has the source; backups of PostgreSQL.
func TestCopyThereAndBack(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Remove(); err != nil {
			t.Error(err)
		}
	})
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	v := s.apply(t, "one.orchard.net")
	s.audited(t)
	at := server.Database(t)
	s.db(t, exitUnavailable, nil, "copy", "--data", s.data(), "--to", at)
	var r copyResult
	s.db(t, 0, &r, "copy", "--data", s.data(), "--to", filepath.Join(s.dir, "beside.db"), "--snapshot")
	if !r.Running || r.Source != r.Target {
		t.Errorf("%+v", r)
	}
	s.stop(t)
	whole := content(t, filepath.Join(s.data(), databaseFile))
	s.db(t, 0, &r, "copy", "--data", s.data(), "--to", at)
	if r.Source != whole || r.Target != whole || r.Running {
		t.Errorf("there: %+v; want %s", r, whole)
	}
	s.db(t, exitUsage, nil, "copy", "--data", s.data(), "--to", at)
	s.database = at
	back := filepath.Join(s.dir, "back.db")
	s.db(t, 0, &r, "copy", "--data", s.data(), "--to", back)
	if r.Source != whole || content(t, back) != whole {
		t.Errorf("and back: %+v; want %s", r, whole)
	}

	// Served from PostgreSQL it goes on; copies and ways down are refused.
	s.look(t, publish(v), lab.Options{})
	if v := s.verify(t, v.ID); v.State != order.StateReady {
		t.Errorf("on PostgreSQL: %s %v", v.State, rootCauses(v.Findings))
	}
	s.audited(t)
	s.db(t, exitUnavailable, nil, "copy", "--data", s.data(), "--to", filepath.Join(s.dir, "no.db"))
	s.db(t, exitUnavailable, nil, "migrate", "--to", "1", "--data", s.data())
	file, key := filepath.Join(s.dir, "pg.age"), filepath.Join(s.dir, "backup.key")
	var made backupResult
	s.db(t, 0, &made, "backup", file, "--identity", key, "--data", s.data())
	s.db(t, exitUnavailable, nil, "restore", file, "--identity", key, "--data", s.data(), "--replace")
	s.stop(t)
	s.db(t, exitUsage, nil, "restore", file, "--identity", key, "--data", s.data())
	var again restoreResult
	s.db(t, 0, &again, "restore", file, "--identity", key, "--data", s.data(), "--replace")
	s.db(t, 0, &r, "copy", "--data", s.data(), "--to", filepath.Join(s.dir, "restored.db"))
	if made.Engine != "postgres" || again.Digest != made.Digest || r.Source != made.Digest {
		t.Errorf("%+v\n%+v\n%+v", made, again, r)
	}
	// And into an empty database with an empty directory, as SQLite from PostgreSQL.
	if err := os.Rename(s.data(), filepath.Join(s.dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	s.database = ""
	s.db(t, 0, &again, "restore", file, "--identity", key, "--data", s.data())
	s.look(t, bare(), lab.Options{})
	if v := s.must(t, http.MethodGet, "/orders/"+v.ID, nil); v.State != order.StateReady {
		t.Errorf("from PostgreSQL's backup: %s", v.State)
	}
	s.audited(t)
}

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
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.db(t, 0, &restoreResult{}, "restore", files[1], "--identity", key, "--data", s.data(), "--replace")
	took := time.Since(began)
	seen := map[string]int{}
	for i := range 30 {
		c := exec.Command(binary, "db", "restore", files[i%2], "--identity", key, "--data", s.data(), "--replace")
		c.Env = append(os.Environ(), "HOME="+s.dir, "ASSAY_CONFIG=", "ASSAY_DATABASE=")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(rand.N(took+took/4), func() { _ = c.Process.Kill() }) // it may have ended
		_ = c.Wait()                                                                  // killed or not
		timer.Stop()
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
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.db(t, exitUnavailable, nil, "migrate", "--data", s.data())
	s.db(t, exitRefuse, nil, "migrate", "--data", s.data(), "--status")
	newer := filepath.Join(s.dir, "newer.age")
	s.db(t, 0, &backupResult{}, "backup", newer, "--identity", key, "--data", s.data())
	s.db(t, exitUnavailable, nil, "restore", newer, "--identity", key, "--data", filepath.Join(s.dir, "new"), "--replace")
}
