package rivals

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
	"github.com/stocktake/stocktake/bench/internal/peers"
	"github.com/stocktake/stocktake/internal/testserver"
)

// Listers measures the usual way without an inventory: listing the bucket with
// a tool and compressing the output.
func Listers(ctx context.Context, args []string) error {
	b := listersBench{Contest: experiment.Contest{Experiment: experiment.New("listers", "folder for the stores, which are removed in the end")}}
	keys := experiment.Set(b.Flags, "keys", "100000", "objects in the bucket, the same for all", experiment.AtLeast(1))
	servers := experiment.Set(b.Flags, "peers", "versitygw,minio", "servers that are listed; the tools cannot speak to Stocktake", others)
	rounds := experiment.Set(b.Flags, "rounds", "3", "how often each is measured; the median counts", experiment.AtLeast(1))
	clients := experiment.Set(b.Flags, "listers", "mc,rclone", "tools that list, besides stocktake take and the SDKs", peers.ListersNamed)
	tools := experiment.ToolsFlag(b.Flags)
	return b.Main(ctx, args, func(ctx context.Context) error {
		b.Rows, b.Contest.Rounds = *keys, *rounds
		binaries, err := b.InstallPeers(ctx, *servers, *tools)
		if err != nil {
			return err
		}
		b.listers = *clients
		listers := make([]string, len(b.listers))
		for i, l := range b.listers {
			if listers[i], err = experiment.InstallOther(ctx, l.Name, *tools, l.Install); err != nil {
				return err
			}
		}
		program, err := b.Build(ctx)
		if err != nil {
			return err
		}
		ours, err := b.stocktake(ctx, program)
		if err != nil {
			return err
		}
		for i, p := range *servers {
			if err := b.server(ctx, p, binaries[i], listers, program, ours); err != nil {
				return err
			}
		}
		b.Compare()
		return nil
	})
}

// others returns the servers of other projects with the given names.
func others(text string) ([]peers.Peer, error) {
	named, err := peers.Named(text)
	for _, p := range named {
		if p.Name == peers.All[0].Name {
			return nil, fmt.Errorf("%s is always measured: leave it out of -peers", p.Name)
		}
	}
	return named, err
}

type listersBench struct {
	experiment.Contest
	listers []peers.Lister
}

// stocktake makes runs over as many objects, and lists them with take and with the
// SDK of OSS, whose signatures no other server accepts.
func (b *listersBench) stocktake(ctx context.Context, program string) (*experiment.Entrant, error) {
	ours := &experiment.Entrant{Name: "Stocktake", Says: fmt.Sprintf("a whole run of %d objects, %d columns, compressed as well", b.Rows, lakeserver.Columns)}
	return ours, lakeserver.With(ctx, b.Experiment, b.Rows, func(s *lakeserver.Server) error {
		if err := s.Configure(ctx); err != nil {
			return err
		}
		ours.Once = func(ctx context.Context) (experiment.Execution, error) { return lakeserver.MakeRun(ctx, s) }
		if err := b.Contest.Measure(ctx, ours); err != nil {
			return err
		}
		entrants := b.against(program, listedBucket{
			server: "stocktake", scheme: "oss", url: s.Server.URL(), name: lakeserver.Bucket,
			keys: []string{"OSS_ACCESS_KEY_ID=" + testserver.AccessKeyID, "OSS_ACCESS_KEY_SECRET=" + testserver.AccessKeySecret, "OSS_REGION=" + testserver.Region},
		}, "oss-sdk")
		if err := b.Contest.Measure(ctx, entrants...); err != nil {
			return err
		}
		b.best("stocktake", entrants)
		return nil
	})
}

// server fills a server and lists it with every client: the tools of other projects,
// the SDKs of AWS and MinIO, and our own take, which makes a whole report of it.
func (b *listersBench) server(ctx context.Context, p peers.Peer, binary string, listers []string, program string, ours *experiment.Entrant) (err error) {
	data := filepath.Join(b.Work, "peer")
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	s, err := p.Start(ctx, binary, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	const bucket = "listed"
	if err := s.Fill(ctx, bucket, b.Rows); err != nil {
		return err
	}
	entrants := b.against(program, listedBucket{server: p.Name, scheme: "s3", url: s.URL(), name: bucket, keys: s.Keys()}, "aws-sdk", "minio-sdk")
	taken := entrants[0]
	for i, l := range b.listers {
		entrants = append(entrants, &experiment.Entrant{
			Name: fmt.Sprintf("%s-gzip-1/server=%s", l.Name, p.Name), Ours: []*experiment.Entrant{ours, taken},
			Says: fmt.Sprintf("%s on %s with as many, key, size and time of each, compressed at level 1", l.Shown(), p.Name),
			Once: func(ctx context.Context) (experiment.Execution, error) { return b.list(ctx, l, listers[i], s, bucket) },
		})
	}
	if err := b.Contest.Measure(ctx, entrants...); err != nil {
		return err
	}
	b.best(p.Name, entrants)
	return nil
}

// list lists a bucket with a tool and compresses the output as it is printed.
func (b *listersBench) list(ctx context.Context, l peers.Lister, binary string, s *peers.Server, bucket string) (did experiment.Execution, err error) {
	cmd, err := l.List(ctx, binary, s, bucket, b.Work)
	if err != nil {
		return did, err
	}
	var n measure.Counter
	z, err := gzip.NewWriterLevel(&n, gzip.BestSpeed)
	if err != nil {
		return did, err
	}
	lines := &lineCounter{w: z}
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = lines, &stderr
	start := time.Now()
	if err := errors.Join(cmd.Run(), z.Close()); err != nil {
		return did, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return experiment.Execution{Took: time.Since(start), CPU: cpu, Stored: int64(n), Rows: lines.n}, nil
}

// lineCounter counts the lines that go to w.
type lineCounter struct {
	w *gzip.Writer
	n int
}

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte{'\n'})
	return c.w.Write(p)
}
