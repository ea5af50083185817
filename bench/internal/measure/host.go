package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Host is what a figure depends on besides the code. It names neither the
// machine nor any path on it.
type Host struct {
	CPU    string // model, as the kernel has it
	CPUs   int
	Memory int64 // bytes
	Go     string
	Commit string // short hash; "-dirty" follows if the tree was not as committed
	Disk   Disk
}

// Disk is the file system that a benchmark writes to, as measured before it.
type Disk struct {
	FileSystem     string
	Write          float64       // bytes per second, 256 MiB in order, synced
	Sync50, Sync99 time.Duration // 4 KiB appended and synced, of 200
}

// Class returns a short name of the kind of host, for file names.
func (h Host) Class() string {
	return fmt.Sprintf("%dcpu-%s-%s", h.CPUs, runtime.GOOS, runtime.GOARCH)
}

// ThisHost describes the machine; dir is a folder on the disk of the benchmark,
// source one of the repository.
func ThisHost(ctx context.Context, dir, source string) (Host, error) {
	h := Host{CPU: "unknown", CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(text) {
			if name, model, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(name) == "model name" {
				h.CPU = strings.TrimSpace(model)
				break
			}
		}
	}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return Host{}, err
	}
	h.Memory = int64(info.Totalram) * int64(info.Unit)
	var err error
	if h.Commit, err = commit(ctx, source); err != nil {
		return Host{}, err
	}
	h.Disk, err = probe(dir)
	return h, err
}

// commit returns the hash of the tree's commit.
func commit(ctx context.Context, source string) (string, error) {
	hash, err := exec.CommandContext(ctx, "git", "-C", source, "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	changes, err := exec.CommandContext(ctx, "git", "-C", source, "status", "--porcelain", "--untracked-files=no").Output()
	if err != nil {
		return "", fmt.Errorf("git status: %w", err)
	}
	name := strings.TrimSpace(string(hash))
	if len(changes) > 0 {
		name += "-dirty"
	}
	return name, nil
}

// probe measures the disk under dir.
func probe(dir string) (d Disk, err error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return Disk{}, err
	}
	d.FileSystem = fileSystem(int64(fs.Type))
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		return Disk{}, err
	}
	defer func() {
		if e := os.Remove(f.Name()); err == nil {
			err = e
		}
	}()
	defer f.Close()
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i * 31)
	}
	const blocks = 256
	start := time.Now()
	for range blocks {
		if _, err := f.Write(block); err != nil {
			return Disk{}, err
		}
	}
	if err := f.Sync(); err != nil {
		return Disk{}, err
	}
	d.Write = float64(blocks*len(block)) / time.Since(start).Seconds()

	syncs := make([]time.Duration, 200)
	for i := range syncs {
		start := time.Now()
		if _, err := f.Write(block[:4<<10]); err != nil {
			return Disk{}, err
		}
		if err := f.Sync(); err != nil {
			return Disk{}, err
		}
		syncs[i] = time.Since(start)
	}
	slices.Sort(syncs)
	d.Sync50, d.Sync99 = syncs[len(syncs)/2], syncs[len(syncs)*99/100]
	return d, nil
}

// fileSystem names the usual magic numbers of statfs(2).
func fileSystem(magic int64) string {
	switch magic {
	case 0xef53:
		return "ext4"
	case 0x58465342:
		return "xfs"
	case 0x9123683e:
		return "btrfs"
	case 0x01021994:
		return "tmpfs"
	case 0x794c7630:
		return "overlayfs"
	}
	return fmt.Sprintf("file system %#x", magic)
}
