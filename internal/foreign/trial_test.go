package foreign_test

import (
	"context"
	"crypto/md5"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/remote"
)

// memory is a client of buckets in memory.
type memory struct {
	*membucket.Store
	wrap func(engine.Destination) engine.Destination // nil: none
}

func (m memory) Source() engine.Source { return m.Store }

func (m memory) Destination(bucket string) engine.Destination {
	if m.wrap == nil {
		return m.Bucket(bucket)
	}
	return m.wrap(m.Bucket(bucket))
}

// unconditional is a destination without conditional writes, checksums and
// encryption.
type unconditional struct{ engine.Destination }

func (d unconditional) Create(ctx context.Context, key string, opts engine.FileOptions) (engine.File, error) {
	opts.Exclusive = false
	if opts.Encryption.SSEOSS {
		return nil, &remote.Error{Status: http.StatusNotImplemented, Err: errors.New("no encryption")}
	}
	f, err := d.Destination.Create(ctx, key, opts)
	return &blind{File: f}, err
}

// blind is a file whose store does not compare checksums.
type blind struct {
	engine.File
	content []byte
}

func (f *blind) Write(p []byte) (int, error) {
	f.content = append(f.content, p...)
	return f.File.Write(p)
}

func (f *blind) Commit(ctx context.Context, _ [16]byte) error {
	return f.File.Commit(ctx, md5.Sum(f.content))
}

// stubborn is a destination that ignores removals.
type stubborn struct{ engine.Destination }

func (stubborn) Remove(context.Context, string) error { return nil }

// undeletable is a destination that rejects removals, with the same error for each
// file.
type undeletable struct{ engine.Destination }

func (undeletable) Remove(context.Context, string) error { return errors.New("you may not remove") }

// A trial does not use Availability and RequestsPerObject.
func (memory) Availability(stocktake.Field) engine.Availability { return engine.Listed }
func (memory) RequestsPerObject([]stocktake.Field) int          { return 0 }

// readOnly is a destination that rejects writes.
type readOnly struct{ engine.Destination }

func (readOnly) Create(context.Context, string, engine.FileOptions) (engine.File, error) {
	return nil, errors.New("you may not write")
}

func TestTry(t *testing.T) {
	for name, tt := range map[string]struct {
		wrap func(engine.Destination) engine.Destination
		opts foreign.TrialOptions
		want foreign.Trial
		step string // that fails; empty: none
	}{
		"all":        {nil, foreign.TrialOptions{Prefix: "p/", UploadAbove: 1000}, foreign.Trial{OK: true, Versions: foreign.Cannot, ConditionalWrites: foreign.Can, Checksums: foreign.Can, Encryption: foreign.Can}, ""},
		"little":     {func(d engine.Destination) engine.Destination { return unconditional{d} }, foreign.TrialOptions{}, foreign.Trial{OK: true, Versions: foreign.Cannot, ConditionalWrites: foreign.Cannot, Checksums: foreign.Cannot, Encryption: foreign.Cannot}, ""},
		"read only":  {nil, foreign.TrialOptions{ReadOnly: true}, foreign.Trial{OK: true, Versions: foreign.Unknown, ConditionalWrites: foreign.Unknown, Checksums: foreign.Unknown, Encryption: foreign.Unknown}, ""},
		"no writes":  {func(d engine.Destination) engine.Destination { return readOnly{d} }, foreign.TrialOptions{}, foreign.Trial{Versions: foreign.Unknown, ConditionalWrites: foreign.Unknown, Checksums: foreign.Unknown, Encryption: foreign.Unknown}, "write"},
		"no deletes": {func(d engine.Destination) engine.Destination { return stubborn{d} }, foreign.TrialOptions{}, foreign.Trial{Versions: foreign.Cannot, ConditionalWrites: foreign.Can, Checksums: foreign.Can, Encryption: foreign.Can}, "delete"},
	} {
		store := membucket.New(nil, "logs")
		got, err := foreign.Try(t.Context(), memory{store, tt.wrap}, "logs", tt.opts)
		if err != nil {
			t.Fatal(err)
		}
		failed := ""
		for _, s := range got.Steps {
			if s.Error != "" {
				failed = s.Name
			}
		}
		if got.OK != tt.want.OK || got.Versions != tt.want.Versions || got.ConditionalWrites != tt.want.ConditionalWrites || got.Checksums != tt.want.Checksums || got.Encryption != tt.want.Encryption || failed != tt.step {
			t.Errorf("%s: %+v", name, got)
		}
		for key, err := range store.Bucket("logs").List(t.Context(), "") {
			if err != nil || name != "no deletes" {
				t.Errorf("%s: %s is left, %v", name, key, err)
			}
			if !strings.HasPrefix(key, tt.opts.Prefix+"stocktake-check-") {
				t.Errorf("%s: %s was written", name, key)
			}
		}
	}
	refuses := memory{membucket.New(nil, "logs"), func(d engine.Destination) engine.Destination { return undeletable{d} }}
	if got, err := foreign.Try(t.Context(), refuses, "logs", foreign.TrialOptions{}); err != nil || got.Steps[len(got.Steps)-1].Error != "you may not remove" {
		t.Errorf("the reason is said once: %+v, %v", got, err)
	}
	got, err := foreign.Try(t.Context(), memory{membucket.New(nil, "logs"), nil}, "none", foreign.TrialOptions{ReadOnly: true})
	if err != nil || got.OK || !strings.Contains(got.Steps[0].Error, "bucket") {
		t.Errorf("a bucket that is not there: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := foreign.Try(ctx, memory{membucket.New(nil, "logs"), nil}, "logs", foreign.TrialOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
