// Package peers runs object stores side by side: Stocktake, and others from the
// Go module proxy, each as the real server process on a folder of the same disk,
// one at a time.
package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/testceph"
	"github.com/stocktake/stocktake/internal/testserver"
)

// A Peer is an object store that can be measured.
type Peer struct {
	Name string

	// module is what `go install` makes the server of, at a fixed version; empty
	// for Stocktake.
	module string
	// command returns the arguments and the environment of the server.
	command func(addr, dir string) (args, env []string)
	sign    func(r *http.Request, bucket, key string) error

	// start runs a server that is installed on the machine, in place of module and
	// command, and returns where it is; nil: there is none.
	start func(ctx context.Context) (base string, pid int, stop func() error, err error)
}

// All is the stores, Stocktake first.
//
// What each has made durable when it answers a PutObject, by its source:
// Stocktake the bytes and the index; MinIO the bytes and the metadata, but not
// the names they are renamed to (xl-storage.go); versitygw nothing (it never
// syncs). Their figures for PUT are those of weaker promises.
var All = []Peer{
	{Name: "stocktake", sign: signOSS},
	{
		Name: "versitygw", module: "github.com/versity/versitygw/cmd/versitygw@v1.8.0", sign: signAWS,
		command: func(addr, dir string) (args, env []string) {
			return []string{"--quiet", "--port", addr, "posix", dir},
				[]string{"ROOT_ACCESS_KEY=" + accessKeyID, "ROOT_SECRET_KEY=" + accessKeySecret}
		},
	},
	{
		Name: "minio", module: "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c", sign: signAWS,
		command: func(addr, dir string) (args, env []string) {
			return []string{"server", "--quiet", "--address", addr, dir},
				[]string{"MINIO_ROOT_USER=" + accessKeyID, "MINIO_ROOT_PASSWORD=" + accessKeySecret, "MINIO_UPDATE=off", "MINIO_BROWSER=off"}
		},
	},
	{Name: "radosgw", sign: signAWS, start: startCeph}, // in memory
}

// Named returns the peers of a comma-separated list.
func Named(list string) ([]Peer, error) {
	return pick(list, All, func(p Peer) string { return p.Name })
}

// pick returns the ones of all whose names are in a comma-separated list.
func pick[T any](list string, all []T, name func(T) string) (named []T, err error) {
	for one := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == one })
		if i < 0 {
			return nil, fmt.Errorf("%q is not known", one)
		}
		named = append(named, all[i])
	}
	return named, nil
}

// Install builds the peer's binary into dir, unless it lies there already, and
// returns its path. A build takes minutes.
func (p Peer) Install(ctx context.Context, dir string) (string, error) {
	if p.start != nil {
		return "", testceph.CheckInstalled()
	}
	if p.module == "" {
		return testserver.Build(ctx, dir, "-trimpath", "-ldflags=-s -w")
	}
	path := filepath.Join(dir, p.Name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.CommandContext(ctx, "nice", "go", "install", "-trimpath", "-ldflags=-s -w", p.module)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install %s: %w\n%s", p.module, err, out)
	}
	return path, nil
}

func signOSS(r *http.Request, bucket, key string) error {
	cred := signature.Credentials{ID: testserver.AccessKeyID, Secret: testserver.AccessKeySecret}
	return signature.Sign(r, signature.Target{Bucket: bucket, Key: key}, cred, testserver.Region, signature.V4, time.Now())
}

func signAWS(r *http.Request, _, _ string) error {
	signS3(r, time.Now())
	return nil
}

// startCeph runs Ceph, whose OSD keeps objects in memory.
func startCeph(ctx context.Context) (base string, pid int, stop func() error, err error) {
	c, err := testceph.Start(ctx)
	if err != nil {
		return "", 0, nil, err
	}
	if err := c.AddUser(ctx, "bench", accessKeyID, accessKeySecret); err != nil {
		return "", 0, nil, errors.Join(err, c.Stop())
	}
	return "http://" + c.Addr, c.PID(), c.Stop, nil
}

// A Server is a running peer.
type Server struct {
	Peer
	base   string // http://host:port
	dir    string // of its data
	client *http.Client
	stop   func() error
	pid    int
}

// Start runs a peer's binary on dir, which is empty, and waits until it takes
// requests.
func (p Peer) Start(ctx context.Context, binary, dir string) (*Server, error) {
	s := &Server{Peer: p, client: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 128, DisableCompression: true,
		WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}}}
	if p.start != nil {
		var err error
		s.base, s.pid, s.stop, err = p.start(ctx)
		return s, err
	}
	if p.module == "" {
		server, err := testserver.Start(ctx, testserver.Config{Binary: binary, Data: dir})
		if err != nil {
			return nil, err
		}
		s.base, s.pid, s.stop = server.URL(), server.PID(), server.Stop
		return s, nil
	}
	return s, s.startOther(ctx, binary, dir)
}

// startOther runs a peer that testserver does not know.
func (s *Server) startOther(ctx context.Context, binary, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	s.dir = dir
	args, env := s.command(addr, dir)
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.base, s.pid = "http://"+addr, cmd.Process.Pid
	s.stop = func() error {
		_ = cmd.Process.Signal(os.Interrupt) // fails if it has ended already
		select {
		case <-ended:
		case <-time.After(testserver.Timeout):
			_ = cmd.Process.Kill()
			<-ended
		}
		return nil // what it says at its end is not ours to judge
	}
	if err := s.await(ctx, ended); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", s.Name, err), s.stop())
	}
	return nil
}

// await asks for the list of buckets until it is answered.
func (s *Server) await(ctx context.Context, ended chan error) error {
	ctx, cancel := context.WithTimeout(ctx, testserver.Timeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := s.Do(ctx, http.MethodGet, "", "", nil, nil, nil); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			return fmt.Errorf("ended before it was ready: %w", cmp.Or(err, errors.New("exit status 0")))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		}
	}
}

// Stop ends the server and closes the connections to it.
func (s *Server) Stop() error {
	s.client.CloseIdleConnections()
	return s.stop()
}

// PID returns the id of the server's process.
func (s *Server) PID() int { return s.pid }

// Do sends one request and copies the body of the answer to w; nil drops it.
// An answer of 300 or more is an error.
func (s *Server) Do(ctx context.Context, method, bucket, key string, query url.Values, body io.ReadSeeker, w io.Writer) (int64, error) {
	u := s.base + "/"
	if bucket != "" {
		u += bucket
	}
	if key != "" {
		u += "/" + escapePath(key)
	}
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	var r io.Reader
	var size int64
	if body != nil {
		var err error
		if size, err = body.Seek(0, io.SeekEnd); err != nil {
			return 0, err
		}
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		r = body
	}
	req, err := http.NewRequestWithContext(ctx, method, u, r)
	if err != nil {
		return 0, err
	}
	req.ContentLength = size
	if err := s.sign(req, bucket, key); err != nil {
		return 0, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return 0, fmt.Errorf("%s: %s %s/%s: %s: %s", s.Name, method, bucket, key, res.Status, text)
	}
	return io.Copy(cmp.Or[io.Writer](w, io.Discard), res.Body)
}
