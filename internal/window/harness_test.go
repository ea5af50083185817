package window_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/window"
	"github.com/stocktake/stocktake/report"
)

var quiet = slog.New(slog.DiscardHandler)

var errBoom = errors.New("boom")

// log is a journal of given changes.
type log struct {
	at      stocktake.JournalPosition // of the reader
	changes []journal.Change
	gaps    []journal.Gap
	fault   *faults
}

func (l *log) Subscribe(context.Context, string, string, string) (stocktake.JournalPosition, error) {
	return l.at, l.fault.next("Subscribe")
}

func (l *log) Cut(_ context.Context, _ string, at int64) (stocktake.JournalPosition, error) {
	p := stocktake.JournalPosition{Time: at}
	for _, c := range l.changes {
		if c.Time < at {
			p.Sequence = c.Sequence
		}
	}
	return p, l.fault.next("Cut")
}

func (l *log) Changes(_ context.Context, _, prefix string, after, until stocktake.JournalPosition, yield func([]journal.Change) error) ([]journal.Gap, error) {
	if err := l.fault.next("Changes"); err != nil {
		return nil, err
	}
	for _, c := range l.changes {
		if c.Sequence <= after.Sequence || c.Sequence > until.Sequence || !strings.HasPrefix(string(c.Record.Key), prefix) {
			continue
		}
		if err := yield([]journal.Change{c}); err != nil {
			return nil, err
		}
	}
	var gaps []journal.Gap
	for _, g := range l.gaps {
		if g.Overlaps(after, until) {
			gaps = append(gaps, g)
		}
	}
	return gaps, nil
}

// faults fail the operation of a number, and after it those that die says. lost
// makes it happen, and its answer fail.
type faults struct {
	n, at int
	lost  bool
	dead  bool // every operation fails
	op    string
}

func (f *faults) next(op string) error {
	if f == nil {
		return nil
	}
	if f.dead {
		return errBoom
	}
	if f.n++; f.n == f.at {
		f.op = op
		return errBoom
	}
	return nil
}

// around calls do, unless the operation must fail before it.
func (f *faults) around(op string, do func() error) error {
	err := f.next(op)
	if err != nil && (f.dead || !f.lost) {
		return err
	}
	return errors.Join(do(), err)
}

type destination struct {
	engine.Destination
	f *faults
}

func (d destination) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	if err := d.f.next("Create " + key); err != nil {
		return nil, err
	}
	f, err := d.Destination.Create(ctx, key, opts)
	return file{f, d.f, key}, err
}

func (d destination) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := d.f.next("Open " + key); err != nil {
		return nil, err
	}
	return d.Destination.Open(ctx, key)
}

func (d destination) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if err := d.f.next("List " + prefix); err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return d.Destination.List(ctx, prefix)
}

func (d destination) Remove(ctx context.Context, key string) error {
	if d.f.dead {
		return errBoom
	}
	return d.Destination.Remove(ctx, key)
}

type file struct {
	engine.File
	f   *faults
	key string
}

func (f file) Commit(ctx context.Context, sum [16]byte) error {
	return f.f.around("Commit "+f.key, func() error { return f.File.Commit(ctx, sum) })
}

// start is that of the windows, a multiple of ten minutes.
var start = time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)

func configuration(versions stocktake.IncludedObjectVersions, fields ...stocktake.Field) stocktake.InventoryConfiguration {
	cfg := configtest.Minimal()
	cfg.ID, cfg.Filter.Prefix, cfg.Destination.Bucket, cfg.Destination.Prefix = "weekly-1", "", "reports", "inv"
	cfg.IncludedObjectVersions = versions
	cfg.Incremental = &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow, OptionalFields: fields}
	return cfg
}

func newJob(cfg stocktake.InventoryConfiguration) window.Job {
	end := start.Add(10 * time.Minute)
	return window.Job{
		Run: "run-1", Attempt: 1, Bucket: "photos", Configuration: cfg, Start: start, End: end, Now: end, Length: 10 * time.Minute,
	}
}

// change returns the n-th change: a second after the one before.
func change(n uint64, key string) journal.Change {
	return journal.Change{
		Sequence: n, Time: start.UnixMilli() + int64(n)*1000 + 7, Type: journal.Create,
		Requester: []byte("1000000000000000"), RequestID: []byte("5C3D9175B6FC201293AD4890"), SourceIP: []byte("192.0.2.1"),
		Record: stocktake.Record{
			Key: []byte(key), VersionID: fmt.Appendf(nil, "V%d", n), Size: int64(n), IsLatest: true,
			LastModified: start.Unix() + int64(n), ETag: stocktake.ETag{Sum: [16]byte{byte(n)}}, CRC64: n, HasCRC64: true,
		},
	}
}

// kept records what is published, as a catalog does.
type kept struct{ report []byte }

func (k *kept) record(_ context.Context, report []byte) ([]byte, error) {
	if k.report == nil {
		k.report = report
	}
	return k.report, nil
}

// contents returns the objects below the configuration's folder.
func contents(t *testing.T, b *membucket.Bucket) map[string]string {
	t.Helper()
	all := map[string]string{}
	for key, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		f, err := b.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		all[key] = string(body)
	}
	return all
}

// rows reads the keys of a report's rows, which Verify finds nothing wrong with.
func rows(t *testing.T, b *membucket.Bucket, manifest string) (keys []string) {
	t.Helper()
	v, err := report.Verify(t.Context(), b, manifest, report.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !v.OK {
		t.Errorf("%v", v.Findings)
	}
	r, err := report.Open(t.Context(), b, manifest)
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, fmt.Sprintf("%s %s", row.Change.RecordType, row.Key))
	}
	return keys
}
