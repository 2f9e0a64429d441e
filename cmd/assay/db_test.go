package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"assay/internal/client"
	"assay/internal/service"
	"assay/internal/store/copy"
	"assay/internal/store/migrations"
	"assay/internal/store/pgtest"
	"assay/internal/store/sqlite"
	"assay/lab"
	"assay/order"
)

// readsSeen is the oldest version of the tables whose programs read what checks saw as it is
// kept now: the way down ends there.
const readsSeen = 7

// db runs an assay db command of the real program, wants an exit code, and reads
// its JSON, where into is not nil.
func (s *site) db(t *testing.T, code int, into any, args ...string) {
	t.Helper()
	s.run(t, code, into, append([]string{"db"}, args...)...)
}

func (s *site) run(t *testing.T, code int, into any, args ...string) (said string) {
	t.Helper()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		args = append(args, "--json")
	}
	c := exec.Command(binary, args...)
	c.Env = append(os.Environ(), "LANG=C.UTF-8", "HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir, "ASSAY_CONFIG=", "ASSAY_DATABASE="+s.database)
	var out, problem bytes.Buffer
	c.Stdout, c.Stderr = &out, &problem
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if c.ProcessState.ExitCode() != code {
		t.Fatalf("%v: exit code %d, want %d: %s%s", args, c.ProcessState.ExitCode(), code, &out, &problem)
	}
	if into != nil && code == 0 {
		if err := json.Unmarshal(out.Bytes(), into); err != nil {
			t.Fatalf("%v: %v: %s", args, err, &out)
		}
	}
	return problem.String()
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
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	first, second, third := s.apply(t, "one.orchard.net"), s.apply(t, "two.orchard.net"), s.apply(t, "three.orchard.net")
	s.must(t, http.MethodPost, "/orders/"+third.ID+"/cancel", nil)
	s.audited(t)

	file, key := filepath.Join(s.dir, "before.age"), filepath.Join(s.dir, "backup.key")
	var made backupResult
	s.db(t, 0, &made, "backup", file, "--identity", key, "--data", s.data())
	if !slices.Contains(made.Files, keyName) || made.Rows == 0 || made.Schema != newest {
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
	var older backupResult
	s.db(t, exitUsage, nil, "migrate", "--data", s.data(), "--to", "1") // whose programs cannot read what was seen
	s.db(t, 0, &m, "migrate", "--data", s.data(), "--to", fmt.Sprint(readsSeen))
	if m.From != newest || m.To != readsSeen {
		t.Errorf("%+v", m)
	}
	s.db(t, exitRefuse, nil, "migrate", "--data", s.data(), "--status")
	s.db(t, 0, &m, "migrate", "--data", s.data())
	if m.From != readsSeen || m.To != newest {
		t.Errorf("%+v", m)
	}
	s.db(t, 0, &m, "migrate", "--data", s.data())
	if m.From != newest || m.To != newest {
		t.Errorf("again: %+v", m)
	}
	if content(t, path) != whole || !slices.Equal(due(t, path), waiting) {
		t.Error("something changed on the way down and up")
	}

	// Served from the version before, as after an upgrade. A backup of that version
	// is restored at that version: the program of then can serve it.
	s.db(t, 0, &m, "migrate", "--data", s.data(), "--to", fmt.Sprint(readsSeen))
	old, aside := filepath.Join(s.dir, "old.age"), filepath.Join(s.dir, "aside")
	s.db(t, 0, &older, "backup", old, "--identity", key, "--data", s.data())
	s.db(t, 0, &restoreResult{}, "restore", old, "--identity", key, "--data", aside)
	s.db(t, exitRefuse, nil, "migrate", "--data", aside, "--status")
	if older.Schema != readsSeen || content(t, filepath.Join(aside, databaseFile)) != whole {
		t.Errorf("at the version before: %+v", older)
	}
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
	s.db(t, exitUnavailable, nil, "rekey", "--data", s.data())
	file, key := filepath.Join(s.dir, "pg.age"), filepath.Join(s.dir, "backup.key")
	var made backupResult
	s.db(t, 0, &made, "backup", file, "--identity", key, "--data", s.data())
	s.db(t, exitUnavailable, nil, "restore", file, "--identity", key, "--data", s.data(), "--replace")
	s.stop(t)
	var turned rekeyResult
	s.db(t, 0, &turned, "rekey", "--data", s.data())
	if turned.Engine != "postgres" || turned.Values == 0 {
		t.Errorf("%+v", turned)
	}
	s.look(t, publish(v), lab.Options{})
	s.audited(t)
	s.stop(t)
	s.db(t, exitUsage, nil, "restore", file, "--identity", key, "--data", s.data())
	var again restoreResult
	s.db(t, 0, &again, "restore", file, "--identity", key, "--data", s.data(), "--replace")
	s.db(t, 0, &r, "copy", "--data", s.data(), "--to", filepath.Join(s.dir, "restored.db"))
	if made.Engine != "postgres" || again.Digest != made.Digest || r.Source != made.Digest {
		t.Errorf("%+v\n%+v\n%+v", made, again, r)
	}
	newest, err := migrations.Newest("sqlite")
	if err != nil {
		t.Fatal(err)
	}
	// A backup of tables of the version before is brought up to date on the way into
	// PostgreSQL, which has this program's.
	s.db(t, 0, &migration{}, "migrate", "--to", fmt.Sprint(readsSeen), "--data", s.data())
	s.db(t, 0, &backupResult{}, "backup", filepath.Join(s.dir, "old.age"), "--identity", key, "--data", s.data())
	s.database = server.Database(t)
	s.db(t, 0, &again, "restore", filepath.Join(s.dir, "old.age"), "--identity", key, "--data", filepath.Join(s.dir, "old"))
	var m migration
	s.db(t, 0, &m, "migrate", "--status", "--data", filepath.Join(s.dir, "old"))
	if again.Schema != readsSeen || m.To != newest || again.Digest != made.Digest {
		t.Errorf("%+v, %+v", again, m)
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
