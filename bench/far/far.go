// Package far measures listings of a bucket that is far away, which a simulator
// serves.
package far

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/farserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/bench/internal/peers"
	"github.com/stocktake/stocktake/internal/keygen"
)

// Run measures listings of a bucket that is far away: a simulator generates
// its keys and answers each page after some time. The simulator and each client are
// separate processes.
func Run(ctx context.Context, args []string) error {
	b := farBench{Experiment: experiment.New("far", "folder for reports, which are removed in the end")}
	b.Flags.IntVar(&b.requests, "requests", 64, "requests at once")
	b.Flags.DurationVar(&b.latency, "latency", 30*time.Millisecond, "time that a page takes")
	keys := experiment.Set(b.Flags, "keys", "1000000", "rows in the bucket, one or more numbers", experiment.Numbers)
	shapes := experiment.Set(b.Flags, "shapes", strings.Join(keygen.Shapes, ","), "shapes of the keys", farserver.Shapes)
	clients := experiment.Set(b.Flags, "clients", "stocktake,stocktake-again,aws-sdk", "who lists: stocktake, stocktake-again with hints of the first report, aws-sdk, mc, rclone", clientsOf)
	b.Flags.IntVar(&b.most, "peer-keys", 1_000_000, "rows in a bucket, at most, that is listed by aws-sdk, mc and rclone: they ask for one page after another")
	tools := experiment.ToolsFlag(b.Flags)
	return b.Main(ctx, args, func(ctx context.Context) error {
		for _, l := range peers.Listers {
			if slices.Contains(*clients, l.Name) {
				binary, err := experiment.InstallOther(ctx, l.Name, *tools, l.Install)
				if err != nil {
					return err
				}
				b.tools = append(b.tools, farTool{l, binary})
			}
		}
		for _, n := range *keys {
			for _, shape := range *shapes {
				if err := b.bucket(ctx, shape, n, *clients); err != nil {
					return fmt.Errorf("%s of %d: %w", shape, n, err)
				}
			}
		}
		return nil
	})
}

var farClients = []string{"stocktake", "stocktake-again", "aws-sdk", "mc", "rclone"}

func clientsOf(text string) ([]string, error) { return experiment.OneOf(text, farClients) }

type farBench struct {
	*experiment.Experiment
	requests int
	latency  time.Duration
	most     int // rows that a peer lists
	tools    []farTool
}

// A farTool is a listing program of another project.
type farTool struct {
	peers.Lister
	binary string
}

// A farListing is what one client did.
type farListing struct {
	rows, pages, most int64
	took              time.Duration
	used              measure.Usage
}

// bucket has each client list one bucket.
func (b *farBench) bucket(ctx context.Context, shape string, keys int, clients []string) (err error) {
	out := filepath.Join(b.Work, "reports")
	if err := os.Mkdir(out, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(out)) }()
	took := make(map[string]time.Duration)
	pages := (int64(keys) + 999) / 1000
	for _, client := range clients {
		if !isOurs(client) && keys > b.most {
			continue
		}
		did, err := b.list(ctx, client, shape, keys, out)
		if err != nil {
			return fmt.Errorf("%s: %w", client, err)
		}
		if did.rows != int64(keys) && !(b.tool(client) != nil && shape == "deep") { // tools list current versions
			return fmt.Errorf("%s: %d rows", client, did.rows)
		}
		took[client] = did.took
		millions := float64(keys) / 1e6
		b.Add(fmt.Sprintf("Far/client=%s/shape=%s/objects=%d", client, shape, keys), did.took,
			experiment.PerSecond(keys, did.took, "objects"),
			measure.Figure{Value: float64(did.pages), Unit: "calls"},
			measure.Figure{Value: 100 * float64(did.pages-pages) / float64(pages), Unit: "%-more-calls"},
			measure.Figure{Value: float64(did.most), Unit: "at-once"},
			measure.Figure{Value: did.used.CPU.Seconds() / millions, Unit: "cpu-s/1e6"},
			experiment.Mebibytes(did.used.PeakRSS))
		ideal := time.Duration(pages) * b.latency / time.Duration(b.requests)
		if isOurs(client) {
			b.AddRatio(fmt.Sprintf("%s/shape=%s/objects=%d/over-ideal", client, shape, keys), did.took.Seconds()/ideal.Seconds(),
				fmt.Sprintf("times %v, which is %d pages of %v with %d requests never idle", ideal, pages, b.latency, b.requests))
		}
	}
	for _, peer := range clients {
		if ours, theirs := took["stocktake"], took[peer]; !isOurs(peer) && ours > 0 && theirs > 0 {
			b.AddRatio(fmt.Sprintf("%s/stocktake/shape=%s/objects=%d", peer, shape, keys), theirs.Seconds()/ours.Seconds(),
				"times as long takes "+b.does(peer)+", as a whole report without hints")
		}
	}
	return nil
}

func isOurs(client string) bool { return strings.HasPrefix(client, "stocktake") }

// tool returns the program of another project that a client names; nil if the client
// is ours.
func (b *farBench) tool(client string) *farTool {
	if i := slices.IndexFunc(b.tools, func(t farTool) bool { return t.Name == client }); i >= 0 {
		return &b.tools[i]
	}
	return nil
}

// does describes what a peer does.
func (b *farBench) does(client string) string {
	if t := b.tool(client); t != nil {
		return t.Shown() + ", whose lines are counted"
	}
	return "the paginator of the SDK, which decodes pages and drops the rows"
}

// command returns the process of a client. It prints the number of rows or, if it is
// a tool of another project, one row a line.
func (b *farBench) command(ctx context.Context, client, url, out string) (*exec.Cmd, error) {
	if t := b.tool(client); t != nil {
		return t.List(ctx, t.binary, peers.At("far", url), "far", b.Work)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, self, "far-client", "-client", client, "-url", url, "-requests", fmt.Sprint(b.requests), "-out", out), nil
}

// list runs the simulator and a client.
func (b *farBench) list(ctx context.Context, client, shape string, keys int, out string) (did farListing, err error) {
	far, err := farserver.Start(ctx, farserver.Bucket{Shape: shape, Keys: keys, Latency: b.latency})
	if err != nil {
		return did, err
	}
	defer far.Stop()
	url := far.URL
	cmd, err := b.command(ctx, client, url, out)
	if err != nil {
		return did, err
	}
	var printed bytes.Buffer
	var lines newlines
	cmd.Stdout, cmd.Stderr = &printed, os.Stderr
	if b.tool(client) != nil {
		cmd.Stdout = &lines
	}
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return did, err
	}
	did.took = time.Since(start)
	if b.tool(client) != nil {
		did.rows = int64(lines)
	} else if err := json.Unmarshal(printed.Bytes(), &did.rows); err != nil {
		return did, fmt.Errorf("it printed %.200q: %w", printed.Bytes(), err)
	}
	did.used.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		did.used.PeakRSS = r.Maxrss << 10
	}
	did.pages, did.most, err = farserver.Stats(ctx, url)
	return did, err
}

// newlines counts the lines that are written to it.
type newlines int64

func (n *newlines) Write(p []byte) (int, error) {
	*n += newlines(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}
