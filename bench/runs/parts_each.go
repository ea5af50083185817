package runs

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/lakeserver"
	"github.com/stocktake/stocktake/internal/csvrow"
	"github.com/stocktake/stocktake/internal/digest"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/report/csvgz"
	"github.com/stocktake/stocktake/report/csvgz/csvgztest"
	"github.com/stocktake/stocktake/report/format"
	"github.com/stocktake/stocktake/report/rollup"
)

// keep reads the first records of the bucket into memory, and makes their rows.
func (b *partsBench) keep(ctx context.Context, s *store.Store, columns []stocktake.Field) (err error) {
	errEnough := errors.New("enough")
	err = scan(ctx, s, func(batch []stocktake.Record) error {
		for _, r := range batch {
			r.Key, r.VersionID, r.ETag.Text = bytes.Clone(r.Key), bytes.Clone(r.VersionID), bytes.Clone(r.ETag.Text)
			b.records = append(b.records, r)
		}
		if len(b.records) >= kept {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	e, err := csvrow.NewEncoder(lakeserver.Bucket, columns)
	if err != nil {
		return err
	}
	for i := range b.records {
		b.rows = e.AppendRow(b.rows, &b.records[i])
	}
	var stored bytes.Buffer
	c, err := csvgz.New(lakeserver.Bucket, columns)
	if err != nil {
		return err
	}
	c.Reset(&stored)
	if _, err := c.Encode(b.records); err != nil {
		return err
	}
	_, err = c.Close()
	b.stored = stored.Bytes()
	return err
}

// scan reads the whole bucket as a run does.
func scan(ctx context.Context, s *store.Store, yield func([]stocktake.Record) error) (err error) {
	snap, err := s.Source().Snapshot(ctx, lakeserver.Bucket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	return snap.Scan(ctx, engine.Segment{}, false, yield)
}

// batchSize is how many records the parts are given at once, as a run's are.
const batchSize = 512

func (b *partsBench) batches(do func(batch []stocktake.Record) error) error {
	for i := 0; i < len(b.records); i += batchSize {
		if err := do(b.records[i:min(i+batchSize, len(b.records))]); err != nil {
			return err
		}
	}
	return nil
}

// parts measures every part once.
func (b *partsBench) parts(ctx context.Context, s *store.Store, columns []stocktake.Field) error {
	n := len(b.records)
	fast, err := csvgz.New(lakeserver.Bucket, columns)
	if err != nil {
		return err
	}
	plain, err := csvgztest.Plain.NewEncoder(lakeserver.Bucket, columns)
	if err != nil {
		return err
	}
	rows, err := csvrow.NewEncoder(lakeserver.Bucket, columns)
	if err != nil {
		return err
	}
	compress := func(c format.Encoder) func() error {
		return func() error {
			c.Reset(io.Discard)
			if err := b.batches(func(batch []stocktake.Record) error {
				_, err := c.Encode(batch)
				return err
			}); err != nil {
				return err
			}
			_, err := c.Close()
			return err
		}
	}
	buf := make([]byte, 0, batchSize<<10)
	totals := rollup.New(rollup.Options{Start: time.Now()})
	matcher := stocktake.NewMatcher(stocktake.Filter{
		Prefix: "lake/", LowerSizeBound: 1, UpperSizeBound: 1 << 30, StorageClass: []stocktake.StorageClass{stocktake.Standard, stocktake.IA},
	}, true)
	for _, p := range []struct {
		name string
		n    int
		do   func() error
	}{
		{"ScanAndDecode", b.objects, func() error {
			seen := 0
			err := scan(ctx, s, func(batch []stocktake.Record) error {
				seen += len(batch)
				return nil
			})
			if err == nil && seen != b.objects {
				err = fmt.Errorf("%d objects seen", seen)
			}
			return err
		}},
		{"Filter", n * 10, func() error {
			matched := 0
			for range 10 {
				for i := range b.records {
					if matcher.Match(&b.records[i]) {
						matched++
					}
				}
			}
			if matched == 0 || matched == n*10 {
				return fmt.Errorf("%d of %d match", matched, n*10)
			}
			return nil
		}},
		{"RollUp", n, func() error {
			totals.Reset()
			return b.batches(func(batch []stocktake.Record) error {
				totals.Add(batch)
				return nil
			})
		}},
		{"EncodePlain", n, func() error {
			return b.batches(func(batch []stocktake.Record) error {
				buf = buf[:0]
				for i := range batch {
					buf = rows.AppendRow(buf, &batch[i])
				}
				return nil
			})
		}},
		{"EncodeAndCompress", n, compress(fast)},
		{"EncodeAndCompressLevel1", n, compress(plain)},
		{"CompressLevel1", n, func() error {
			_, err := deflate(b.rows)
			return err
		}},
		{"LibraryMD5", n, func() error { md5.Sum(b.stored); return nil }},
		{"LibrarySHA256", n, func() error { sha256.Sum256(b.stored); return nil }},
		{"SumsOfOne", n, func() error { b.sum(1); return nil }},
		{"SumsOfTwo", 2 * n, func() error { b.sum(2); return nil }},
		{"CRC64", n, func() error { digest.UpdateCRC64(0, b.stored); return nil }},
		{"Store", n, func() error { return keepFile(ctx, s, b.stored) }},
	} {
		if err := b.time(p.name, p.n, p.do); err != nil {
			return err
		}
	}
	return nil
}

// sum makes the MD5 and the SHA-256 of stored, as that of so many shards at once.
func (b *partsBench) sum(shards int) {
	var pool digest.Pool
	streams := make([]*digest.Stream, shards)
	for i := range streams {
		streams[i] = pool.Stream(new(digest.Sums), 3)
	}
	for piece := range slices.Chunk(b.stored, digest.PieceSize) {
		for _, s := range streams {
			s.Put(copy(s.Next(), piece))
		}
	}
	for _, s := range streams {
		s.Close()
	}
}

// keepFile writes stored as a file of a report, in pieces as a run does.
func keepFile(ctx context.Context, s *store.Store, stored []byte) error {
	d := s.Destination(lakeserver.ReportsBucket, object.ByService("bench"))
	f, err := d.Create(ctx, "parts", engine.FileOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return err
	}
	for rest := stored; len(rest) > 0; {
		piece := rest[:min(len(rest), 256<<10)]
		if _, err := f.Write(piece); err != nil {
			return errors.Join(err, f.Abort())
		}
		rest = rest[len(piece):]
	}
	return f.Commit(ctx, md5.Sum(stored))
}
