package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
)

// A Bucket is a bucket or folder that reports are read from.
type Bucket interface {
	// Open reads an object. fs.ErrNotExist if it is missing.
	Open(ctx context.Context, key string) (io.ReadCloser, error)

	// OpenRange reads length bytes of an object from offset on, or all up to its
	// end if length is negative or the object ends before. fs.ErrNotExist if the
	// object is missing, io.ErrUnexpectedEOF if it has no byte at offset.
	OpenRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// List yields the keys that start with prefix, ascending.
	List(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// ErrNoReport is returned by [Newest] if no report of the location is complete.
var ErrNoReport = errors.New("no complete report")

// A Directory lists the files of one report that are not shards.
type Directory struct {
	Key  string    // prefix of the files, with the '/' at its end
	Time time.Time // from the key: the minute in which the scan began, or a later one

	Manifest, Checksum, Summary, Rollup bool // which of the files exist; if Manifest does, the report is complete
}

// Directories yields the directories of the location, ascending by time. If
// listing fails, the last pair has the error.
func Directories(ctx context.Context, b Bucket, l Location) iter.Seq2[Directory, error] {
	return func(yield func(Directory, error) bool) {
		base := l.Base()
		var d Directory
		for key, err := range b.List(ctx, base) {
			if err != nil {
				yield(Directory{}, fmt.Errorf("list %s: %w", base, err))
				return
			}
			if key > base+":" {
				break // data/ and whatever else sorts after the years
			}
			t, name, ok := l.directory(key)
			if !ok {
				continue
			}
			if dir := strings.TrimSuffix(key, name); dir != d.Key {
				if d.Key != "" && !yield(d, nil) {
					return
				}
				d = Directory{Key: dir, Time: t}
			}
			d.Manifest = d.Manifest || name == ManifestName
			d.Checksum = d.Checksum || name == ChecksumName
			d.Summary = d.Summary || name == SummaryName
			d.Rollup = d.Rollup || name == RollupName
		}
		if d.Key != "" {
			yield(d, nil)
		}
	}
}

// Newest returns the key of the manifest of the newest complete report of the
// location. The error is ErrNoReport if there is none.
func Newest(ctx context.Context, b Bucket, l Location) (manifest string, err error) {
	for d, err := range Directories(ctx, b, l) {
		if err != nil {
			return "", err
		}
		if d.Manifest {
			manifest = d.Key + ManifestName
		}
	}
	if manifest == "" {
		return "", fmt.Errorf("%s: %w", l.Base(), ErrNoReport)
	}
	return manifest, nil
}

// A Report is a complete report, opened for reading.
type Report struct {
	Key      string // of manifest.json
	Manifest stocktake.Manifest
	Summary  *stocktake.Summary // nil: the report has none, as reports of OSS
	Format   Format
	Columns  []stocktake.Field // 0: the name of the column is unknown

	bucket  Bucket
	names   []string // of Columns, as the manifest has them
	applied *Applied // where its rows come from; nil: its files
}

// Unread returns the names of the columns that r has and this package does not read,
// such as ReplicationStatus of S3, as the manifest has them.
func (r *Report) Unread() (names []string) {
	for i, f := range r.Columns {
		if f == 0 {
			names = append(names, r.names[i])
		}
	}
	return names
}

// Open reads the manifest with the given key and the summary in the same
// directory. The error is fs.ErrNotExist if the manifest is missing.
func Open(ctx context.Context, b Bucket, manifest string) (*Report, error) {
	raw, err := read(ctx, b, manifest, stocktake.MaxManifestSize)
	if err != nil {
		return nil, err
	}
	r := &Report{Key: manifest, bucket: b}
	if err := r.parse(raw); err != nil {
		return nil, err
	}
	r.Summary, err = ReadSummary(ctx, b, r.sibling(SummaryName))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// parse reads manifest.json.
func (r *Report) parse(raw []byte) error {
	if err := json.Unmarshal(raw, &r.Manifest); err != nil {
		return fmt.Errorf("%s: %w", r.Key, err)
	}
	var err error
	if r.Format, err = formatOf(&r.Manifest); err != nil {
		return fmt.Errorf("%s: fileFormat: %w", r.Key, err)
	}
	if r.Columns, r.names, err = r.Format.ParseSchema(r.Manifest.FileSchema); err != nil {
		return fmt.Errorf("%s: fileSchema %.200q: %w", r.Key, r.Manifest.FileSchema, err)
	}
	return nil
}

// sibling returns the key of the file called name in the directory of the
// manifest.
func (r *Report) sibling(name string) string {
	return r.Key[:strings.LastIndexByte(r.Key, '/')+1] + name
}

// open reads an object from offset on.
func open(ctx context.Context, b Bucket, key string, offset, length int64) (io.ReadCloser, error) {
	if offset == 0 && length < 0 {
		return b.Open(ctx, key)
	}
	return b.OpenRange(ctx, key, offset, length)
}
