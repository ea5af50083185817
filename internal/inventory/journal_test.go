package inventory_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
)

// memoryJournal is a journal in memory of changes that the test makes. Its time is
// that of the changes.
type memoryJournal struct {
	mu      sync.Mutex
	changes []journal.Change
	readers map[string]stocktake.JournalPosition // by bucket and id
	err     error                                // of all methods
}

func newJournal() *memoryJournal {
	return &memoryJournal{readers: map[string]stocktake.JournalPosition{}}
}

// make adds a change of a key at a time in milliseconds.
func (j *memoryJournal) make(key string, at int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := uint64(len(j.changes) + 1)
	j.changes = append(j.changes, journal.Change{
		Sequence: n, Time: at, Type: journal.Create,
		Record: stocktake.Record{Key: []byte(key), VersionID: fmt.Append(nil, "v", n), IsLatest: true, Size: 1},
	})
}

func (j *memoryJournal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// ids returns the readers, ascending.
func (j *memoryJournal) ids() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ids []string
	for id := range j.readers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (j *memoryJournal) last() (p stocktake.JournalPosition) {
	if n := len(j.changes); n > 0 {
		p = stocktake.JournalPosition{Sequence: j.changes[n-1].Sequence, Time: j.changes[n-1].Time}
	}
	return p
}

func (j *memoryJournal) Subscribe(_ context.Context, bucket, reader, _ string) (stocktake.JournalPosition, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return stocktake.JournalPosition{}, j.err
	}
	at, ok := j.readers[bucket+"/"+reader]
	if !ok {
		at = j.last()
		j.readers[bucket+"/"+reader] = at
	}
	return at, nil
}

func (j *memoryJournal) Unsubscribe(_ context.Context, bucket, reader string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.readers[bucket+"/"+reader]; !ok {
		return cmp.Or(j.err, error(journal.ErrNoReader))
	}
	if j.err == nil {
		delete(j.readers, bucket+"/"+reader)
	}
	return j.err
}

func (j *memoryJournal) Readers(_ context.Context, bucket string) (readers []journal.Reader, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, at := range j.readers {
		if id, ok := strings.CutPrefix(id, bucket+"/"); ok {
			readers = append(readers, journal.Reader{ID: id, At: at})
		}
	}
	return readers, j.err
}

func (j *memoryJournal) Published(_ context.Context, bucket, reader string, until stocktake.JournalPosition) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.readers[bucket+"/"+reader] = until
	}
	return j.err
}

func (j *memoryJournal) Cut(_ context.Context, _ string, at int64) (stocktake.JournalPosition, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := stocktake.JournalPosition{Time: at}
	for _, c := range j.changes {
		if c.Time < at {
			p.Sequence = c.Sequence
		}
	}
	return p, j.err
}

func (j *memoryJournal) Changes(_ context.Context, _, prefix string, after, until stocktake.JournalPosition, yield func([]journal.Change) error) ([]journal.Gap, error) {
	j.mu.Lock()
	changes, err := slices.Clone(j.changes), j.err
	j.mu.Unlock()
	for _, c := range changes {
		if err != nil {
			break
		}
		if c.Sequence > after.Sequence && c.Sequence <= until.Sequence && strings.HasPrefix(string(c.Record.Key), prefix) {
			err = yield([]journal.Change{c})
		}
	}
	return nil, err
}
