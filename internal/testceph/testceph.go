// Package testceph runs Ceph from Debian's packages, for tests and benches of the
// other modules: one monitor, one OSD in memory and one gateway for S3.
package testceph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stocktake/stocktake/internal/testprocess"
)

// A Cluster is a running Ceph.
type Cluster struct {
	Addr string // host:port of the gateway

	dir, conf string
	running   []*testprocess.Process // in the order of their starts
}

// memory is the capacity of the OSD, in bytes.
const memory = 4 << 30

// settings are the settings of the smallest possible Ceph.
const settings = `[global]
fsid = 485365c0-589e-4a87-95e6-5a987efae67c
mon host = [v2:MON]
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pgp num = 2
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = MEMORY
public addr = 127.0.0.1
cluster addr = 127.0.0.1
mon data = DIR/mon
osd data = DIR/osd
rgw data = DIR/rgw
mon data avail crit = 0
run dir = DIR
admin socket = DIR/$name.asok
log file = DIR/$name.log
mon cluster log file = DIR/cluster.log
keyring = DIR/keyring
rgw frontends = beast endpoint=RGW
rgw enable apis = s3
rgw thread pool size = 64
`

const (
	fsid  = "485365c0-589e-4a87-95e6-5a987efae67c"
	osdID = "0a55d1ad-2f5c-4a34-9c5a-1c1f42dd7c0d"
)

// CheckInstalled returns an error that says what must be installed; nil: nothing.
func CheckInstalled() error {
	for program, pkg := range map[string]string{"ceph-mon": "ceph-mon", "ceph-osd": "ceph-osd", "radosgw": "radosgw", "ceph": "ceph-common"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing (Debian: apt-get install %s)", program, pkg)
		}
	}
	return nil
}

// Start runs a cluster until Stop. Its folder has a short path, because the paths of sockets
// are limited.
func Start(ctx context.Context) (*Cluster, error) {
	if err := CheckInstalled(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ceph")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, conf: filepath.Join(dir, "ceph.conf")}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// AddUser adds a user of the gateway.
func (c *Cluster) AddUser(ctx context.Context, name, accessKey, secretKey string) error {
	return runToEnd(ctx, "radosgw-admin", "-c", c.conf, "user", "create", "--uid", name, "--display-name", name, "--access-key", accessKey, "--secret", secretKey)
}

// Output returns the last output of the cluster's processes.
func (c *Cluster) Output() string {
	var b strings.Builder
	for _, p := range c.running {
		fmt.Fprintf(&b, "%s:\n%s\n", p.Name(), p.Output())
	}
	return b.String()
}

// PID returns the process id of the gateway.
func (c *Cluster) PID() int { return c.running[len(c.running)-1].PID() }

// Stop ends the cluster and removes its files.
func (c *Cluster) Stop() error {
	for i := len(c.running) - 1; i >= 0; i-- {
		c.running[i].Kill()
	}
	return os.RemoveAll(c.dir)
}

func (c *Cluster) start(ctx context.Context) error {
	keyring := filepath.Join(c.dir, "keyring")
	mon, err := c.listen(ctx, func(addr string) (*testprocess.Process, error) { return c.startMon(ctx, addr, keyring) }, testprocess.CheckListening)
	if err != nil {
		return err
	}
	if err := runToEnd(ctx, "ceph", "-c", c.conf, "--connect-timeout", "120", "osd", "new", osdID, "0"); err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir(filepath.Join(c.dir, "osd"), 0o700), os.Mkdir(filepath.Join(c.dir, "rgw"), 0o700)); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"ceph", "-c", c.conf, "auth", "get-or-create", "osd.0", "mon", "allow profile osd", "osd", "allow *", "-o", keyring + ".osd"},
		{"ceph-authtool", keyring, "--import-keyring", keyring + ".osd"},
		{"ceph-osd", "-c", c.conf, "-i", "0", "--mkfs", "--osd-uuid", osdID},
	} {
		if err := runToEnd(ctx, args[0], args[1:]...); err != nil {
			return err
		}
	}
	osd, err := run("ceph-osd", "-c", c.conf, "-i", "0", "-f")
	if err != nil {
		return err
	}
	c.running = append(c.running, osd)
	c.Addr, err = c.listen(ctx, func(addr string) (*testprocess.Process, error) {
		if err := c.configure(mon, addr); err != nil {
			return nil, err
		}
		return run("radosgw", "-c", c.conf, "-n", "client.admin", "-f")
	}, CheckReady)
	return err
}

// startMon starts a monitor with its own files.
func (c *Cluster) startMon(ctx context.Context, addr, keyring string) (*testprocess.Process, error) {
	if err := errors.Join(os.RemoveAll(filepath.Join(c.dir, "mon")), c.configure(addr, "")); err != nil {
		return nil, err
	}
	monMap := filepath.Join(c.dir, "monmap")
	for _, args := range [][]string{
		{"ceph-authtool", keyring, "--create-keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"},
		{"ceph-authtool", keyring, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *"},
		{"monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", "[v2:" + addr + "]", monMap},
		{"ceph-mon", "-c", c.conf, "--mkfs", "-i", "a", "--monmap", monMap, "--keyring", keyring},
	} {
		if err := runToEnd(ctx, args[0], args[1:]...); err != nil {
			return nil, err
		}
	}
	return run("ceph-mon", "-c", c.conf, "-i", "a", "-f")
}

// configure writes the settings.
func (c *Cluster) configure(mon, gateway string) error {
	text := strings.NewReplacer("MON", mon, "RGW", gateway, "DIR", c.dir, "MEMORY", fmt.Sprint(memory)).Replace(settings)
	return os.WriteFile(c.conf, []byte(text), 0o600)
}

// listen starts a process of the cluster that needs its address as an argument, and waits until
// it is ready.
func (c *Cluster) listen(ctx context.Context, start func(addr string) (*testprocess.Process, error), ready func(ctx context.Context, addr string) error) (string, error) {
	p, addr, err := testprocess.Listen(ctx, start, ready)
	if err == nil {
		c.running = append(c.running, p)
	}
	return addr, err
}

func run(name string, args ...string) (*testprocess.Process, error) {
	return testprocess.Start(exec.Command(name, args...))
}

// CheckReady returns nil if the S3 server at an address answers an unsigned request. A server
// that is not ready answers 503.
func CheckReady(ctx context.Context, addr string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode >= 500 {
		return errors.New(resp.Status)
	}
	return nil
}

// runToEnd runs a program to its end. Its error contains the program's output.
func runToEnd(ctx context.Context, program string, args ...string) error {
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
