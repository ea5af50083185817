package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/store"
)

type storeScrub struct {
	Data    string   `group:"Connection" help:"Data folder of the server." default:"./stocktake-data" type:"path"`
	Rate    byteSize `help:"Read at most so many bytes a second; 0 means as fast as the disk." default:"0"`
	Restart bool     `help:"Begin at the first object, not where an interrupted scrub ended."`
	JSON    bool     `help:"Print the result as JSON."`
}

// Help is shown by --help below the flags.
func (storeScrub) Help() string {
	return `Reads all bytes of all objects and compares them with the checksums that were made when
they were written. A running server does the same once a month (serve --scrub-rate) and
logs what it finds; this command is for a server that does not run.

An interrupted scrub continues where it ended. To get rid of a damaged object, delete it or
upload it again.`
}

// scrubResult is the result for programs.
type scrubResult struct {
	Data      string         `json:"data"`
	OK        bool           `json:"ok"`
	Objects   int64          `json:"objects"` // versions and parts of uploads that were read
	Bytes     int64          `json:"bytes"`
	Damaged   int64          `json:"damaged"`
	Unchecked int64          `json:"unchecked"` // encrypted by an earlier version, and the keys cannot be opened
	Problems  []auditProblem `json:"problems"`  // the first of them
}

// Run scrubs the store.
func (c *storeScrub) Run(ctx context.Context, con console) (err error) {
	if st, err := os.Stat(server.Folder(c.Data).Index()); err != nil || !st.IsDir() {
		return usagef("--data: %s holds no store: there is no folder index in it", c.Data)
	}
	st, err := server.OpenStore(ctx, server.Folder(c.Data), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	line := newStatusLine(con.err)
	res := scrubResult{Data: c.Data, Problems: []auditProblem{}}
	sum, err := st.Scrub(ctx, store.ScrubOptions{
		BytesPerSecond: int64(c.Rate), Restart: c.Restart,
		Problem: func(p store.Problem) {
			switch {
			case len(res.Problems) >= maxProblems:
			case c.JSON:
				res.Problems = append(res.Problems, auditProblem(p))
			default:
				line.clear()
				sayf(con.out, "DAMAGED  %s\n", printable(p.String()))
			}
		},
		Progress: func(sum store.Scrub) {
			line.show(fmt.Sprintf("scrubbing: %s, %s so far", many(sum.Objects, "object"), size(sum.Bytes)))
		},
	})
	line.clear()
	if err != nil {
		return err
	}
	res.Objects, res.Bytes, res.Damaged, res.Unchecked, res.OK = sum.Objects, sum.Bytes, sum.Damaged, sum.Unchecked, sum.Damaged == 0
	if c.JSON {
		err = printJSON(con.out, res)
	} else {
		sayf(con.out, "scrubbed %s: %s, %s\n", c.Data, many(sum.Objects, "object"), size(sum.Bytes))
		if sum.Unchecked > 0 {
			sayf(con.out, "  not checked   %s that earlier versions encrypted\n", many(sum.Unchecked, "object"))
		}
		if res.OK {
			_, err = sayln(con.out, "nothing is damaged")
		}
	}
	if err == nil && !res.OK {
		err = fmt.Errorf("the store in %s is damaged: %s", c.Data, many(res.Damaged, "object"))
	}
	return err
}
