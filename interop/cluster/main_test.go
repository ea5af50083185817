// Package cluster_test runs several processes of the real binary on one PostgreSQL
// database and one S3 server, and kills, pauses, disconnects and ends them. If a
// server cannot be started, the tests fail with what is missing; they do not skip.
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
	"github.com/stocktake/stocktake/interop/internal/stage"
)

var (
	stocktakeBinary, versitygwBinary string
	server                           *testpostgres.Server // that is not restarted
)

// The binaries, for tests that run again on a stage.
const (
	envStocktake = "CLUSTER_STOCKTAKE"
	envVersitygw = "CLUSTER_VERSITYGW"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	// Tests wait for leases to expire most of the time, whatever the number of cores; but
	// more processes at once would starve each other beyond their leases.
	parallel := "16"
	if stage.Inside() {
		parallel = "8"
	}
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "stocktake-cluster")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if stage.Inside() { // where nothing can be built, because there is no network
		stocktakeBinary, versitygwBinary = os.Getenv(envStocktake), os.Getenv(envVersitygw)
		err = stage.Set()
	} else {
		err = build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return testpostgres.Main(m, func(s *testpostgres.Server) { server = s }, "max_connections=800")
}

func build(ctx context.Context, dir string) (err error) {
	if stocktakeBinary, err = testserver.Build(ctx, dir); err != nil {
		return err
	}
	versitygwBinary, err = program.Build(ctx, dir, filepath.Join("..", "servers"), "github.com/versity/versitygw/cmd/versitygw")
	return err
}
