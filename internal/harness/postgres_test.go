package harness

import (
	"testing"
	"time"

	"assay/internal/store/pgtest"
)

// database is a PostgreSQL server of a test's own, and a database on it.
func database(t *testing.T) (*pgtest.Server, string) {
	t.Helper()
	s, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
	return s, s.Database(t)
}

// TestPostgres kills both servers on a PostgreSQL database, which take the same
// orders' requests and what is due, at one moment.
func TestPostgres(t *testing.T) {
	t.Parallel()
	_, at := database(t)
	s := newSiege(t, at, 0)
	s.servers = 2
	s.run(t, max(10, kills()/10), time.Now)
}

// TestPostgresOne kills one of the two servers over and over while the other goes
// on, takes over what was begun, and meets the one that is started again.
func TestPostgresOne(t *testing.T) {
	t.Parallel()
	_, at := database(t)
	s := newSiege(t, at, 0)
	s.servers = 2
	s.strike = func(f *field) error {
		for range 3 {
			one := s.rand.IntN(len(f.servers))
			f.servers[one].kill()
			// Some time alone: sometimes until the dead one's leases are over.
			<-time.After(time.Duration(s.rand.IntN(2 * int(lease))))
			if err := f.enter(one); err != nil {
				return err
			}
			<-time.After(time.Duration(s.rand.IntN(60)) * time.Millisecond)
		}
		return nil
	}
	s.run(t, max(5, kills()/50), time.Now)
}

// TestPostgresStopped stops the database under load, as a crash does and as an
// administrator does, starts it while the servers run on, and kills those later.
func TestPostgresStopped(t *testing.T) {
	t.Parallel()
	db, at := database(t)
	s := newSiege(t, at, 0)
	s.servers = 2
	s.strike = func(*field) error {
		if err := db.Down(s.rand.IntN(2) == 0); err != nil {
			return err
		}
		if err := db.Up(); err != nil {
			return err
		}
		<-time.After(time.Duration(s.rand.IntN(200)) * time.Millisecond)
		return nil
	}
	s.run(t, max(5, kills()/50), time.Now)
}

// TestPostgresGreedy: of two servers that both take what the other has the lease
// of, the harness finds that they do.
func TestPostgresGreedy(t *testing.T) {
	t.Parallel()
	_, at := database(t)
	s := newSiege(t, at, 0)
	s.servers, s.Defect = 2, greedy
	s.finds(t, "double effect:")
}
