// Package measure takes the figures of a benchmark: what a process used, what
// the machine is, and the file that keeps both.
package measure

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Usage is what a process has used, as the kernel counts it.
type Usage struct {
	PeakRSS int64         // most memory resident at once since ResetPeak or its start, in bytes
	CPU     time.Duration // user and system, of all its threads
}

// Of reads the usage of a running process.
func Of(pid int) (Usage, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, err
	}
	peak, err := kilobytes(status, "VmHWM:")
	if err != nil {
		return Usage{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	cpu, err := cpuTime(stat)
	return Usage{PeakRSS: peak, CPU: cpu}, err
}

// ResetPeak makes the kernel forget the peak of a process until now.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// kilobytes finds a line "name  123 kB" and returns its figure in bytes.
func kilobytes(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == name {
			n, err := strconv.ParseInt(string(f[1]), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of the process", name)
}

// userHz is the unit of times in /proc, fixed on Linux for all that Go runs on.
const userHz = 100

// cpuTime reads fields 14 and 15 of /proc/PID/stat. Field 2, the command in
// parentheses, may hold blanks and parentheses itself.
//
// Source: proc(5).
func cpuTime(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from field 3
	if len(fields) < 13 {
		return 0, errors.New("malformed stat of the process")
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / userHz), nil
}

// Self returns the processor time that this process has used, user and system, of
// all its threads.
func Self() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
