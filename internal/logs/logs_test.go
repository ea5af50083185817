package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stocktake/stocktake/internal/logs"
)

func TestContext(t *testing.T) {
	var out bytes.Buffer
	l := logs.New(&out, logs.FormatText, slog.LevelInfo)
	ctx := logs.With(t.Context(), slog.String("request", "1"), slog.String("trace", "t"))
	inner := logs.With(ctx, slog.String("request", "2"))
	_ = logs.With(ctx, slog.String("other", "x")) // which shares what it begins with
	l.InfoContext(inner, "a")
	l.With("x", 1).InfoContext(inner, "b", "request", "own")
	l.InfoContext(ctx, "c")
	l.Info("d")
	want := []string{"msg=a request=2 trace=t", "msg=b x=1 request=own trace=t", "msg=c trace=t request=1", "msg=d"}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if _, got, _ := strings.Cut(line, "level=INFO "); got != want[i] {
			t.Errorf("%q, want %q", got, want[i])
		}
	}
}

// A line in JSON has no character that controls a terminal, and decodes to the
// original.
func TestJSON(t *testing.T) {
	const hostile = "a\x7f\u0085\u202e\U000e0001猫\x1b[31m\n\"b"
	var out bytes.Buffer
	logs.New(&out, logs.FormatJSON, slog.LevelInfo).Info("read failed", "key", hostile)
	var line struct{ Key string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Key != hostile {
		t.Errorf("%s: %q, %v", out.Bytes(), line.Key, err)
	}
	if strings.ContainsAny(out.String(), "\x7f\u0085\u202e\U000e0001\x1b") {
		t.Errorf("%q", out.String())
	}
}

func TestFileIsOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := logs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(text string) {
		t.Helper()
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("1\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("2\n")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("3\n")
	for name, want := range map[string]string{path + ".1": "1\n2\n", path: "3\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	// A path that cannot be opened leaves the file in use.
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err == nil {
		t.Error("a folder was opened")
	}
	write("4\n")
}

// disk accepts a number of bytes and then fails, or does not answer.
type disk struct {
	mu    sync.Mutex
	room  int
	hangs chan struct{} // closed when it answers again; nil: it answers
	got   bytes.Buffer
}

var errFull = errors.New("no space left on device")

func (d *disk) Write(p []byte) (int, error) {
	if d.hangs != nil {
		<-d.hangs
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(p), d.room)
	d.got.Write(p[:n])
	if d.room -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

// Lines that a full disk does not accept are counted. A torn line is ended, so that
// the next line is complete.
func TestQueueOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 7}
		var failures int
		var q *logs.Queue
		q = logs.NewQueue(d, func(err error) {
			if errors.Is(err, errFull) {
				failures++
			}
		}, func(lost int64) { fmt.Fprintln(q, lost, "lost") })
		write := func(text string) {
			t.Helper()
			if n, err := q.Write([]byte(text)); n != len(text) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			synctest.Wait()
		}
		write("one\n")
		write("two and three\n")
		write("four\n")
		if q.Dropped() != 2 || failures != 2 {
			t.Errorf("%d lines dropped, %d failures", q.Dropped(), failures)
		}
		d.room = 1 << 20
		write("five\n")
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		write("six\n")
		if got := d.got.String(); got != "one\ntwo\nfive\n2 lost\n" || q.Dropped() != 3 {
			t.Errorf("%q, %d dropped", got, q.Dropped())
		}
	})
}

// A disk that does not answer delays no caller, and costs a bounded amount of
// memory.
func TestQueueOnAHungDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 1 << 30, hangs: make(chan struct{})}
		q := logs.NewQueue(d, nil, nil)
		line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
		for range 30 {
			if _, err := q.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		kept := 30 - q.Dropped()
		if kept < 8 || kept > 16 { // 8 MiB that wait, and those that are being written
			t.Errorf("%d lines of 1 MiB are kept", kept)
		}
		if err := q.Close(); !errors.Is(err, logs.ErrNotFlushed) {
			t.Errorf("close: %v", err)
		}
		close(d.hangs)
		synctest.Wait()
		if n := int64(bytes.Count(d.got.Bytes(), []byte("\n"))); n != kept {
			t.Errorf("%d lines written, want %d", n, kept)
		}
	})
}

func TestQueueKeepsOrder(t *testing.T) {
	var out bytes.Buffer
	q := logs.NewQueue(&out, nil, nil)
	l := logs.New(q, logs.FormatText, slog.LevelInfo)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				l.Info("line")
			}
		})
	}
	group.Wait()
	fmt.Fprintln(q, "last")
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	all := strings.Split(out.String(), "\n")
	if len(all) != 8002 || all[8000] != "last" || q.Dropped() != 0 {
		t.Errorf("%d lines, %d dropped", len(all), q.Dropped())
	}
	for _, line := range all[:8000] {
		if !strings.HasSuffix(line, " level=INFO msg=line") {
			t.Fatalf("%q", line)
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	q := logs.NewQueue(new(bytes.Buffer), nil, nil)
	l := logs.New(q, logs.FormatJSON, slog.LevelInfo)
	b.ReportAllocs()
	for b.Loop() {
		l.LogAttrs(context.Background(), slog.LevelInfo, "access", slog.String("request", "6B1F"), slog.Int("status", 200))
	}
}
