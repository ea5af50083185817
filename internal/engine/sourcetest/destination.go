package sourcetest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// RunDestination tests a destination. open returns a new, empty bucket for each
// test. A store that knows versions runs the suite with and without them. If the
// destination has a method Refuses(key string) bool, keys for which it returns true
// are not written. If it has a method Races() bool that returns true, the store
// does not decide between exclusive writes that happen at the same time.
func RunDestination(t *testing.T, open func(t *testing.T) engine.Destination) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, destination)
	}{
		{"visible with Commit", visibility},
		{"aborted", aborted},
		{"replaced", replaced},
		{"exclusive", exclusive},
		{"one of many exclusive", exclusiveRace},
		{"another MD5", wrongMD5},
		{"read in ranges", ranges},
		{"listed in order", listed},
		{"removed", removed},
		{"after ctx has ended", afterContext},
		{"many at once", manyFiles},
		{"free space", freeSpace},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, destination{open(t)}) })
	}
}

type destination struct{ engine.Destination }

const aKey = "inv/photos/weekly-1/2026-01-05T16-00Z/manifest.json"

// refuses reports whether the destination cannot hold the key.
func (d destination) refuses(key string) bool {
	r, ok := d.Destination.(interface{ Refuses(key string) bool })
	return ok && r.Refuses(key)
}

var options = engine.FileOptions{ContentType: "application/json"}

// begin writes content in several calls and does not commit it.
func (d destination) begin(t *testing.T, key string, content []byte, opts engine.FileOptions) engine.File {
	t.Helper()
	f, err := d.Create(t.Context(), key, opts)
	if err != nil {
		t.Fatalf("Create %q: %v", key, err)
	}
	for piece := range slices.Chunk(content, 100_001) {
		if n, err := f.Write(piece); err != nil || n != len(piece) {
			t.Fatalf("Write %q: %d of %d, %v", key, n, len(piece), err)
		}
	}
	return f
}

func (d destination) put(t *testing.T, key string, content []byte, opts engine.FileOptions) error {
	t.Helper()
	f := d.begin(t, key, content, opts)
	err := f.Commit(t.Context(), md5.Sum(content))
	if abort := f.Abort(); abort != nil && err == nil {
		t.Errorf("Abort after Commit of %q: %v", key, abort)
	}
	return err
}

func (d destination) mustPut(t *testing.T, key string, content []byte) {
	t.Helper()
	if err := d.put(t, key, content, options); err != nil {
		t.Fatalf("Commit %q: %v", key, err)
	}
}

// expect checks that the object key has the content; nil: that it does not exist.
func (d destination) expect(t *testing.T, key string, want []byte) {
	t.Helper()
	if at := slices.Contains(d.keys(t, key), key); at != (want != nil) {
		t.Errorf("%q is listed: %v", key, at)
	}
	f, err := d.Open(t.Context(), key)
	if want == nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open %q: %v, want %v", key, err, fs.ErrNotExist)
		}
		if err == nil {
			f.Close()
		}
		return
	}
	if err != nil {
		t.Errorf("Open %q: %v", key, err)
		return
	}
	got, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q has %d bytes, %.40q, %v, want %d bytes, %.40q", key, len(got), got, err, len(want), want)
	}
}

func (d destination) keys(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	for key, err := range d.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List %q: %v", prefix, err)
		}
		keys = append(keys, key)
	}
	return keys
}

func visibility(t *testing.T, d destination) {
	for key, content := range map[string][]byte{
		aKey: []byte("{}"), "empty": {}, "long": bytes.Repeat([]byte("0123456789abcdef"), 200_000),
	} {
		f := d.begin(t, key, content, options)
		d.expect(t, key, nil)
		if err := f.Commit(t.Context(), md5.Sum(content)); err != nil {
			t.Fatalf("Commit %q: %v", key, err)
		}
		d.expect(t, key, content)
		if err := f.Abort(); err != nil {
			t.Errorf("Abort after Commit: %v", err)
		}
		d.expect(t, key, content)
	}
}

func aborted(t *testing.T, d destination) {
	f := d.begin(t, aKey, []byte("never"), options)
	for range 2 {
		if err := f.Abort(); err != nil {
			t.Errorf("Abort: %v", err)
		}
		d.expect(t, aKey, nil)
	}
	d.mustPut(t, aKey, []byte("first"))
	d.begin(t, aKey, []byte("never"), options).Abort()
	d.expect(t, aKey, []byte("first"))
}

func replaced(t *testing.T, d destination) {
	for _, content := range []string{"first", "the second", ""} {
		d.mustPut(t, aKey, []byte(content))
		d.expect(t, aKey, []byte(content))
		if got := d.keys(t, ""); !slices.Equal(got, []string{aKey}) {
			t.Errorf("keys %q", got)
		}
	}
}

func exclusive(t *testing.T, d destination) {
	opts := options
	opts.Exclusive = true
	if err := d.put(t, aKey, []byte("first"), opts); err != nil {
		t.Fatalf("where there is none: %v", err)
	}
	if err := d.put(t, aKey, []byte("second"), opts); !errors.Is(err, fs.ErrExist) {
		t.Errorf("where there is one: %v, want %v", err, fs.ErrExist)
	}
	d.expect(t, aKey, []byte("first"))

	// Commit decides, not Create.
	f := d.begin(t, "later", []byte("mine"), opts)
	d.mustPut(t, "later", []byte("theirs"))
	if err := f.Commit(t.Context(), md5.Sum([]byte("mine"))); !errors.Is(err, fs.ErrExist) {
		t.Errorf("where one came meanwhile: %v, want %v", err, fs.ErrExist)
	}
	f.Abort()
	d.expect(t, "later", []byte("theirs"))

	if err := d.Remove(t.Context(), aKey); err != nil {
		t.Fatal(err)
	}
	if err := d.put(t, aKey, []byte("third"), opts); err != nil {
		t.Errorf("where there is none any more: %v", err)
	}
	d.expect(t, aKey, []byte("third"))
}

func exclusiveRace(t *testing.T, d destination) {
	if r, ok := d.Destination.(interface{ Races() bool }); ok && r.Races() {
		t.Skip("the store does not decide")
	}
	opts := options
	opts.Exclusive = true
	var group sync.WaitGroup
	var mu sync.Mutex
	var winners [][]byte
	for i := range 8 {
		content := bytes.Repeat([]byte{byte('a' + i)}, 1000)
		f := d.begin(t, aKey, content, opts)
		group.Go(func() {
			err := f.Commit(t.Context(), md5.Sum(content))
			f.Abort()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				winners = append(winners, content)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Errorf("Commit: %v, want %v", err, fs.ErrExist)
			}
		})
	}
	group.Wait()
	if len(winners) != 1 {
		t.Fatalf("%d of 8 were first", len(winners))
	}
	d.expect(t, aKey, winners[0])
}

// wrongMD5: a destination that computes the MD5 refuses the file; any other
// destination trusts the caller.
func wrongMD5(t *testing.T, d destination) {
	f := d.begin(t, aKey, []byte("this"), options)
	err := f.Commit(t.Context(), md5.Sum([]byte("that")))
	f.Abort()
	if err != nil {
		d.expect(t, aKey, nil)
	} else {
		d.expect(t, aKey, []byte("this"))
	}
}

func ranges(t *testing.T, d destination) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	size := int64(len(content))
	d.mustPut(t, aKey, content)
	d.mustPut(t, "empty", nil)
	for _, tt := range []struct{ offset, length int64 }{
		{0, -1}, {0, 0}, {0, 1}, {0, size}, {0, size + 1}, {1, -1}, {5, 100_000}, {size - 1, -1}, {size - 1, 1}, {size - 10, 1 << 40}, {65535, 2},
	} {
		want := content[tt.offset:]
		if tt.length >= 0 {
			want = want[:min(tt.length, int64(len(want)))]
		}
		f, err := d.OpenRange(t.Context(), aKey, tt.offset, tt.length)
		if err != nil {
			t.Errorf("%d bytes from %d: %v", tt.length, tt.offset, err)
			continue
		}
		got, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes from %d: %d bytes, %.40q, %v, want %d, %.40q", tt.length, tt.offset, len(got), got, err, len(want), want)
		}
	}
	for _, tt := range []struct {
		key            string
		offset, length int64
		want           error
	}{
		{aKey, size, -1, io.ErrUnexpectedEOF},
		{aKey, size, 1, io.ErrUnexpectedEOF},
		{aKey, 1 << 40, -1, io.ErrUnexpectedEOF},
		{aKey, -1, 1, io.ErrUnexpectedEOF},
		{"empty", 0, -1, io.ErrUnexpectedEOF},
		{"missing", 0, 1, fs.ErrNotExist},
	} {
		f, err := d.OpenRange(t.Context(), tt.key, tt.offset, tt.length)
		if !errors.Is(err, tt.want) {
			t.Errorf("%q, %d bytes from %d: %v, want %v", tt.key, tt.length, tt.offset, err, tt.want)
		}
		if err == nil {
			f.Close()
		}
	}
}

func listed(t *testing.T, d destination) {
	if got := d.keys(t, ""); len(got) > 0 {
		t.Errorf("keys %q in an empty bucket", got)
	}
	var want []string
	for _, key := range append([]string{"/double//slash/"}, HostileKeys...) {
		if key = "odd/" + key; len(key) <= stocktake.MaxKeyLength && !strings.ContainsAny(key, "\x00\r") && !d.refuses(key) {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	for _, key := range slices.Backward(want) {
		d.mustPut(t, key, []byte(key))
	}
	if got := d.keys(t, "odd/"); !slices.Equal(got, want) {
		t.Errorf("keys\n%q, want\n%q", got, want)
	}
	for _, key := range []string{"odd", "oda"} { // outside the prefix
		if !d.refuses(key) {
			d.mustPut(t, key, []byte(key))
			want = append(want, key)
		}
	}
	slices.Sort(want)
	if got := d.keys(t, ""); !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	for _, key := range want {
		d.expect(t, key, []byte(key))
	}
	for key := range d.List(t.Context(), "od") { // may be left at any time
		if key != want[0] {
			t.Errorf("the first key is %q, want %q", key, want[0])
		}
		break
	}
}

func removed(t *testing.T, d destination) {
	if err := d.Remove(t.Context(), "never was"); err != nil {
		t.Errorf("Remove of what never was: %v", err)
	}
	d.mustPut(t, "other", []byte("o"))
	for range 2 {
		d.mustPut(t, aKey, []byte("x"))
		d.mustPut(t, aKey, []byte("y"))
		for range 2 {
			if err := d.Remove(t.Context(), aKey); err != nil {
				t.Errorf("Remove: %v", err)
			}
			d.expect(t, aKey, nil)
		}
	}
	d.expect(t, "other", []byte("o"))
}

// afterContext: an operation after the end of ctx either succeeds and takes effect,
// or has no effect and returns the error of ctx.
func afterContext(t *testing.T, d destination) {
	d.mustPut(t, "there", []byte("t"))
	f := d.begin(t, aKey, []byte("late"), options)
	ctx := ended(t)
	check := func(operation string, err error) bool {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %v", operation, err, context.Canceled)
		}
		return err == nil
	}
	if done := check("Commit", f.Commit(ctx, md5.Sum([]byte("late")))); done {
		d.expect(t, aKey, []byte("late"))
	} else {
		if err := f.Abort(); err != nil {
			t.Errorf("Abort: %v", err)
		}
		d.expect(t, aKey, nil)
	}
	var last error
	n := 0
	for _, err := range d.List(ctx, "there") {
		n++
		last = err
	}
	if done := check("List", last); done && n != 1 {
		t.Errorf("List yields %d of 1 keys and no error", n)
	}
	if done := check("Remove", d.Remove(ctx, "there")); done {
		d.expect(t, "there", nil)
	} else {
		d.expect(t, "there", []byte("t"))
	}
}

func manyFiles(t *testing.T, d destination) {
	var group sync.WaitGroup
	var want []string
	for i := range 16 {
		key := "data/" + string(rune('a'+i)) + ".csv.gz"
		want = append(want, key)
		f := d.begin(t, key, []byte(key), options)
		group.Go(func() {
			defer f.Abort()
			if err := f.Commit(t.Context(), md5.Sum([]byte(key))); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
	}
	group.Wait()
	if got := d.keys(t, "data/"); !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	for _, key := range want {
		d.expect(t, key, []byte(key))
	}
}

// freeSpace: content that fits into the reported free space can be written.
func freeSpace(t *testing.T, d destination) {
	n, err := d.FreeSpace(t.Context())
	if err != nil || n < -1 {
		t.Fatalf("FreeSpace: %d, %v", n, err)
	}
	if n < 0 || n > 1000 {
		d.mustPut(t, aKey, bytes.Repeat([]byte("x"), 1000))
	}
}
