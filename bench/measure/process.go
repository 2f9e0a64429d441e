package measure

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of times in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// Process is the CPU time that another process has used, and its largest resident
// memory in bytes. It reads /proc, so it works on Linux only.
func Process(pid int) (cpu time.Duration, resident uint64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The command's name stands in brackets, and may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const user, system = 11, 12 // utime and stime, of proc_pid_stat(5)
	if len(fields) <= system {
		return 0, 0, fmt.Errorf("process %d: %d fields", pid, len(fields))
	}
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("process %d: %w", pid, err)
		}
		cpu += time.Duration(n) * tick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	kilobytes, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 64)
	return cpu, kilobytes << 10, err
}

// Family is the CPU time of a process and of all that it started: of a PostgreSQL
// server and its connections. Of those that ended it counts what the process has
// waited for. 0 is no process.
func Family(pid int) (cpu time.Duration, err error) {
	if pid == 0 {
		return 0, nil
	}
	all, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it ended
		}
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		const parent, user, ended = 1, 11, 14 // ppid, utime … cstime, of proc_pid_stat(5)
		own := e.Name() == strconv.Itoa(pid)
		if len(fields) <= ended || !own && string(fields[parent]) != strconv.Itoa(pid) {
			continue
		}
		last := user + 1
		if own {
			last = ended
		}
		for i := user; i <= last; i++ {
			n, err := strconv.ParseInt(string(fields[i]), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("process %s: %w", e.Name(), err)
			}
			cpu += time.Duration(n) * tick
		}
	}
	return cpu, nil
}
