package cluster_test

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stocktake/stocktake/interop/internal/program"
)

// A cable joins the network namespace of a worker to that of the test: a pair of
// interfaces, with two addresses at each end, of the store and of the database.
type cable struct {
	t       testing.TB
	pid     string // of a process in the namespace
	outside string // the interface of the test's namespace
	number  int64
}

// inside is the interface in a worker's namespace.
const inside = "eth0"

var cables atomic.Int64

func newCable(t testing.TB) *cable {
	t.Helper()
	program.Installed(t, "ip", "iproute2")
	c := &cable{t: t, number: cables.Add(1)}
	c.outside = fmt.Sprint("cable", c.number)
	// The namespace exists as long as this process, which ends with the test's.
	keeper := exec.Command("unshare", "--net", "sh", "-c", "echo; read line")
	keeper.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	alive, err := keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := alive.Close(); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(io.Discard, said)
		_ = keeper.Wait() // by the end of its input
	})
	if _, err := bufio.NewReader(said).ReadString('\n'); err != nil {
		t.Fatalf("unshare: %v", err)
	}
	c.pid = strconv.Itoa(keeper.Process.Pid)
	c.ip("link", "add", c.outside, "type", "veth", "peer", "name", inside, "netns", c.pid)
	for _, net := range []network{ofDatabase, ofStore} {
		c.ip("address", "add", c.at(net, 1)+"/30", "dev", c.outside)
		c.ipInside("address", "add", c.at(net, 2)+"/30", "dev", inside)
	}
	c.ip("link", "set", c.outside, "up")
	c.ipInside("link", "set", "lo", "up")
	c.ipInside("link", "set", inside, "up")
	return c
}

// A network is one of the networks of a cable. It has four addresses: the test has the second,
// and the worker has the third.
type network int64

const (
	ofDatabase network = iota
	ofStore
)

// at returns an address in a network.
func (c *cable) at(net network, host int64) string {
	return fmt.Sprintf("10.77.%d.%d", c.number, 4*int64(net)+host)
}

// ip changes an interface of the test's namespace, and ipInside one of the worker's.
func (c *cable) ip(args ...string) { c.t.Helper(); c.run(append([]string{"ip"}, args...)) }

func (c *cable) ipInside(args ...string) {
	c.t.Helper()
	c.run(append(append(c.enter(), "ip"), args...))
}

// enter returns the command that runs another command in the worker's namespace.
func (c *cable) enter() []string { return []string{"nsenter", "--target", c.pid, "--net"} }

func (c *cable) run(command []string) {
	c.t.Helper()
	if out, err := exec.CommandContext(c.t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %v\n%s", command, err, out)
	}
}
