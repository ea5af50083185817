package foreign

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/remote"
)

// A Trial is the result of trying out a bucket: which operations work, and which
// abilities the store has. It is stored as JSON.
type Trial struct {
	Bucket string `json:"bucket"` // by its name in the store
	OK     bool   `json:"ok"`     // everything that runs need works
	Steps  []Step `json:"steps"`

	// Versions says that the bucket keeps versions.
	Versions Ability `json:"versions"`

	// ConditionalWrites says that a write with the condition not to replace an object
	// respects it. Without this ability, only the manifest that the catalog has
	// recorded keeps two processes from publishing different reports.
	ConditionalWrites Ability `json:"conditionalWrites"`

	// Checksums says that the store verifies the MD5 of uploads.
	Checksums Ability `json:"checksums"`

	// Encryption says that the store encrypts reports for which SSE-OSS is requested.
	Encryption Ability `json:"encryption"`

	// PageSize is the number of rows of the largest page of the listing. The store
	// returns at least this many per request; if PageFull is false, the bucket may
	// have no more.
	PageSize int  `json:"pageSize"`
	PageFull bool `json:"pageFull"`
}

// A Step is one operation of a trial.
type Step struct {
	Name  string        `json:"name"` // list, write, write in parts, read, delete
	Took  time.Duration `json:"tookNs"`
	Error string        `json:"error,omitempty"` // empty: it works
	Note  string        `json:"note,omitempty"`
}

// An Ability says whether a store can do something.
type Ability string

// The values of an Ability.
const (
	Can     Ability = "yes"
	Cannot  Ability = "no"
	Unknown Ability = "unknown" // not tried, or the trial failed for another reason
)

// TrialOptions tune a trial.
type TrialOptions struct {
	// Prefix is the prefix of the keys of the written files.
	Prefix string

	ReadOnly bool // list only

	// UploadAbove is the size, in bytes, above which a file is uploaded in parts. 0:
	// do not try this.
	UploadAbove int
}

// Try tries what runs do with a bucket: it lists some pages, writes files, reads
// them, and removes them. Failures are recorded in the trial; Try itself returns
// only the error of ctx. The keys of files that a killed trial leaves begin with
// Prefix and "stocktake-check-".
func Try(ctx context.Context, c Client, bucket string, opts TrialOptions) (*Trial, error) {
	t := &trial{
		Trial: Trial{Bucket: bucket, OK: true, Versions: Unknown, ConditionalWrites: Unknown, Checksums: Unknown, Encryption: Unknown},
		c:     c, dst: c.Destination(bucket), key: opts.Prefix + "stocktake-check-" + rand.Text(),
		content: bytes.Repeat([]byte("Written to check whether reports can be written here. It may be removed.\n"), 100),
	}
	t.step(ctx, "list", t.list)
	if !opts.ReadOnly {
		if t.step(ctx, "write", t.write) {
			t.step(ctx, "read", t.read)
			t.abilities(ctx)
			if opts.UploadAbove > 0 {
				t.step(ctx, "write in parts", func(ctx context.Context) (string, error) { return t.parts(ctx, opts.UploadAbove+1) })
			}
		}
		// Clean up after an interrupt, too, and if the answer to a write was lost.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		t.step(clean, "delete", t.remove)
	}
	return &t.Trial, ctx.Err()
}

type trial struct {
	Trial
	c       Client
	dst     engine.Destination
	key     string
	content []byte
}

// step carries out one operation and reports whether it works.
func (t *trial) step(ctx context.Context, name string, do func(context.Context) (note string, err error)) bool {
	begin := time.Now()
	note, err := do(ctx)
	s := Step{Name: name, Took: time.Since(begin), Note: note}
	if err != nil {
		s.Error, t.OK = err.Error(), false
	}
	t.Steps = append(t.Steps, s)
	return err == nil
}

var errEnough = errors.New("enough has been listed")

// list reads the first two pages.
func (t *trial) list(ctx context.Context) (note string, err error) {
	snapshot, err := t.c.Source().Snapshot(ctx, t.Bucket)
	if err != nil {
		return "", err
	}
	pages, rows := 0, 0
	err = snapshot.Scan(ctx, engine.Segment{}, false, func(batch []stocktake.Record) error {
		pages++
		rows += len(batch)
		t.PageSize = max(t.PageSize, len(batch))
		if pages > 1 {
			t.PageFull = true // the first page was cut
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	note = human.Many(int64(rows), "key") + " on " + human.Many(int64(pages), "page")
	if !t.PageFull {
		note = human.Many(int64(rows), "key") + ", all of the bucket"
	}
	return note, errors.Join(err, snapshot.Close())
}

// create writes a file with content; sum is the declared MD5.
func (t *trial) create(ctx context.Context, key string, content []byte, sum [16]byte, opts engine.FileOptions) (err error) {
	opts.ContentType = "text/plain"
	f, err := t.dst.Create(ctx, key, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Abort()) }()
	// Runs look for an existing object before an exclusive write. Here the store must
	// show what it does by itself.
	if f, ok := f.(remote.ExistsChecker); ok {
		f.SkipExistsCheck()
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Commit(ctx, sum)
}

// write writes the file twice, so that a bucket that keeps versions has two.
func (t *trial) write(ctx context.Context) (note string, err error) {
	for range 2 {
		if err := t.create(ctx, t.key, t.content, md5.Sum(t.content), engine.FileOptions{}); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (t *trial) read(ctx context.Context) (note string, err error) {
	whole, err := read(t.dst.Open(ctx, t.key))
	if err != nil {
		return "", err
	}
	part, err := read(t.dst.OpenRange(ctx, t.key, 10, 20))
	if err != nil {
		return "", fmt.Errorf("a part: %w", err)
	}
	if !bytes.Equal(whole, t.content) || !bytes.Equal(part, t.content[10:30]) {
		return "", errors.New("the store returns other bytes than were written")
	}
	return "", nil
}

func read(r io.ReadCloser, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, 1<<20))
	return b, errors.Join(err, r.Close())
}

// abilities tries the abilities that a store may lack.
func (t *trial) abilities(ctx context.Context) {
	n, err := t.versions(ctx)
	t.Versions = ability(n > 1, err)

	err = t.create(ctx, t.key, t.content, md5.Sum(t.content), engine.FileOptions{Exclusive: true})
	if errors.Is(err, fs.ErrExist) {
		t.ConditionalWrites = Can
	} else if err == nil {
		t.ConditionalWrites = Cannot
	}

	wrong := md5.Sum([]byte("other bytes"))
	if err = t.create(ctx, t.key+"-sum", t.content, wrong, engine.FileOptions{}); err == nil {
		t.Checksums = Cannot
	} else if ctx.Err() == nil {
		t.Checksums = Can // and if it was refused for another reason, it was not written
	}

	if known, err := tryEncryption(ctx, t.c, t.Bucket, t.key+"-sse", stocktake.Encryption{SSEOSS: true}); known {
		t.Encryption = ability(err == nil, nil)
	}
}

func ability(can bool, err error) Ability {
	switch {
	case err != nil:
		return Unknown
	case can:
		return Can
	}
	return Cannot
}

// versions returns the number of versions of the file.
func (t *trial) versions(ctx context.Context) (n int, err error) {
	snapshot, err := t.c.Source().Snapshot(ctx, t.Bucket)
	if err != nil {
		return 0, err
	}
	err = snapshot.Scan(ctx, engine.Segment{Prefix: t.key}, true, func(batch []stocktake.Record) error {
		n += len(batch)
		return nil
	})
	return n, errors.Join(err, snapshot.Close())
}

func (t *trial) parts(ctx context.Context, size int) (note string, err error) {
	content := make([]byte, size)
	if err := t.create(ctx, t.key+"-parts", content, md5.Sum(content), engine.FileOptions{}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes", size), nil
}

// remove removes the written files, and checks that they are gone.
func (t *trial) remove(ctx context.Context) (note string, err error) {
	for _, suffix := range []string{"", "-sum", "-sse", "-parts"} {
		if failed := t.dst.Remove(ctx, t.key+suffix); err == nil { // that of the others is the same as a rule
			err = failed
		}
	}
	if err != nil {
		return "", err
	}
	n, err := t.versions(ctx)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d versions are still there", n)
	}
	return "", err
}
