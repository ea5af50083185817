// Package farserver runs a simulator of an object store that is far away, in a process
// of its own: it generates the keys of a bucket and answers each page after some time.
package farserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/keygen"
)

// statsPath is where the simulator serves its counts.
const statsPath = "/-/stats"

// Run is the simulator. It prints its URL and serves until ctx ends.
func Run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("far-server", flag.ContinueOnError)
	shape := flags.String("shape", "flat", "shape of the keys")
	keys := flags.Int64("keys", 1000, "rows in the bucket")
	latency := flags.Duration("latency", 30*time.Millisecond, "time that a page takes")
	pageKeys := flags.Int64("page-keys", 1000, "rows of a page")
	if err := experiment.Parse(flags, args); err != nil {
		return err
	}
	b, err := keygen.New(*shape, *keys)
	if err != nil {
		return err
	}
	far := &farstore.Store{Bucket: b, Latency: *latency, PageMax: *pageKeys}
	mux := http.NewServeMux()
	mux.Handle("/", far)
	mux.HandleFunc(statsPath, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(far.Stats()) // the client is gone, if it fails
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	server := &http.Server{Handler: mux}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// A Simulator is the store that is listed.
type Simulator struct {
	Cmd *exec.Cmd
	URL string
}

// A Bucket is the bucket that the simulator has under any name.
type Bucket struct {
	Shape    string
	Keys     int
	PageKeys int // 0: 1,000
	Latency  time.Duration
}

// Pages returns how many pages list it.
func (b *Bucket) Pages() int {
	rows := cmp.Or(b.PageKeys, 1000)
	return (b.Keys + rows - 1) / rows
}

// Start starts a simulator: the far-server command of this binary, which is [Run].
func Start(ctx context.Context, b Bucket) (f Simulator, err error) {
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	f.Cmd = exec.CommandContext(ctx, self, "far-server", "-shape", b.Shape, "-keys", fmt.Sprint(b.Keys),
		"-page-keys", fmt.Sprint(cmp.Or(b.PageKeys, 1000)), "-latency", b.Latency.String())
	f.Cmd.Stderr = os.Stderr
	said, err := f.Cmd.StdoutPipe()
	if err != nil {
		return f, err
	}
	if err := f.Cmd.Start(); err != nil {
		return f, err
	}
	if f.URL, err = firstLine(said); err != nil {
		f.Stop()
	}
	return f, err
}

// Stop ends the process.
func (f *Simulator) Stop() {
	_ = f.Cmd.Process.Signal(syscall.SIGTERM)
	_ = f.Cmd.Wait() // it was told to end
}

// firstLine reads the first line that a program prints.
func firstLine(r io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, one); err != nil {
			return "", fmt.Errorf("the simulator did not start: %w", err)
		}
		if one[0] == '\n' {
			return string(line), nil
		}
		line = append(line, one[0])
	}
}

// Stats asks the simulator how many pages it has answered.
func Stats(ctx context.Context, url string) (pages, most int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+statsPath, nil)
	if err != nil {
		return 0, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	var s struct{ Pages, Most int64 }
	err = json.NewDecoder(resp.Body).Decode(&s)
	return s.Pages, s.Most, err
}

// Shapes reads shapes of keys between commas.
func Shapes(text string) ([]string, error) { return experiment.OneOf(text, keygen.Shapes) }
