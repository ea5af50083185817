package cluster_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/testpostgres"
	"github.com/stocktake/stocktake/internal/testprocess"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/program"
)

const (
	accessKey, secretKey = "stocktake", "stocktake-secret"

	// limit bounds each wait. It is far longer than any wait takes.
	limit = 4 * time.Minute
)

// A lake is versitygw with a folder that tests fill and read directly.
type lake struct {
	folder   string
	endpoint string
	keys     map[string]map[string]bool // by bucket
}

func startLake(t testing.TB, host string) *lake {
	t.Helper()
	l := &lake{folder: filepath.Join(t.TempDir(), "lake"), keys: map[string]map[string]bool{}}
	if err := os.Mkdir(l.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	addr := program.Listen(t, func(addr string) *program.Process {
		if host != "" {
			addr = host + addr[strings.LastIndexByte(addr, ':'):]
		}
		return program.Start(t, exec.Command(versitygwBinary, "--access", accessKey, "--secret", secretKey, "--port", addr, "--quiet", "posix", l.folder))
	}, func(ctx context.Context, addr string) error {
		if host != "" {
			addr = host + addr[strings.LastIndexByte(addr, ':'):]
		}
		return testprocess.CheckListening(ctx, addr)
	})
	if host != "" {
		addr = host + addr[strings.LastIndexByte(addr, ':'):]
	}
	l.endpoint = "http://" + addr
	return l
}

// bucket makes an empty bucket.
func (l *lake) bucket(t testing.TB, name string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(l.folder, name), 0o700); err != nil {
		t.Fatal(err)
	}
}

// hostile are names that programs often mishandle. They do not include control
// characters that XML lacks, because versitygw lists others in their place.
var hostile = []string{
	"a b", "a+b", "a%20b", "%", "%2F", "a&b=c", "a?b#c", "q\"uote", "it's", "<tag>", "new\nline", "tab\tkey", "car\rriage",
	"comma,comma", "semi;colon", "back\\slash", "café", "cafe\u0301", "日本語", "\U0001F4E6", "\u200b", "~tilde", "*", "...", "x..y", "-dash", "=cmd()", "\x7f",
}

// fill makes a bucket with at least n objects, some of them with hostile keys.
func (l *lake) fill(t testing.TB, name string, n int) {
	t.Helper()
	l.bucket(t, name)
	keys := map[string]bool{}
	for _, h := range hostile {
		keys["hostile/"+h] = true
		keys["hostile/dir "+h+"/"+h] = true
	}
	for i := 0; len(keys) < n; i++ {
		keys[fmt.Sprintf("photos/%02d/%02d/%06d é.jpg", i%7, i/7%50, i)] = true
	}
	made := map[string]bool{}
	for key := range keys {
		file := filepath.Join(l.folder, name, key)
		if dir := filepath.Dir(file); !made[dir] {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			made[dir] = true
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.keys[name] = keys
}

// A world is a database, and buckets of a lake.
type world struct {
	t       testing.TB
	pg      *testpostgres.Server
	address string // of the database
	pool    *pgxpool.Pool
	lake    *lake
	reports string // the bucket of reports, of this world alone
	far     string // endpoint of a store with the bucket "far"; empty: there is none

	prefixes map[string]string // of configurations that have one, by id
}

// migrated returns the address of a new database with tables.
func migrated(t testing.TB, pg *testpostgres.Server) string {
	t.Helper()
	address := pg.Database(t)
	if out, err := exec.CommandContext(t.Context(), stocktakeBinary, "migrate", "--database", address).CombinedOutput(); err != nil {
		t.Fatalf("stocktake migrate: %v\n%s", err, out)
	}
	return address
}

// newWorld makes a world with a database that has tables, and an empty bucket for
// reports.
func newWorld(t testing.TB, pg *testpostgres.Server, address string, l *lake, reports string) *world {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	l.bucket(t, reports)
	return &world{t: t, pg: pg, address: address, pool: pool, lake: l, reports: reports}
}

// A machine is a process of stocktake, with a name.
type machine struct {
	*testserver.Server
	w    *world
	name string
	cfg  testserver.Config
}

// startAt starts a process that reaches the database and the lake at these addresses;
// without a database it is alone.
func (w *world) startAt(name, database, endpoint string, args ...string) *machine {
	w.t.Helper()
	return w.startWith(testserver.Config{Args: args}, name, database, endpoint)
}

func (w *world) startWith(cfg testserver.Config, name, database, endpoint string) *machine {
	w.t.Helper()
	dir := w.t.TempDir()
	settings := filepath.Join(dir, "stocktake.yaml")
	text, buckets := "stores:\n", "*"
	if w.far != "" {
		buckets = "reports*" // no store may claim the buckets of another
		text += fmt.Sprintf("  - name: far\n    kind: s3\n    endpoint: %s\n    credentials: {env: LAKE}\n    roles: {\"*\": default}\n    buckets: [far]\n", w.far)
	}
	text += fmt.Sprintf("  - name: lake\n    kind: s3\n    endpoint: %s\n    credentials: {env: LAKE}\n    roles: {\"*\": default}\n    buckets: [%q]\n    concurrency: 4\n", endpoint, buckets)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	cfg.Binary, cfg.Data = stocktakeBinary, filepath.Join(dir, "data")
	args := []string{"--config", settings}
	if database != "" {
		args = append(args, "--database", database, "--name", name)
	}
	cfg.Args = append(args, cfg.Args...)
	cfg.Env = []string{"LAKE_ACCESS_KEY_ID=" + accessKey, "LAKE_ACCESS_KEY_SECRET=" + secretKey}
	m := &machine{w: w, name: name, cfg: cfg}
	if err := m.start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		m.Kill()
		if w.t.Failed() {
			w.t.Logf("%s:\n%s", name, last(m.Log(), 6000))
		}
	})
	return m
}

func last(text string, n int) string { return text[max(0, len(text)-n):] }

// start starts the process repeatedly until it keeps running: its port may be in use, the
// machine too loaded to be ready in time, the database away.
func (m *machine) start(ctx context.Context) error {
	deadline := time.Now().Add(limit)
	for {
		s, err := testserver.Start(ctx, m.cfg)
		if err == nil {
			m.Server = s
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil || strings.Contains(err.Error(), "exit status 2") {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// pause pauses a process, and returns once none of its threads runs.
func (m *machine) pause() {
	m.w.t.Helper()
	if err := syscall.Kill(m.PID(), syscall.SIGSTOP); err != nil {
		m.w.t.Fatal(err)
	}
	m.w.until(m.name+" to stand still", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.PID()))
		return err == nil && strings.HasPrefix(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " T")
	})
}

// resume resumes a paused process.
func (m *machine) resume() {
	m.w.t.Helper()
	if err := syscall.Kill(m.PID(), syscall.SIGCONT); err != nil {
		m.w.t.Fatal(err)
	}
}

// api returns a client that repeats no request.
func (m *machine) api() *client.Client { return client.New(sdk(m.URL())) }

// sdk returns the official SDK's client of a server, which repeats no request.
func sdk(url string) *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().WithRegion(testserver.Region).WithEndpoint(url).WithUsePathStyle(true).WithRetryMaxAttempts(1).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(testserver.AccessKeyID, testserver.AccessKeySecret)))
}

// configuration returns one of a bucket of the lake.
func (w *world) configuration(id string) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: id, IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Weekly}, IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldETag},
		Destination: stocktake.Destination{
			Format: "CSV", AccountID: testserver.AccountID, RoleARN: "acs:ram::" + testserver.AccountID + ":role/stocktake", Bucket: w.reports, Prefix: "inv",
		},
	}
}

// put puts a configuration at a machine, whose first run begins.
func (w *world) put(m *machine, bucket, id string) {
	w.t.Helper()
	if err := m.api().Put(w.t.Context(), bucket, w.configuration(id)); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for a condition.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(limit); !holds(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("waiting for %s for %v\n%s", what, limit, w.state())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// reached waits for a hold.
func (w *world) reached(h *hold) {
	w.t.Helper()
	w.until("the step", func() bool {
		select {
		case <-h.reached:
			return true
		default:
			ended, err := w.tryRows(`SELECT state, reason FROM runs WHERE ended <> 0`)
			if err != nil || len(ended) == 0 {
				return false
			}
			select {
			case <-h.reached: // what is held is the answer, and the run ends before it
				return true
			case <-time.After(10 * time.Second):
				w.t.Fatalf("the step is not reached: the run has ended: %q", ended)
				return false
			}
		}
	})
}

// tryRows returns the rows of a query, their values as text.
func (w *world) tryRows(query string, args ...any) (found [][]string, err error) {
	rows, err := w.pool.Query(w.t.Context(), query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = fmt.Sprint(v)
		}
		found = append(found, row)
	}
	return found, rows.Err()
}

// has reports whether a query has rows. It is false while the database is away.
func (w *world) has(query string, args ...any) bool {
	rows, err := w.tryRows(query, args...)
	return err == nil && len(rows) > 0
}

// state describes the content of the database, for failure messages.
func (w *world) state() string {
	var b strings.Builder
	for _, query := range []string{
		`SELECT id, bucket, configuration, state, attempt, owner, to_timestamp(lease / 1000000.0)::text, reason FROM runs WHERE ended = 0`,
		`SELECT run, stopped, paused, listing, failure FROM works`,
		`SELECT id, bucket, closed, numbers FROM listings`,
		`SELECT id, coalesce(run, 'listing ' || listing), kind, done, generation, worker, host, to_timestamp(lease / 1000000.0)::text FROM tasks ORDER BY id LIMIT 50`,
		`SELECT id, host, slots, to_timestamp(seen / 1000000.0)::text FROM processes`,
		`SELECT kind, state::text, args::text, attempted_by::text FROM river_job WHERE finalized_at IS NULL ORDER BY id LIMIT 50`,
		`SELECT now()::text, leader_id FROM river_leader`,
	} {
		rows, err := w.tryRows(query)
		fmt.Fprintf(&b, "%s: %v\n", query, err)
		for _, r := range rows {
			fmt.Fprintf(&b, "  %q\n", r)
		}
	}
	return b.String()
}

// runs returns the runs of a configuration, newest first, as returned by a machine.
func (w *world) runs(m *machine, bucket, id string) []stocktake.Run {
	w.t.Helper()
	runs, err := m.api().Runs(w.t.Context(), bucket, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return runs
}

// ended waits until the newest run of a configuration has ended.
func (w *world) ended(bucket, id string) {
	w.t.Helper()
	w.until("the end of the run", func() bool {
		return w.has(`SELECT 1 FROM runs WHERE bucket = $1 AND configuration = $2`, bucket, id) &&
			!w.has(`SELECT 1 FROM runs WHERE bucket = $1 AND configuration = $2 AND ended = 0`, bucket, id)
	})
}

// nothingLeft waits until the database has no unfinished run, task or job.
func (w *world) nothingLeft() {
	w.t.Helper()
	for _, query := range []string{
		`SELECT 1 FROM runs WHERE ended = 0`, `SELECT 1 FROM works`, `SELECT 1 FROM tasks`, `SELECT 1 FROM listings`, `SELECT 1 FROM river_job WHERE finalized_at IS NULL`,
	} {
		w.until("no row of "+query, func() bool {
			rows, err := w.tryRows(query)
			return err == nil && len(rows) == 0
		})
	}
}

// stopped ends a machine as a service manager would.
func (m *machine) stopped() {
	m.w.t.Helper()
	if err := m.Stop(); err != nil {
		m.w.t.Error(err)
	}
}
