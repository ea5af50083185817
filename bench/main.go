// Bench measures stocktake as a user would: the real binary, on folders seeded
// with as many objects as asked for, compared with others doing the same work.
//
//	go run . seed -data DIR -objects N    a store with N objects, in seconds
//	go run . run -objects N               a report of N objects against its own compressor
//	go run . parts                        each part of a run by itself, and the whole
//	go run . flat                         memory and cost per object from 10^6 to 10^8 objects
//	go run . beside                       the API with and without runs at the same time
//	go run . service                      the inventory service: 10,000 configurations, its API, put to manifest
//	go run . exports                      a run compared with exports of databases
//	go run . listers                      a run compared with tools that list a bucket
//	go run . far                          a report of a bucket far away, by a simulator, without and with hints
//	go run . scale                        a run of a bucket far away, by 1 to 8 worker processes that share PostgreSQL
//	go run . minute                       1,000 configurations due at one minute, made by processes that share PostgreSQL
//	go run . shards                       what a run of 10^10 objects costs besides its listing
//	go run . readers                      report diff of two reports, report find in a large one
//	go run . console                      how long pages of the console take, and what they weigh
//	go run . objects                      PUT, GET and LIST, compared with versitygw and MinIO
//	go run . objects -journal             PUT with incremental reports compared with PUT without
//	go run . journal                      the journal at the store's own speed: its cost, and a burst while windows are cut
//
// Each folder has the commands of one subject, and internal/ what they share.
//
// What a command finds goes to results/, ratios first. Two figures belong
// together only if they stand in one file.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/stocktake/stocktake/bench/api"
	"github.com/stocktake/stocktake/bench/far"
	"github.com/stocktake/stocktake/bench/internal/farserver"
	"github.com/stocktake/stocktake/bench/machines"
	"github.com/stocktake/stocktake/bench/rivals"
	"github.com/stocktake/stocktake/bench/runs"
	"github.com/stocktake/stocktake/bench/service"
)

// A command is one thing that bench does.
type command struct {
	name, does string
	run        func(ctx context.Context, args []string) error
}

var commands = []command{
	{"seed", "fill a store with objects", seedCommand},
	{"run", "reports of a bucket, and their compressor alone", runs.Run},
	{"parts", "each part of a run by itself", runs.Parts},
	{"flat", "memory and cost per object from 10^6 to 10^8 objects", runs.Flat},
	{"beside", "the API with and without runs", api.Beside},
	{"service", "the inventory service: many configurations, its API, put to manifest", service.Run},
	{"exports", "a run compared with exports of databases", rivals.Exports},
	{"formats", "the formats of reports compared with DuckDB's", rivals.Formats},
	{"listers", "a run compared with tools that list a bucket", rivals.Listers},
	{"far", "a report of a bucket far away, which is simulated", far.Run},
	{"far-server", "", farserver.Run}, // parts of far
	{"far-client", "", far.Client},
	{"sdk-client", "", rivals.SDKClient}, // a part of listers
	{"scale", "a run by more and more worker processes that share PostgreSQL", machines.Scale},
	{"minute", "many configurations due at one minute, made by several processes", machines.Minute},
	{"shards", "a run of 10^10 objects, whose slices are made up", machines.Shards},
	{"readers", "report diff and report find", runs.Readers},
	{"journal", "the journal of changes: its cost, and a burst while windows are cut", api.Journal},
	{"console", "pages of the console: how long they take, and what they weigh", api.Console},
	{"objects", "PUT, GET and LIST, compared with other object stores", api.Objects},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		for _, c := range commands {
			if c.name == os.Args[1] {
				if err := c.run(ctx, os.Args[2:]); err != nil {
					fmt.Fprintf(os.Stderr, "bench %s: %v\n", c.name, err)
					os.Exit(1)
				}
				return
			}
		}
	}
	fmt.Fprintln(os.Stderr, "usage: go run . COMMAND [flags]; -help after a command shows its flags")
	for _, c := range commands {
		if c.does == "" {
			continue
		}
		fmt.Fprintf(os.Stderr, "  %-8s %s\n", c.name, c.does)
	}
	os.Exit(2)
}
