// Package cluster_test runs several processes of the real binary on one PostgreSQL
// database and one S3 server, and kills, pauses, cuts off and ends them. It says
// what is missing if it cannot start a server; it does not skip.
package cluster_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/program"
)

var (
	stocktakeBinary, versitygwBinary string
	server                           *testpostgres.Server // that is not restarted
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	// Tests wait for leases to expire most of the time, whatever the number of cores.
	if err := flag.Set("test.parallel", "32"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "stocktake-cluster")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if stocktakeBinary, err = testserver.Build(ctx, dir); err == nil {
		versitygwBinary, err = program.Build(ctx, dir, filepath.Join("..", "servers"), "github.com/versity/versitygw/cmd/versitygw")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return testpostgres.Main(m, func(s *testpostgres.Server) { server = s }, "max_connections=800")
}
