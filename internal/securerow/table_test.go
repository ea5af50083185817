package securerow_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/securefile"
	"github.com/stocktake/stocktake/internal/securefile/storagetest"
	"github.com/stocktake/stocktake/internal/securerow"
	"github.com/stocktake/stocktake/internal/testpostgres"
)

var server *testpostgres.Server

func TestMain(m *testing.M) {
	os.Exit(testpostgres.Main(m, func(s *testpostgres.Server) { server = s }, "max_connections=200"))
}

var (
	template sync.Mutex
	migrated string
)

// database returns the address of a new database that is up to date.
func database(t *testing.T) string {
	t.Helper()
	if server == nil {
		t.Skip(testpostgres.ErrMissing)
	}
	template.Lock()
	defer template.Unlock()
	if migrated == "" {
		migrated = server.Database(t)
		cfg, err := postgres.Parse(migrated)
		if err == nil {
			err = postgres.Migrate(t.Context(), cfg, slog.New(slog.DiscardHandler))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return server.Copy(t, migrated)
}

var master = []byte("0123456789abcdef0123456789abcdef")

var names = map[string]int{"one": 1000, "two": 1000}

func connect(t *testing.T, address string) *postgres.Database {
	t.Helper()
	cfg, err := postgres.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cat.Close(); err != nil {
			t.Error(err)
		}
	})
	return cat.Database()
}

// open opens the table as one process does; it is not served.
func open(t *testing.T, address string, opts securerow.Options) *securerow.Table {
	t.Helper()
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	opts.Writer = "tester@" + opts.Host
	table, err := securerow.Open(t.Context(), connect(t, address), master, names, opts)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// serve follows changes until the test, or stop, ends it.
func serve(t *testing.T, table *securerow.Table) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- table.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// exec runs a statement in a database.
func exec(t *testing.T, address, statement string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(context.Background(), statement, args...)
	if err := errors.Join(err, conn.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
}

func put(text string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(text), nil }
}

// eventually waits until check holds.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !check(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 30 s: " + what)
		}
	}
}

const refuse = `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
	CREATE TRIGGER refuse BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION refuse()`

func TestStorage(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storagetest.Place {
		direct := database(t)
		proxy := server.NewProxy(t)
		address := proxy.Address(t, direct)
		return storagetest.Place{
			Open: func() securefile.Storage {
				table := open(t, address, securerow.Options{Host: "a"})
				serve(t, table)
				return table.Row("one")
			},
			Spoil: func() { exec(t, direct, `UPDATE documents SET content = content || '\x00'`) },
			Fail: func(_ securefile.Storage, n int) bool {
				switch n {
				case 0:
					exec(t, direct, refuse)
				case 1:
					proxy.DropCommits(1)
				case 2:
					proxy.LoseAnswers(1)
				case 3:
					proxy.DropCommits(1000)
				default:
					return false
				}
				return true
			},
			Heal: func(securefile.Storage) {
				exec(t, direct, `DROP FUNCTION IF EXISTS refuse CASCADE`)
				proxy.DropCommits(0)
			},
		}
	})
}

// The database alone discloses no secret, and a row that was changed, moved or sealed
// with another master key is refused with an error that says so.
func TestSealed(t *testing.T) {
	address := database(t)
	table := open(t, address, securerow.Options{Host: "a"})
	for _, name := range []string{"one", "two"} {
		if _, err := table.Row(name).Update(put("a secret of " + name)); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	var dump string
	err = conn.QueryRow(t.Context(), `SELECT string_agg(documents::text || encode(content, 'escape'), ' ') FROM documents`).Scan(&dump)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(dump, "secret") || !strings.Contains(dump, "one") {
		t.Errorf("the database has\n%s", dump)
	}

	db := connect(t, address)
	_, err = securerow.Open(t.Context(), db, []byte("another key, of thirty-two bytes"), names, securerow.Options{})
	if !errors.Is(err, securerow.ErrOtherMaster) || !strings.Contains(err.Error(), "give all machines the same") {
		t.Errorf("another master key: %v", err)
	}
	for _, tt := range []struct {
		name, change string
		want         error
	}{
		{"changed", `UPDATE documents SET content = set_byte(content, 30, get_byte(content, 30) # 1) WHERE name = 'one'`, securerow.ErrDamaged},
		{"cut off", `UPDATE documents SET content = substr(content, 1, 5) WHERE name = 'one'`, securerow.ErrDamaged},
		{"empty", `UPDATE documents SET content = '' WHERE name = 'one'`, securerow.ErrDamaged},
		{"of another row", `UPDATE documents SET content = (SELECT content FROM documents WHERE name = 'two') WHERE name = 'one'`, securerow.ErrDamaged},
		{"of another version", `UPDATE documents SET version = 7 WHERE name = 'one'`, securerow.ErrDamaged},
		{"of a later form", `UPDATE documents SET content = set_byte(content, 0, 2) WHERE name = 'one'`, securerow.ErrFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := database(t)
			a := open(t, address, securerow.Options{Host: "a", MaxAge: time.Hour})
			for _, name := range []string{"one", "two"} {
				if _, err := a.Row(name).Update(put("text of " + name)); err != nil {
					t.Fatal(err)
				}
			}
			var failed error
			doc := securefile.Document[string]{
				Storage: a.Row("one"),
				Parse:   func(data []byte) (*string, error) { s := string(data); return &s, nil },
				Failed:  func(err error) { failed = err },
			}
			if err := doc.Load(); err != nil {
				t.Fatal(err)
			}
			exec(t, address, tt.change)
			if _, err := securerow.Open(t.Context(), connect(t, address), master, names, securerow.Options{}); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "row one") {
				t.Errorf("open: %v, want %v", err, tt.want)
			}
			// A process that has read the row before keeps the document, but does not confirm it.
			exec(t, address, `UPDATE documents SET version = version + 1 WHERE name = 'one'`)
			a.OnChange(doc.Refresh)
			serve(t, a)
			eventually(t, "the change is seen", func() bool { return doc.Refresh() != nil })
			if got := *doc.Current(); got != "text of one" || !errors.Is(failed, tt.want) {
				t.Errorf("%q is in force, %v", got, failed)
			}
			age := a.Age()
			eventually(t, "nothing is confirmed", func() bool { return a.Age() > age+600*time.Millisecond })
		})
	}
}

// A missing row is not mistaken for one that never existed.
func TestGone(t *testing.T) {
	address := database(t)
	a := open(t, address, securerow.Options{Host: "a"})
	r := a.Row("one")
	if _, err := r.Update(put("text")); err != nil {
		t.Fatal(err)
	}
	exec(t, address, `DELETE FROM documents`)
	if _, err := r.Update(put("new")); !errors.Is(err, securefile.ErrGone) {
		t.Errorf("update: %v, want %v", err, securefile.ErrGone)
	}
	serve(t, a)
	eventually(t, "it is missed", func() bool { _, err := r.Read(); return errors.Is(err, securefile.ErrGone) })
}

// A process that cannot reach the database confirms its documents for MaxAge, and again
// as soon as it reaches the database.
func TestUnconfirmed(t *testing.T) {
	direct := database(t)
	proxy := server.NewProxy(t)
	a := open(t, proxy.Address(t, direct), securerow.Options{Host: "a", MaxAge: 3 * time.Second})
	b := open(t, direct, securerow.Options{Host: "b"})
	serve(t, a)
	eventually(t, "it follows", func() bool { _, all, err := b.Behind(t.Context(), "one"); return err == nil && all == 1 })
	if err := a.Confirmed(); err != nil {
		t.Error(err)
	}
	proxy.Cut()
	if _, err := b.Row("one").Update(put("revoked")); err != nil {
		t.Fatal(err)
	}
	if behind, all, err := b.Behind(t.Context(), "one"); err != nil || all != 1 || len(behind) != 1 || behind[0] != "a" {
		t.Errorf("behind are %v of %d, %v", behind, all, err)
	}
	eventually(t, "it gives up", func() bool { return errors.Is(a.Confirmed(), securerow.ErrUnconfirmed) })
	if err := a.Row("one").Confirmed(); !errors.Is(err, object.ErrUnavailable) {
		t.Errorf("the row says %v, want %v", err, object.ErrUnavailable)
	}
	proxy.Mend()
	eventually(t, "it is back", func() bool { return a.Confirmed() == nil })
	if data, err := a.Row("one").Read(); err != nil || string(data) != "revoked" {
		t.Errorf("confirmed is %q, %v", data, err)
	}
	if behind, err := b.AwaitReaders(t.Context(), "one", time.Minute); err != nil || len(behind) > 0 {
		t.Errorf("behind are %v, %v", behind, err)
	}
}

// A database that can be read and not written is logged once, not at each attempt.
func TestUnreported(t *testing.T) {
	address := database(t)
	exec(t, address, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'read-only'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT ON document_readers FOR EACH ROW EXECUTE FUNCTION refuse()`)
	var lines lockedBuffer
	a := open(t, address, securerow.Options{Host: "a", MaxAge: time.Hour, Log: slog.New(slog.NewTextHandler(&lines, nil))})
	var attempts atomic.Int64
	a.OnChange(func() error { attempts.Add(1); return nil })
	stop := serve(t, a)
	eventually(t, "it tries four times", func() bool { return attempts.Load() >= 4 })
	exec(t, address, "DROP TRIGGER refuse ON document_readers")
	eventually(t, "it is confirmed", func() bool { return strings.Contains(lines.String(), "up to date") })
	stop()
	if got := lines.String(); strings.Count(got, "\n") != 2 || strings.Count(got, "read-only") != 1 {
		t.Errorf("logged:\n%s", got)
	}
}

// lockedBuffer keeps what is logged.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Processes whose settings differ report this, with the names of the others.
func TestDifferences(t *testing.T) {
	address := database(t)
	var tables []*securerow.Table
	var stops []func()
	for i, value := range []string{"same", "same", "other"} {
		table := open(t, address, securerow.Options{Host: string(rune('a' + i))})
		table.CompareSetting("access-file", func() []byte { return []byte(value) })
		table.CompareSetting("root key", func() []byte { return []byte("k") })
		stops = append(stops, serve(t, table))
		tables = append(tables, table)
	}
	eventually(t, "a tells", func() bool { return tables[0].Differences() == "access-file differs from that of c" })
	eventually(t, "c tells", func() bool { return tables[2].Differences() == "access-file differs from that of a, b" })
	stops[2]()
	eventually(t, "it is over", func() bool { return tables[0].Differences() == "" })
}

// Import makes all documents or none.
func TestImport(t *testing.T) {
	address := database(t)
	a := open(t, address, securerow.Options{Host: "a"})
	if _, err := a.Row("two").Update(put("there")); err != nil {
		t.Fatal(err)
	}
	b := open(t, address, securerow.Options{Host: "b"})
	err := b.Import(t.Context(), map[string][]byte{"one": []byte("1"), "two": []byte("2")})
	if !errors.Is(err, securerow.ErrNotEmpty) || !strings.Contains(err.Error(), "two") {
		t.Errorf("%v, want %v", err, securerow.ErrNotEmpty)
	}
	if data, err := open(t, address, securerow.Options{Host: "c"}).Row("one").Read(); data != nil || err != nil {
		t.Errorf("of an import that failed there is %q, %v", data, err)
	}
	if err := b.Import(t.Context(), map[string][]byte{"one": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if data, err := open(t, address, securerow.Options{Host: "c"}).Row("one").Read(); string(data) != "1" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}

// Changes wait for a process that has joined even before it serves, and earlier changes
// are in force there.
func TestJoin(t *testing.T) {
	address := database(t)
	writer, reader := open(t, address, securerow.Options{Host: "writer"}), open(t, address, securerow.Options{Host: "reader"})
	var taken string
	reader.OnChange(func() error {
		document, err := reader.Row("one").Read()
		taken = string(document)
		return err
	})
	if _, err := writer.Row("one").Update(put("before")); err != nil {
		t.Fatal(err)
	}
	if err := reader.Join(t.Context()); err != nil || taken != "before" {
		t.Fatalf("%v, %q is in force", err, taken)
	}
	if behind, all, err := writer.Behind(t.Context(), "one"); err != nil || all != 1 || len(behind) != 0 {
		t.Errorf("%q of %d are behind, %v", behind, all, err)
	}
	if _, err := writer.Row("one").Update(put("after")); err != nil {
		t.Fatal(err)
	}
	if behind, _, err := writer.Behind(t.Context(), "one"); err != nil || len(behind) != 1 || behind[0] != "reader" {
		t.Errorf("%q are behind, %v", behind, err)
	}
	serve(t, reader)
	if behind, err := writer.AwaitReaders(t.Context(), "one", time.Minute); err != nil || len(behind) != 0 {
		t.Errorf("%q are behind, %v", behind, err)
	}
	for _, leave := range []func(){reader.Leave, reader.Leave} {
		leave()
	}
	refused := open(t, address, securerow.Options{Host: "refused"})
	refused.OnChange(func() error { return errors.New("not this one") })
	if err := refused.Join(t.Context()); err == nil || !strings.Contains(err.Error(), "not this one") {
		t.Errorf("%v", err)
	}
}
