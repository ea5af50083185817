// Package machines measures runs that several processes share over one PostgreSQL
// database.
package machines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stocktake/stocktake/bench/internal/farserver"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/client"
	catalog "github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/internal/testserver"
)

// machines are the processes of runs on many machines: a simulator of the store that
// is listed, a server that has the bucket of reports, a PostgreSQL server that syncs
// as in production, and our servers that share it.
type machines struct {
	binary, dir string
	far         farserver.Simulator
	reports     *testserver.Server
	pg          *testpostgres.Server
	db          *pgxpool.Pool // of this process, to read counters

	servers     []*testserver.Server // they are told apart by their names: those of their folders
	dead        []int                // servers that were killed
	inventories *client.Client       // of the first server
	sdk         *oss.Client          // of the server with the reports
}

// startMachines starts everything except our servers. The caller ends it.
func startMachines(ctx context.Context, binary, dir string, b farserver.Bucket) (m *machines, err error) {
	m = &machines{binary: binary, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.end())
		}
	}()
	if m.pg, m.db, err = startPostgres(ctx, "max_connections=300", "track_io_timing=off"); err != nil {
		return m, err
	}
	m.reports, err = testserver.Start(ctx, testserver.Config{
		Binary: binary, Data: filepath.Join(dir, "reports"), Args: []string{"--bucket", lakeserver.ReportsBucket, "--scrub-rate", "0"},
	})
	if err != nil {
		return m, err
	}
	m.sdk = lakeserver.CLI{Binary: binary, Server: m.reports}.Client()
	m.far, err = farserver.Start(ctx, b)
	return m, err
}

// startPostgres starts a server with more options, which counts what its statements cost. Its
// database postgres is migrated. After an error the caller ends what is not nil.
func startPostgres(ctx context.Context, options ...string) (pg *testpostgres.Server, db *pgxpool.Pool, err error) {
	options = append(options, "fsync=on", "shared_buffers=256MB", "shared_preload_libraries=pg_stat_statements")
	if pg, err = testpostgres.New(options...); err != nil {
		return nil, nil, err
	}
	address := pg.Address("postgres")
	if err := migrate(ctx, address); err != nil {
		return pg, nil, err
	}
	if db, err = pgxpool.New(ctx, address); err != nil {
		return pg, nil, err
	}
	_, err = db.Exec(ctx, "CREATE EXTENSION pg_stat_statements")
	return pg, db, err
}

func migrate(ctx context.Context, address string) error {
	cfg, err := catalog.Parse(address)
	if err != nil {
		return err
	}
	return catalog.Migrate(ctx, cfg, slog.New(slog.DiscardHandler))
}

// settings are the settings of each of our servers: they list the simulator's
// buckets, and write reports to the bucket of the other server.
const settings = `stores:
  - name: far
    kind: s3
    endpoint: %[2]s
    region: %[1]s
    addressing: path
    credentials: {env: FAR}
    roles: {"*": default}
    buckets: ["far", "far-*"]
    concurrency: %[3]d
  - name: reports
    kind: oss
    endpoint: %[4]s
    region: %[1]s
    addressing: path
    credentials: {env: REPORTS}
    roles: {"*": default}
    buckets: [%[5]s]
`

// start starts one of our servers. requests bounds the concurrent requests of all
// servers to the simulator.
func (m *machines) start(ctx context.Context, name string, requests int, args ...string) (*testserver.Server, error) {
	data := filepath.Join(m.dir, name)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(m.dir, name+".yaml")
	text := fmt.Sprintf(settings, testserver.Region, m.far.URL, requests, m.reports.URL(), lakeserver.ReportsBucket)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s, err := testserver.Start(ctx, testserver.Config{
		Binary: m.binary, Data: data, Args: append([]string{"--config", file, "--name", name, "--database", m.pg.Address("postgres")}, args...),
		Env: []string{
			"FAR_ACCESS_KEY_ID=id", "FAR_ACCESS_KEY_SECRET=secret",
			"REPORTS_ACCESS_KEY_ID=" + testserver.AccessKeyID, "REPORTS_ACCESS_KEY_SECRET=" + testserver.AccessKeySecret,
		},
	})
	if err != nil {
		return nil, err
	}
	if m.servers = append(m.servers, s); len(m.servers) == 1 {
		m.inventories = client.New(lakeserver.CLI{Binary: m.binary, Server: s}.Client())
	}
	return s, nil
}

// stopServers stops our servers as a service manager would.
func (m *machines) stopServers() (err error) {
	for i, s := range m.servers {
		if !slices.Contains(m.dead, i) {
			err = errors.Join(err, s.Stop())
		}
	}
	m.servers, m.dead = nil, nil
	return err
}

// end ends everything.
func (m *machines) end() (err error) {
	err = m.stopServers()
	if m.far.Cmd != nil {
		m.far.Stop()
	}
	if m.reports != nil {
		err = errors.Join(err, m.reports.Stop())
	}
	if m.db != nil {
		m.db.Close()
	}
	if m.pg != nil {
		err = errors.Join(err, m.pg.Close())
	}
	return err
}
