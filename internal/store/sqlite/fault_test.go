package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	moderncsqlite "modernc.org/sqlite"

	"assay/internal/store"
	"assay/internal/store/sqlstore"
)

var (
	ctx        = context.Background()
	noon       = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	errFault   = errors.New("the disk fails")
	errFaultIO = fmt.Errorf("%w: %w", store.ErrUnavailable, errFault)
)

// pair writes two rows that must be there together or not at all.
func pair(tx store.Tx, id string, size int) error {
	if err := tx.PutSecret(id+"/1", make([]byte, size), noon); err != nil {
		return err
	}
	return tx.PutSecret(id+"/2", make([]byte, size), noon)
}

// there says whether a pair is there, and fails the test for half of one.
func there(t *testing.T, db store.Store, id string) bool {
	t.Helper()
	found := 0
	for _, half := range []string{"/1", "/2"} {
		_, err := db.Secret(ctx, id+half)
		if err == nil {
			found++
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if found == 1 {
		t.Errorf("half of unit %s is there", id)
	}
	return found == 2
}

// judge compares what callers were told with what is there.
func judge(t *testing.T, db store.Store, told map[string]error) (kept int) {
	t.Helper()
	for id, err := range told {
		is := there(t, db, id)
		switch {
		case err == nil && !is:
			t.Errorf("unit %s was acknowledged and is lost", id)
		case err != nil && is && !errors.Is(err, store.ErrUnsure):
			t.Errorf("unit %s is there, and its caller was told %v", id, err)
		}
		if is {
			kept++
		}
	}
	return kept
}

// load writes pairs from several callers and returns what they were told.
func load(db store.Store, callers, each, size int) map[string]error {
	told := map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", c, i)
				err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, id, size) })
				mu.Lock()
				told[id] = err
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return told
}

// TestFull fills a database that may not grow: who finds no room is told so, who
// was told it is kept finds it, and a small unit still fits beside a large one.
func TestFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "assay.db")
	db, err := open(ctx, path, dsn(path)+"&_pragma=max_page_count(200)")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			size := []int{1 << 20, 10}[i%2]
			err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, fmt.Sprint("mixed", i), size) })
			if (size > 10) != errors.Is(err, store.ErrFull) {
				t.Errorf("a unit of %d bytes: %v", size, err)
			}
		})
	}
	all.Wait()
	told := load(db, 8, 12, 5000)
	full := 0
	for id, err := range told {
		if errors.Is(err, store.ErrFull) {
			full++
		} else if err != nil {
			t.Errorf("unit %s: %v", id, err)
		}
	}
	kept := judge(t, db, told)
	if full == 0 || kept == 0 {
		t.Errorf("%d units found no room, %d are kept: the test shows nothing", full, kept)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(ctx, path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	judge(t, db, told)
	if err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, "room again", 5000) }); err != nil {
		t.Error("with room again:", err)
	}
}

// TestEveryFault lets the nth operation of the writing connection fail, for
// every n there is, in three ways, and compares what callers were told with
// what a new process finds.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	made := filepath.Join(t.TempDir(), "empty.db")
	db, err := Open(ctx, made)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"refused", "done and not said", "connection lost"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			struck := true
			failed := 0
			for n := 1; struck; n++ {
				path := filepath.Join(t.TempDir(), "assay.db")
				if err := os.WriteFile(path, empty, 0o600); err != nil {
					t.Fatal(err)
				}
				f := &fault{at: n, way: way}
				broken := faulty(t, path, f)
				told := load(broken, 2, 2, 10)
				over := f.struck()
				if err := broken.Write(ctx, func(tx store.Tx) error { return pair(tx, "after", 10) }); err != nil && over {
					t.Errorf("fault %d: the store does not recover: %v", n, err)
				}
				if err := broken.Close(); err != nil {
					t.Fatal(err)
				}
				db, err := Open(ctx, path)
				if err != nil {
					t.Fatal(err)
				}
				judge(t, db, told)
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				for _, err := range told {
					if err != nil {
						failed++
						if !errors.Is(err, store.ErrUnavailable) {
							t.Errorf("fault %d: %v", n, err)
						}
					}
				}
				struck = f.struck()
			}
			if failed == 0 {
				t.Error("no fault reached a caller")
			}
		})
	}
}

// TestReadFails lets the nth read of the writing connection fail, after which SQLite has
// rolled all back, as with a disk that is full. What the callers of the units that share the
// transaction are told is so: nothing of one that refuses is there.
func TestReadFails(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused by its own rules")
	struck := true
	for n := 1; struck; n++ {
		path := filepath.Join(t.TempDir(), "assay.db")
		made, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Close(); err != nil {
			t.Fatal(err)
		}
		f := &fault{at: n, way: readRollsBack}
		db := faulty(t, path, f)
		told := map[string]error{}
		var callers sync.WaitGroup
		var mu sync.Mutex
		come := func(id string, last error) { // to wait for the next transaction
			waiting := make(chan struct{})
			callers.Go(func() {
				close(waiting)
				err := db.Write(ctx, func(tx store.Tx) error {
					if _, err := tx.Order("root", "none"); last == nil && !errors.Is(err, store.ErrNotFound) {
						return err
					}
					return errors.Join(pair(tx, id, 10), last)
				})
				mu.Lock()
				defer mu.Unlock()
				told[id] = err
			})
			<-waiting
			<-time.After(time.Millisecond)
		}
		err = db.Write(ctx, func(store.Tx) error {
			for i := range 4 {
				come(fmt.Sprint(i), nil)
			}
			come("refused", refused)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		callers.Wait()
		judge(t, db, told)
		if !errors.Is(told["refused"], refused) {
			t.Errorf("fault %d: the unit that refuses: %v", n, told["refused"])
		}
		struck = f.struck()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRefusedByLost: who is refused for what another unit wrote is refused for
// what is there. Many callers write one row at the same moment, and the commit
// that they share fails.
func TestRefusedByLost(t *testing.T) {
	t.Parallel()
	refused := 0
	struck := true
	for n := 1; struck; n++ {
		f := &fault{at: n, way: "refused"}
		path := filepath.Join(t.TempDir(), "assay.db")
		made, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Close(); err != nil {
			t.Fatal(err)
		}
		db := faulty(t, path, f)
		var callers sync.WaitGroup
		var mu sync.Mutex
		err = db.Write(ctx, func(store.Tx) error { // while it runs they come to wait for the next
			var waiting sync.WaitGroup
			for range 8 {
				waiting.Add(1)
				callers.Go(func() {
					waiting.Done()
					err := db.Write(ctx, func(tx store.Tx) error {
						return tx.PutRequest(store.Request{Token: "t", Key: "k", Digest: []byte("d"), Status: 200, Created: noon})
					})
					if !errors.Is(err, store.ErrAnswered) {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					refused++
					if _, err := db.Request(ctx, "t", "k"); err != nil {
						t.Errorf("fault %d: a caller was refused for a row that is not there: %v", n, err)
					}
				})
			}
			waiting.Wait()
			<-time.After(2 * time.Millisecond)
			return nil
		})
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatal(err)
		}
		callers.Wait()
		struck = f.struck()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("nobody was refused")
	}
}

// readRollsBack is the way in which only reads fail.
const readRollsBack = "a read that rolls all back"

// A fault strikes at one operation.
type fault struct {
	mu    sync.Mutex
	at, n int
	way   string
}

func (f *fault) struck() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n >= f.at
}

// next counts an operation and says whether it is the one.
func (f *fault) next() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return f.n == f.at
}

// faulty is the store on a driver that fails.
func faulty(t *testing.T, path string, f *fault) *sqlstore.DB {
	t.Helper()
	write := sql.OpenDB(&connector{source: dsn(path) + "&_txlock=immediate", fault: f})
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	d := dialect()
	d.Translate = func(err error) error {
		if errors.Is(err, errFault) || errors.Is(err, driver.ErrBadConn) {
			return errFaultIO
		}
		return translate(err)
	}
	d.Unsure = func(err error) bool { return true }
	return sqlstore.New(d, write, read)
}

type connector struct {
	source string
	fault  *fault
}

func (c *connector) Driver() driver.Driver { return &moderncsqlite.Driver{} }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.source)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: conn, fault: c.fault}, nil
}

// A faultyConn offers what database/sql needs at least, so that everything goes
// through its statements.
type faultyConn struct {
	driver.Conn
	fault *fault
	dead  bool
}

func (c *faultyConn) Prepare(query string) (driver.Stmt, error) {
	s, err := c.Conn.Prepare(query)
	if err != nil {
		return nil, err
	}
	return &faultyStmt{Stmt: s, conn: c}, nil
}

type faultyStmt struct {
	driver.Stmt
	conn *faultyConn
}

func (s *faultyStmt) Exec(args []driver.Value) (driver.Result, error) {
	if s.conn.dead {
		return nil, errFault
	}
	if s.conn.fault.way == readRollsBack || !s.conn.fault.next() {
		return s.really(args)
	}
	switch s.conn.fault.way {
	case "done and not said":
		if _, err := s.really(args); err != nil {
			return nil, err
		}
	case "connection lost":
		s.conn.dead = true
	}
	return nil, errFault
}

func (s *faultyStmt) Query(args []driver.Value) (driver.Rows, error) {
	if s.conn.fault.way != readRollsBack || !s.conn.fault.next() {
		return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, named(args))
	}
	undo, err := s.conn.Conn.Prepare("ROLLBACK")
	if err != nil {
		return nil, err
	}
	defer undo.Close()
	if _, err := (&faultyStmt{Stmt: undo, conn: s.conn}).really(nil); err != nil {
		return nil, err
	}
	return nil, errFault
}

// really runs the statement.
func (s *faultyStmt) really(args []driver.Value) (driver.Result, error) {
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	list := make([]driver.NamedValue, len(args))
	for i, v := range args {
		list[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return list
}
