// Package postgres runs a PostgreSQL server of its own for a test, in a folder,
// reached through a socket in it.
package postgres

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A Server is a running server.
type Server struct {
	bin, dir string
	as       *syscall.Credential // nil: as we are; PostgreSQL refuses root
}

// Start starts a server that ends with the test.
func Start(t *testing.T) *Server {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is missing (Debian: apt-get install postgresql)")
	}
	// A socket's path has at most 107 bytes, so the folder is not the test's own.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := &Server{bin: filepath.Dir(found[len(found)-1]), dir: dir}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID != nil || errGID != nil {
			t.Fatal(errUID, errGID)
		}
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	s.must(t, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	log := filepath.Join(dir, "log")
	start := s.command(t.Context(), "pg_ctl", "start", "-w", "-D", data, "-l", log,
		"-o", fmt.Sprintf("-c listen_addresses='' -c unix_socket_directories='%s' -c fsync=off", dir))
	if err := start.Run(); err != nil { // the server keeps what would be its output
		said, _ := os.ReadFile(log)
		t.Fatalf("pg_ctl start: %v\n%s", err, said)
	}
	t.Cleanup(func() {
		stop := s.command(context.WithoutCancel(t.Context()), "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)
		if out, err := stop.CombinedOutput(); err != nil {
			t.Errorf("pg_ctl stop: %v\n%s", err, out)
		}
	})
	return s
}

// Env returns the variables with which psql reaches the server.
func (s *Server) Env() []string {
	return []string{"PGHOST=" + s.dir, "PGUSER=postgres", "PGDATABASE=postgres", "PGTZ=UTC"}
}

// Query runs statements and returns the rows of the last one, with their
// values as text.
func (s *Server) Query(t *testing.T, statements string) (rows [][]string) {
	t.Helper()
	cmd := s.command(t.Context(), "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1")
	cmd.Env = append(cmd.Env, s.Env()...)
	cmd.Stdin = strings.NewReader(statements)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("psql: %v\n%s\n%s", err, stderr.Bytes(), statements)
	}
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

func (s *Server) must(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := s.command(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if s.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	return cmd
}
