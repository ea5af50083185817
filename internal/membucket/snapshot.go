package membucket

import (
	"bytes"
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// batchSize is small, so that tests with few records see many batches.
const batchSize = 7

type snapshot struct {
	time    time.Time
	records []stocktake.Record
}

func (s *snapshot) Time() time.Time                    { return s.time }
func (s *snapshot) Consistency() stocktake.Consistency { return stocktake.ConsistencySnapshot }
func (s *snapshot) Close() error                       { return nil }

// from returns the index of the first record whose key is at least key.
func (s *snapshot) from(key string) int {
	return sort.Search(len(s.records), func(i int) bool { return string(s.records[i].Key) >= key })
}

// inSegment returns the records of seg.
func (s *snapshot) inSegment(seg engine.Segment) []stocktake.Record {
	begin := s.from(max(seg.Prefix, seg.From))
	end := len(s.records)
	if seg.To != "" {
		end = max(begin, s.from(seg.To))
	}
	in := s.records[begin:end]
	return in[:sort.Search(len(in), func(i int) bool { return !strings.HasPrefix(string(in[i].Key), seg.Prefix) })]
}

func (s *snapshot) Count(ctx context.Context, prefix string) (int64, error) {
	return int64(len(s.inSegment(engine.Segment{Prefix: prefix}))), ctx.Err()
}

func (s *snapshot) Split(ctx context.Context, prefix string, n int) ([]string, error) {
	var keys []string
	in := s.inSegment(engine.Segment{Prefix: prefix})
	for i := 1; i < n; i++ {
		if len(in) == 0 {
			break
		}
		key := string(in[i*len(in)/n].Key)
		if key > prefix && (len(keys) == 0 || key > keys[len(keys)-1]) {
			keys = append(keys, key)
		}
	}
	return keys, ctx.Err()
}

func (s *snapshot) Scan(ctx context.Context, seg engine.Segment, versions bool, yield func([]stocktake.Record) error) error {
	batch := make([]stocktake.Record, 0, batchSize)
	flush := func() error {
		if err := ctx.Err(); err != nil || len(batch) == 0 {
			return err
		}
		err := yield(batch)
		overwrite(batch)
		batch = batch[:0]
		return err
	}
	records, err := s.afterCursor(s.inSegment(seg), seg)
	if err != nil {
		return err
	}
	for _, r := range records {
		if !versions && (!r.IsLatest || r.IsDeleteMarker) {
			continue
		}
		if batch = append(batch, clone(r)); len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// afterCursor removes the versions of the first key up to seg.After.
func (s *snapshot) afterCursor(records []stocktake.Record, seg engine.Segment) ([]stocktake.Record, error) {
	if seg.After == "" {
		return records, nil
	}
	for i := range records {
		if string(records[i].Key) != seg.From {
			break
		}
		if string(records[i].VersionID) == seg.After {
			return records[i+1:], nil
		}
	}
	return nil, fmt.Errorf("%w: %q %q", engine.ErrCursorGone, seg.From, seg.After)
}

// overwrite overwrites a batch, which belongs to the scan again.
func overwrite(batch []stocktake.Record) {
	for i := range batch {
		r := &batch[i]
		for _, b := range [][]byte{r.Key, r.VersionID, r.ETag.Text} {
			copy(b, bytes.Repeat([]byte{0xEE}, len(b)))
		}
		*r = stocktake.Record{Key: []byte("\xEEspoiled")}
	}
}
