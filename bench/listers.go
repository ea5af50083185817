package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/stocktake/stocktake/bench/peers"
	"github.com/stocktake/stocktake/internal/testserver"
)

// listersCommand measures the usual way without an inventory: listing the bucket with
// a tool and compressing the output.
func listersCommand(ctx context.Context, args []string) error {
	b := listersBench{contest: contest{measurement: newMeasurement("listers", "folder for the stores, which are removed in the end")}}
	keys := set(b.flags, "keys", "100000", "objects in the bucket, the same for all", atLeast(1))
	servers := set(b.flags, "peers", "versitygw,minio", "servers that are listed; the tools cannot speak to Stocktake", others)
	rounds := set(b.flags, "rounds", "3", "how often each is measured; the median counts", atLeast(1))
	clients := set(b.flags, "listers", "mc,rclone", "tools that list, besides stocktake take and the SDKs", peers.ListersNamed)
	tools := toolsFlag(b.flags)
	return b.main(ctx, args, func(ctx context.Context) error {
		b.rows, b.contest.rounds = *keys, *rounds
		binaries, err := b.install(ctx, *servers, *tools)
		if err != nil {
			return err
		}
		b.listers = *clients
		listers := make([]string, len(b.listers))
		for i, l := range b.listers {
			if listers[i], err = installOther(ctx, l.Name, *tools, l.Install); err != nil {
				return err
			}
		}
		program, err := b.build(ctx)
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
		b.compare()
		return nil
	})
}

// others returns the servers of other projects with the given names.
func others(text string) ([]peers.Peer, error) {
	named, err := peers.Named(text)
	for _, p := range named {
		if p.Name == peers.All[0].Name {
			return nil, fmt.Errorf("%s is what they are held against", p.Name)
		}
	}
	return named, err
}

type listersBench struct {
	contest
	listers []peers.Lister
}

// stocktake makes runs over as many objects, and lists them with take and with the
// SDK of OSS, whose signatures no other server accepts.
func (b *listersBench) stocktake(ctx context.Context, program string) (*entrant, error) {
	ours := &entrant{name: "Stocktake", says: fmt.Sprintf("a whole run of %d objects, %d columns, compressed as well", b.rows, reportColumns)}
	return ours, b.withLake(ctx, b.rows, func(s *lakeServer) error {
		if err := s.configure(ctx); err != nil {
			return err
		}
		ours.once = func(ctx context.Context) (execution, error) { return makeRun(ctx, s) }
		if err := b.contest.measure(ctx, ours); err != nil {
			return err
		}
		entrants := b.against(program, listedBucket{
			server: "stocktake", scheme: "oss", url: s.server.URL(), name: lakeBucket,
			keys: []string{"OSS_ACCESS_KEY_ID=" + testserver.AccessKeyID, "OSS_ACCESS_KEY_SECRET=" + testserver.AccessKeySecret, "OSS_REGION=" + testserver.Region},
		}, "oss-sdk")
		if err := b.contest.measure(ctx, entrants...); err != nil {
			return err
		}
		b.best("stocktake", entrants)
		return nil
	})
}

// server fills a server and lists it with every client: the tools of other projects,
// the SDKs of AWS and MinIO, and our own take, which makes a whole report of it.
func (b *listersBench) server(ctx context.Context, p peers.Peer, binary string, listers []string, program string, ours *entrant) (err error) {
	data := filepath.Join(b.work, "peer")
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	s, err := p.Start(ctx, binary, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	const bucket = "listed"
	if err := fill(ctx, s, bucket, b.rows); err != nil {
		return err
	}
	entrants := b.against(program, listedBucket{server: p.Name, scheme: "s3", url: s.URL(), name: bucket, keys: s.Keys()}, "aws-sdk", "minio-sdk")
	taken := entrants[0]
	for i, l := range b.listers {
		entrants = append(entrants, &entrant{
			name: fmt.Sprintf("%s-gzip-1/server=%s", l.Name, p.Name), ours: []*entrant{ours, taken},
			says: fmt.Sprintf("%s on %s with as many, key, size and time of each, compressed at level 1", l.Shown(), p.Name),
			once: func(ctx context.Context) (execution, error) { return b.list(ctx, l, listers[i], s, bucket) },
		})
	}
	if err := b.contest.measure(ctx, entrants...); err != nil {
		return err
	}
	b.best(p.Name, entrants)
	return nil
}

// list lists a bucket with a tool and compresses the output as it is printed.
func (b *listersBench) list(ctx context.Context, l peers.Lister, binary string, s *peers.Server, bucket string) (did execution, err error) {
	cmd, err := l.List(ctx, binary, s, bucket, b.work)
	if err != nil {
		return did, err
	}
	var n counter
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
	return execution{took: time.Since(start), cpu: cpu, stored: int64(n), rows: lines.n}, nil
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
