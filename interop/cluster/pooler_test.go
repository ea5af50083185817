package cluster_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/testprocess"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/program"
)

// pooled starts PgBouncer in front of a database, and returns the address through it.
func pooled(t testing.TB, address, mode string, size int) string {
	t.Helper()
	binary := program.Installed(t, "pgbouncer", "pgbouncer")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	addr := program.Listen(t, func(addr string) *program.Process {
		host, port, _ := strings.Cut(addr, ":")
		settings := filepath.Join(t.TempDir(), "pgbouncer.ini")
		text := fmt.Sprintf("[databases]\n%s = host=%s dbname=%s user=postgres\n[pgbouncer]\nlisten_addr = %s\nlisten_port = %s\nunix_socket_dir =\nauth_type = any\npool_mode = %s\ndefault_pool_size = %d\n",
			name, u.Query().Get("host"), name, host, port, mode, size)
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{settings}
		if os.Geteuid() == 0 {
			args = []string{"-u", "postgres", settings}
		}
		return program.Start(t, exec.Command(binary, args...))
	}, testprocess.CheckListening)
	return "postgres://postgres@" + addr + "/" + name + "?sslmode=disable"
}

// A server behind PgBouncer refuses to start, and says what to correct, if the pool is too
// small or does not keep sessions. If others use up the pool later, its readiness reports it,
// and its runs end once connections are available.
func TestPooler(t *testing.T) {
	t.Parallel()
	l := startLake(t, "")
	l.fill(t, "photos", 2000)
	w := newWorld(t, server, migrated(t, server), l, "reports")
	for words, address := range map[string]string{
		"default_pool_size":         pooled(t, w.address, "session", 3),
		"set its pool_mode to sess": pooled(t, w.address, "transaction", 20),
	} {
		_, err := testserver.Start(t.Context(), testserver.Config{Binary: stocktakeBinary, Data: t.TempDir(), Args: []string{"--database", address}})
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("by way of %s: %v, want %q", address, err, words)
		}
	}

	address := pooled(t, w.address, "session", 20)
	m := w.startAt("pooled", address, l.endpoint)
	w.put(m, "photos", "first")
	w.ended("photos", "first")
	var others []*pgx.Conn
	waiting, leave := context.WithCancel(t.Context())
	served := make(chan *pgx.Conn)
	for range 40 {
		go func() {
			conn, err := pgx.Connect(waiting, address)
			if err == nil {
				err = conn.Ping(waiting)
			}
			if err != nil {
				conn = nil
			}
			served <- conn
		}()
	}
	// Its connections end, and waiting clients get them.
	for len(others) < 20 {
		select {
		case conn := <-served:
			if conn != nil {
				others = append(others, conn)
			}
		case <-time.After(100 * time.Millisecond):
			if _, err := w.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stocktake' AND datname = current_database()`); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.until("its readiness to say so", func() bool {
		code, said := ready(m)
		return code == http.StatusServiceUnavailable && strings.Contains(said, "pool")
	})
	leave()
	for range 40 - len(others) {
		<-served
	}
	for _, conn := range others {
		_ = conn.Close(context.WithoutCancel(t.Context()))
	}
	w.until("it to be ready", func() bool { code, _ := ready(m); return code == http.StatusOK })
	if run, err := m.api().Run(t.Context(), "photos", "first"); err != nil {
		t.Error(err)
	} else if run, err = m.api().Wait(t.Context(), run, nil); err != nil || run.State != stocktake.Succeeded {
		t.Errorf("a run afterwards: %+v, %v", run, err)
	}
	m.stopped()
}

// ready returns the status and the text of a server's readiness.
func ready(m *machine) (int, string) {
	resp, err := http.Get(m.URL() + "/-/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(said)
}
