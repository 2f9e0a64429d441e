package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFull has the files of a server's database stop growing under load, over
// and over: the kernel refuses to write past a limit (setrlimit(2), RLIMIT_FSIZE),
// also in the middle of what is written, as it does where a disk or a quota is
// full, and that needs no privilege. Requests are answered with a problem that
// says so; once there is room the same process goes on by itself. The server is
// killed now with room and now without.
func TestFull(t *testing.T) {
	t.Parallel()
	s := newSiege(t, filepath.Join(t.TempDir(), "assay.db"), 0)
	s.strike = func(f *field) error {
		for range 3 {
			if err := f.fill(); err != nil {
				return err
			}
			if s.rand.IntN(6) == 0 {
				return nil // it is killed while there is no room
			}
			if err := f.room(); err != nil {
				return err
			}
		}
		return nil
	}
	s.run(t, max(8, kills()/30), time.Now)
	if s.book.unavailable == 0 {
		t.Error("nobody found the disk full")
	}
	t.Logf("%d requests found no room", s.book.unavailable)
}

// fill sets the limit near where the log of the database ends, so that it strikes
// between two pages and within one, and waits until a request is refused for it.
func (f *field) fill() error {
	info, err := os.Stat(f.Database + "-wal")
	if err != nil {
		return err
	}
	before, _ := f.book.counts()
	if err := f.limit(uint64(f.rand.Int64N(info.Size() + 16<<10))); err != nil {
		return err
	}
	return f.until("a request is refused", func() bool {
		// What was begun may still fit, and a log that starts anew: then less does.
		refused, _ := f.book.counts()
		return refused > before
	}, func() error { return f.limit(uint64(f.rand.Int64N(8 << 10))) })
}

// room takes the limit away and waits until a new request is acknowledged.
func (f *field) room() error {
	if err := f.limit(unix.RLIM_INFINITY); err != nil {
		return err
	}
	_, before := f.book.counts()
	return f.until("a request is acknowledged", func() bool {
		_, done := f.book.counts()
		return done > before
	}, func() error { return nil })
}

func (f *field) limit(size uint64) error {
	return unix.Prlimit(f.servers[0].cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil)
}

// until waits for what clients are told; again comes once a second.
func (f *field) until(what string, is func() bool, again func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 1; !is(); i++ {
		select {
		case <-tick.C:
		case <-f.using.Done():
			return f.using.Err()
		}
		if i == 6000 {
			return errors.New("a minute passed, and not: " + what)
		}
		if i%100 == 0 {
			if err := again(); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	return nil
}
