package systemtest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/testserver"
)

// A server on a full disk without ballast ends within its grace period when it is stopped. The
// next start finds every answered write.
func TestEndsOnFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "60m")
	data := filepath.Join(disk, "data")
	s := start(t, data)
	c := newWire(s)
	c.must(t, to("PUT", "plain", ""))
	var keys []string
	for i := range 200 {
		keys = append(keys, fmt.Sprint(i))
		c.must(t, to("PUT", "plain", keys[i]).with(noise[:10_000]))
	}
	rest := filler{filepath.Join(disk, "rest")}
	check(t, os.Remove(filepath.Join(data, "ballast")))
	check(t, rest.fill())
	if a, err := c.do(t.Context(), to("PUT", "plain", "more").with([]byte("x"))); err != nil || a.code != "InsufficientStorage" {
		t.Errorf("a write on the full disk: %d %s %v", a.status, a.code, err)
	}
	c.client.CloseIdleConnections()
	_ = s.Stop() // the end may be a failure, because the index cannot be written
	if strings.Contains(s.Log(), "panic") || !s.Ended() {
		t.Errorf("it did not end by itself:\n%s", s.Log())
	}
	check(t, rest.remove())
	s = start(t, data)
	c = newWire(s)
	for _, key := range keys {
		if a := c.must(t, to("GET", "plain", key)); len(a.body) != 10_000 {
			t.Errorf("%s has %d bytes", key, len(a.body))
		}
	}
	c.client.CloseIdleConnections()
	check(t, s.Stop())
}

// A server with a low limit of open files reports it when other clients use them all, still
// reports its health, and serves requests again once these clients have disconnected.
func TestFewFileDescriptors(t *testing.T) {
	t.Parallel()
	path, err := binary()
	check(t, err)
	const limit = 128
	s, err := testserver.Start(t.Context(), testserver.Config{
		Binary: path, Data: t.TempDir(), Under: []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit)},
		Args: []string{"--max-connections", "100000"},
	})
	check(t, err)
	t.Cleanup(s.Kill)
	c := newWire(s)
	c.must(t, to("PUT", "plain", ""))
	c.must(t, to("PUT", "plain", "k").with(noise[:100_000]))
	c.client.CloseIdleConnections()

	var taken []net.Conn
	leave := func() {
		for _, conn := range taken {
			_ = conn.Close()
		}
		taken = nil
	}
	defer leave()
	for range 2 * limit {
		conn, err := net.Dial("tcp", s.Addr)
		check(t, err)
		taken = append(taken, conn)
	}
	await(t, "the log says that no descriptors are left", func() bool { return strings.Contains(s.Log(), "no file descriptors are left") })
	leave()
	await(t, "it serves again", func() bool {
		a, err := c.do(t.Context(), to("GET", "plain", "k"))
		return err == nil && a.status == http.StatusOK && len(a.body) == 100_000
	})
	c.client.CloseIdleConnections()
	check(t, s.Stop())
}

// await waits until another process has caused a condition.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not so: %s", what)
		}
	}
}
