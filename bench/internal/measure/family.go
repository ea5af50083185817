package measure

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// FamilyCPU returns the processor time of a process, of its children, and of
// children of it that have ended.
func FamilyCPU(pid int) (time.Duration, error) {
	sum, _, err := withEnded(pid)
	if err != nil {
		return 0, err
	}
	others, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, path := range others {
		child, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			return 0, err
		}
		used, parent, err := withEnded(child)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it has ended
		case err != nil:
			return 0, err
		case parent == pid:
			sum += used
		}
	}
	return sum, nil
}

// withEnded returns the processor time of a process and of the children that it has
// waited for, and its parent: fields 14 to 17 and 4 of /proc/PID/stat.
//
// Source: proc(5).
func withEnded(pid int) (used time.Duration, parent int, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, syscall.ESRCH) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from field 3
	if len(fields) < 15 {
		return 0, 0, errors.New("malformed stat of the process")
	}
	var ticks int64
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		ticks += n
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return time.Duration(ticks) * (time.Second / userHz), parent, err
}
