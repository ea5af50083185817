// Package stage provides a test with an internet of its own: a network namespace in
// which *.aliyuncs.com and a few other names resolve to this process and no
// connection leads outside. Clients of OSS then run against a local server unchanged,
// with the host names, ports and TLS of production.
//
// It works only on Linux, and needs root or unprivileged user namespaces.
package stage

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Addresses on the stage. All are loopback of the namespace.
const (
	OSSAddr   = "127.0.0.1" // every name below aliyuncs.com
	WorldAddr = "127.0.0.2" // every other name that is known
	dnsAddr   = "127.0.0.1:53"
)

const mark = "INTEROP_STAGE"

// Inside reports whether the process is on a stage.
func Inside() bool { return os.Getenv(mark) != "" }

// Rerun runs the calling test again on a stage of its own and fails it if it fails
// there. Steps that need the real network, such as a build, must precede the call;
// their results are passed in env, as "key=value".
func Rerun(t *testing.T, env ...string) {
	t.Helper()
	name := strings.Split(t.Name(), "/")
	for i, part := range name {
		name[i] = "^" + part + "$"
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+strings.Join(name, "/"), "-test.v", "-test.count=1")
	cmd.Env = append(append(os.Environ(), env...), mark+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// Unshareflags rather than Cloneflags: with them the mounts are made private first.
		Unshareflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		Pdeathsig:    unix.SIGKILL,
	}
	if os.Geteuid() != 0 { // a user namespace makes us root of the other two
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	switch {
	case err == nil:
		t.Logf("on stage:\n%s", out.Bytes())
	case errors.Is(err, syscall.EPERM):
		t.Fatalf("no network namespace: run as root, or allow unprivileged user namespaces: %v", err)
	default:
		t.Fatalf("on stage: %v\n%s", err, out.Bytes())
	}
}

// Main is the TestMain of a package whose tests use [Rerun].
func Main(m *testing.M) {
	if err := Set(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Set builds the stage if the process is on one. It is for packages whose TestMain does
// more than [Main].
func Set() error {
	if !Inside() {
		return nil
	}
	if err := set(os.Getenv(mark)); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	return nil
}

// set builds the stage around this process: the loopback, names, a certificate.
// Its files go to dir.
func set(dir string) error {
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	pc, err := net.ListenPacket("udp", dnsAddr)
	if err != nil {
		return err
	}
	go serveNames(pc) // until the process ends

	conf := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"), 0o644); err != nil {
		return err
	}
	// In this mount namespace only: it is not visible outside.
	if err := unix.Mount(conf, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /etc/resolv.conf: %w", err)
	}
	return makeCertificate(dir)
}

// loopbackUp brings lo up, which is down in a new namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
