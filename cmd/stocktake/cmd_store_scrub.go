package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/terminal"
)

type storeScrub struct {
	remote
	jsonFlag
	Rate    *byteSize `help:"Bytes to read per second, at most; 0 means no limit. Default: the rate of the running server; 0 without a server."`
	Restart bool      `help:"Start at the first object, not where an interrupted scrub stopped."`
}

// Help is shown by --help below the flags.
func (storeScrub) Help() string {
	return `If a server is using the data folder, or --endpoint is given, that server reads the bytes. It
continues if this command is interrupted, and the next command watches the same scrub. A running
server also scrubs once a month (serve --scrub-rate), and logs what it finds.

An interrupted scrub resumes where it stopped. To get rid of a damaged object, delete it or
upload it again.`
}

// scrubResult is the result for programs.
type scrubResult struct {
	Data      string         `json:"data,omitempty"`
	Endpoint  string         `json:"endpoint,omitempty"` // of the server that did it
	OK        bool           `json:"ok"`
	Objects   int64          `json:"objects"` // versions and parts of uploads that were read
	Bytes     int64          `json:"bytes"`
	Damaged   int64          `json:"damaged"`
	Unchecked int64          `json:"unchecked"` // encrypted by an earlier version, and the keys cannot be opened
	Problems  []auditProblem `json:"problems"`  // the first of them
}

// Run scrubs the store.
func (c *storeScrub) Run(ctx context.Context, con console, line *kong.Context) error {
	status := terminal.NewStatusLine(con.err)
	res := scrubResult{Problems: []auditProblem{}}
	problem := func(p auditProblem) {
		switch {
		case len(res.Problems) >= maxProblems:
		case c.JSON:
			res.Problems = append(res.Problems, p)
		default:
			status.Clear()
			sayf(con.out, "DAMAGED  %s\n", printable(store.Problem(p).String()))
		}
	}
	progress := func(sum client.Scrub) {
		status.Show(fmt.Sprintf("scrubbing: %s, %s so far", many(sum.Objects, "object"), size(sum.Bytes)))
	}
	var sum client.Scrub
	err := server.ErrInUse
	if !c.named(line) {
		res.Data = c.Data
		sum, err = c.stopped(ctx, problem, progress)
	}
	if errors.Is(err, server.ErrInUse) {
		res.Data, res.Endpoint = "", c.Endpoint
		sum, err = c.running(ctx, problem, progress)
	}
	status.Clear()
	if err != nil {
		return err
	}
	res.Objects, res.Bytes, res.Damaged, res.Unchecked, res.OK = sum.Objects, sum.Bytes, sum.Damaged, sum.Unchecked, sum.Damaged == 0
	return c.report(con, res)
}

// named reports whether the command line names the server. The environment does not
// count, since it may name a server that is not running.
func (c *storeScrub) named(line *kong.Context) bool {
	for _, p := range line.Path {
		if p.Flag != nil && p.Flag.Name == "endpoint" && !p.Resolved {
			return true
		}
	}
	return false
}

// stopped scrubs the store of a data folder that no server uses; else the error is
// server.ErrInUse.
func (c *storeScrub) stopped(ctx context.Context, problem func(auditProblem), progress func(client.Scrub)) (_ client.Scrub, err error) {
	if st, err := os.Stat(server.Folder(c.Data).Index()); err != nil || !st.IsDir() {
		return client.Scrub{}, usagef("--data: %s is not a store: it has no folder named index; name a running server with --endpoint", c.Data)
	}
	st, err := server.OpenStore(ctx, server.Folder(c.Data), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return client.Scrub{}, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	opts := store.ScrubOptions{
		Restart:  c.Restart,
		Problem:  func(p store.Problem) { problem(auditProblem(p)) },
		Progress: func(sum store.Scrub) { progress(client.Scrub(sum)) },
	}
	if c.Rate != nil {
		opts.BytesPerSecond = int64(*c.Rate)
	}
	sum, err := st.Scrub(ctx, opts)
	return client.Scrub(sum), err
}

// running has a server scrub its store.
func (c *storeScrub) running(ctx context.Context, problem func(auditProblem), progress func(client.Scrub)) (client.Scrub, error) {
	admin, err := c.admin()
	if err != nil {
		return client.Scrub{}, err
	}
	opts := client.ScrubOptions{
		Restart:  c.Restart,
		Problem:  func(p client.ScrubProblem) { problem(auditProblem(p)) },
		Progress: progress,
	}
	if c.Rate != nil {
		opts.BytesPerSecond = cmp.Or(int64(*c.Rate), -1)
	}
	sum, err := admin.Scrub(ctx, opts)
	if err != nil && !errors.Is(err, client.ErrScrub) {
		err = c.refused(err)
	}
	return sum, err
}

// report prints the result, and returns an error if anything is damaged.
func (c *storeScrub) report(con console, res scrubResult) (err error) {
	place := cmp.Or(res.Data, res.Endpoint)
	if c.JSON {
		err = terminal.PrintJSON(con.out, res)
	} else {
		sayf(con.out, "scrubbed %s: %s, %s\n", place, many(res.Objects, "object"), size(res.Bytes))
		if res.Unchecked > 0 {
			sayf(con.out, "  not checked   %s that earlier versions encrypted\n", many(res.Unchecked, "object"))
		}
		if res.OK {
			_, err = sayln(con.out, "nothing is damaged")
		}
	}
	if err == nil && !res.OK {
		err = fmt.Errorf("the store in %s is damaged: %s", place, many(res.Damaged, "object"))
	}
	return err
}
