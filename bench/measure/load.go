package measure

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Drive calls f from 32 places at the same time for as long as each. It returns
// the CPU time of one call in nanoseconds, that of this process, and calls a
// second; or the first error of f.
func Drive(f func() error, each time.Duration) (cpu, rate float64, err error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	before, began := CPUTime(), time.Now()
	for range 32 {
		all.Go(func() {
			for time.Since(began) < each && failed.Load() == nil {
				if err := f(); err != nil {
					failed.Store(&err)
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, 0, *err
	}
	n := float64(done.Load())
	return float64(CPUTime()-before) / n, n / time.Since(began).Seconds(), nil
}

// Memory is what n calls at the same time take, in bytes.
type Memory struct {
	Before, Peak uint64 // heap and stacks in use
	Resident     uint64 // of the process at most, from its beginning
}

// Together calls f n times at once and watches the memory. The error is one of f's.
func Together(n int, f func() error) (m Memory, err error) {
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	runtime.GC()
	m.Before = inUse()
	for range n {
		all.Go(func() {
			if err := f(); err != nil {
				failed.Store(&err)
			}
		})
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	for waiting := true; waiting; {
		select {
		case <-over:
			waiting = false
		case <-time.After(10 * time.Millisecond):
		}
		m.Peak = max(m.Peak, inUse())
	}
	m.Resident = uint64(usage().Maxrss) << 10
	if err := failed.Load(); err != nil {
		return m, *err
	}
	return m, nil
}

func inUse() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapInuse + s.StackInuse
}

// CPUTime is what this process has used.
func CPUTime() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func usage() (u syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u
}
