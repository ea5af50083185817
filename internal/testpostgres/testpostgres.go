// Package testpostgres runs a PostgreSQL server for tests, in a folder of its own, which is
// reached through a socket in it.
package testpostgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Required is the environment variable that makes tests fail, not skip, on a machine without
// PostgreSQL. Its name does not begin as those of stocktake do, because stocktake refuses
// unknown variables.
const Required = "REQUIRE_POSTGRES"

// ErrMissing means that PostgreSQL is not installed.
var ErrMissing = errors.New("PostgreSQL is missing (Debian: apt-get install postgresql)")

// A Server is a server that [New] has started. It ends with this process at the latest.
type Server struct {
	bin, dir string
	as       *syscall.Credential // nil: the current user; PostgreSQL refuses root
	options  []string
	made     atomic.Int64 // databases

	alive io.Closer // of the running server, which ends when this is closed or this process ends
	ended chan struct{}
}

// New starts a server. options are settings such as "max_connections=200". The
// caller closes it. Without PostgreSQL the error is ErrMissing.
func New(options ...string) (_ *Server, err error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrMissing
	}
	// The path of a socket has at most 107 bytes, so the folder is not below the test's own.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: filepath.Dir(found[len(found)-1]), dir: dir}
	s.options = append([]string{"listen_addresses=", "unix_socket_directories=" + dir, "fsync=off"}, options...)
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if s.as, err = GiveToPostgres(dir); err != nil {
		return nil, err
	}
	if err := s.run("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"); err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

// GiveToPostgres makes the user postgres the owner of dir if this process runs as root, because
// PostgreSQL refuses to run as root. It returns the user that its programs must run as; nil:
// the current user.
func GiveToPostgres(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// superviseScript runs a server until its standard input ends, which happens even if the test
// is killed. The server inherits no open file of the test, such as a locked one.
const superviseScript = `for fd in 3 4 5 6 7 8 9; do eval "exec $fd>&-"; done
"$0" "$@" >>log 2>&1 </dev/null &
read line
kill -QUIT $! 2>/dev/null
wait`

// Start starts a server that was stopped.
func (s *Server) Start() error {
	args := []string{"-c", superviseScript, filepath.Join(s.bin, "postgres"), "-D", s.data()}
	for _, o := range s.options {
		args = append(args, "-c", o)
	}
	cmd := s.runInFolder(exec.Command("/bin/sh", args...))
	alive, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.alive, s.ended = alive, make(chan struct{})
	go func() {
		_ = cmd.Wait() // the reason is in the log
		close(s.ended)
	}()
	for {
		if s.command(context.Background(), "pg_isready", "-q", "-h", s.dir).Run() == nil {
			return nil
		}
		said, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		if bytes.Contains(said, []byte("FATAL:  could not")) || bytes.Contains(said, []byte("FATAL:  unrecognized")) {
			return errors.Join(fmt.Errorf("the server does not start:\n%s", said), alive.Close())
		}
		time.Sleep(10 * time.Millisecond) // until it is ready
	}
}

// Stop stops the server: mode "fast" ends its sessions, mode "immediate" makes it crash.
func (s *Server) Stop(mode string) error {
	err := s.run("pg_ctl", "stop", "-w", "-m", mode, "-D", s.data())
	err = errors.Join(err, s.alive.Close())
	<-s.ended
	return err
}

// Close stops the server and removes its folder.
func (s *Server) Close() error {
	return errors.Join(s.Stop("immediate"), os.RemoveAll(s.dir))
}

// Start starts a server that ends with the test. Without PostgreSQL the test is
// skipped, or fails if that is Required.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	s, err := New(options...)
	if errors.Is(err, ErrMissing) && os.Getenv(Required) == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Main runs the tests of a package that share one server, and returns the exit code for
// TestMain. It calls set with the server before the tests run. Without PostgreSQL it does not
// call set, which is an error if PostgreSQL is [Required].
func Main(m *testing.M, set func(*Server), options ...string) (code int) {
	s, err := New(options...)
	switch {
	case err == nil:
		defer func() {
			if err := s.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}()
		set(s)
	case errors.Is(err, ErrMissing) && os.Getenv(Required) == "":
	default:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Address returns the address of a database.
func (s *Server) Address(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(s.dir)
}

// PID returns the id of the server's main process, the parent of the others.
func (s *Server) PID() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}

// Socket returns the path of the server's socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Database makes an empty database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprint("test", s.made.Add(1))
	s.Query(t, "CREATE DATABASE "+name)
	return s.Address(name)
}

// Copy makes a copy of a database, to which no session may be connected, and returns the copy's
// address.
func (s *Server) Copy(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprint("test", s.made.Add(1))
	s.Query(t, "CREATE DATABASE "+name+" TEMPLATE "+strings.TrimPrefix(u.Path, "/"))
	return s.Address(name)
}

// Env returns the environment variables that let psql connect to the server.
func (s *Server) Env() []string {
	return []string{"PGHOST=" + s.dir, "PGUSER=postgres", "PGDATABASE=postgres", "PGTZ=UTC"}
}

// Query runs statements in the database postgres and returns the rows of the last
// one, with their values as text.
func (s *Server) Query(t testing.TB, statements string) (rows [][]string) {
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

func (s *Server) run(name string, args ...string) error {
	if out, err := s.command(context.Background(), name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return s.runInFolder(exec.CommandContext(ctx, filepath.Join(s.bin, name), args...))
}

// runInFolder makes cmd run in the server's folder and as its user.
func (s *Server) runInFolder(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if s.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	return cmd
}
