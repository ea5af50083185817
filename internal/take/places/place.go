package places

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/report"
)

// ConfigurationID is the id of the configuration in the keys of the reports of takes.
const ConfigurationID = "take"

// A Place is a bucket, or a folder, of a take.
type Place struct {
	Store       *foreign.Store     // nil: a folder
	Bucket      string             // as it is called here
	Prefix      string             // of keys
	Origin      string             // for people, and to distinguish places
	Destination engine.Destination // nil: a source

	there string // the bucket as the store calls it
	base  string // the beginning of keys, before the paths in a folder
	close func() error
}

// openFolder opens a folder for the reports of a bucket and creates it if needed. Its layout is
// that of a downloaded report.
func openFolder(path, bucket string) (Place, error) {
	if path == "" {
		return Place{}, wrong("the destination is empty: name a folder, s3://BUCKET/PREFIX or oss://BUCKET/PREFIX")
	}
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		return Place{}, wrong("%s is not a folder", path)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return Place{}, &ArgumentError{Err: err}
	}
	b, err := dirbucket.Open(path)
	if err != nil {
		return Place{}, &ArgumentError{Err: err}
	}
	if err := b.Lock(); err != nil {
		err = errors.Join(err, b.Close())
		if errors.Is(err, dirbucket.ErrLocked) {
			return Place{}, fmt.Errorf("%s: another take is writing there: wait for its end, or choose another folder", path)
		}
		return Place{}, &ArgumentError{Err: err}
	}
	base := report.Location{Bucket: bucket, Configuration: ConfigurationID}.Base()
	return Place{Bucket: "local", Origin: filepath.Clean(path), base: base, Destination: b.WithBase(base), close: func() error {
		err := b.Close()
		_ = os.Remove(path) // if a take that has failed at once left it empty; else it stays
		return err
	}}, nil
}

// Close closes the place. A folder that is empty is removed.
func (p *Place) Close() error { return p.close() }

// Source returns the place as a source, whose bucket is called Bucket. It is not a folder.
func (p *Place) Source() engine.Source { return renamedSource{p.Store.Default().Source(), p.there} }

// renamedSource is a source whose bucket has another name there.
type renamedSource struct {
	engine.Source
	there string
}

func (s renamedSource) Snapshot(ctx context.Context, _ string) (engine.Snapshot, error) {
	return s.Source.Snapshot(ctx, s.there)
}

// Within reports whether the reports of a take lie within the prefix that it lists.
func (p *Place) Within(src *Place) bool {
	if p.Store == nil || p.there != src.there || p.Store.URL() != src.Store.URL() {
		return false
	}
	base := report.Location{Prefix: strings.TrimSuffix(p.Prefix, "/"), Bucket: src.Bucket, Configuration: ConfigurationID}.Base()
	return strings.HasPrefix(base, src.Prefix)
}

// Shown returns the name of the place for other commands.
func (p *Place) Shown() string {
	if p.Store == nil {
		return p.Origin
	}
	return p.Where(p.Prefix)
}

// Where returns the address of a key as other commands take it.
func (p *Place) Where(key string) string {
	if p.Store == nil {
		return p.Origin + "/" + strings.TrimPrefix(key, p.base)
	}
	return string(p.Store.Settings().Kind) + "://" + p.Bucket + "/" + key
}
