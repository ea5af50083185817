// Package journal is the vocabulary of journals: the ordered log of the changes of a bucket, from
// which incremental reports are cut. internal/store keeps them, internal/inventory reads them;
// neither imports the other. journaltest is the contract as a test suite.
package journal

import (
	"context"
	"errors"

	"github.com/stocktake/stocktake"
)

// A Journal is the journals of all buckets of a store. Its methods are safe for
// concurrent use. Those that take a bucket return [stocktake.ErrNoSuchBucket] if
// it does not exist; those that take the id of a reader return [ErrNoReader] if
// the bucket has none of that id. The journal and its readers are removed
// together with the bucket.
//
// A store writes a change of an object and its entry in the journal in one
// atomic commit, so the order of sequences is the order of commits, and a crash
// loses or keeps both.
type Journal interface {
	// Subscribe adds a reader of the keys that begin with prefix. It is durable when it returns:
	// every change of such a key that begins later is journalled, and the position, where the
	// reader starts, is before them all. If the bucket has a reader of that id with the same
	// prefix, Subscribe changes nothing and returns its position, so it may be called at each
	// start. With another prefix the reader restarts.
	//
	// A reader that has published up to a position and gets a later one has lost the changes in
	// between, for example after the repair of a damaged index, and states a gap.
	Subscribe(ctx context.Context, bucket, reader, prefix string) (stocktake.JournalPosition, error)

	// Unsubscribe durably removes a reader. Changes kept only for it are trimmed once the other
	// readers have passed them, or at once without other readers.
	Unsubscribe(ctx context.Context, bucket, reader string) error

	// Readers returns the readers of a bucket, by id. It serves to find subscriptions of deleted
	// configurations.
	Readers(ctx context.Context, bucket string) ([]Reader, error)

	// Cut returns the position after the last change with a time before at, in Unix milliseconds.
	// Later changes get a time of at or later, so windows cut by time and by sequence are the same.
	// The Time of the position is at. The changes up to it and the cut itself are durable when Cut
	// returns, so every cut at that time is at the same place. A cut at a later time is not at a
	// lower sequence, unless changes were dropped meanwhile. The caller waits until its clock,
	// which is that of the store, has reached at: a cut in the future would move the times of
	// changes there. If all readers have passed at, Cut returns [ErrTrimmed].
	//
	// A bucket without readers has no journal to cut: Cut returns [ErrNoReader].
	Cut(ctx context.Context, bucket string, at int64) (stocktake.JournalPosition, error)

	// Changes calls yield, from the calling goroutine, with the changes after one position and up
	// to another whose keys begin with prefix, in the order of their sequences, in batches that are
	// never empty. A batch and the memory of its changes belong to the journal again when yield
	// returns. Concurrent changes, trims and drops do not affect Changes, and its memory does not
	// depend on the number of changes.
	//
	// It returns the gaps that overlap the range, ascending; without an error, every other change
	// of the range has been yielded. An error of yield ends the reading and is returned. Changes
	// returns ctx.Err() within one batch after ctx has ended, [ErrTrimmed] before the first batch
	// if changes after the first position have been trimmed, and [ErrDamaged] if changes are
	// missing without a gap.
	//
	// A change after the last position that Cut has returned may not be durable yet.
	Changes(ctx context.Context, bucket, prefix string, after, until stocktake.JournalPosition, yield func(batch []Change) error) ([]Gap, error)

	// Published records that a reader is done with the changes up to a position that Cut returned.
	// It is durable when it returns. Changes and gaps that all readers have passed are trimmed. A
	// position before the reader's own changes nothing.
	Published(ctx context.Context, bucket, reader string, until stocktake.JournalPosition) error

	// Stat returns the size of the journal of a bucket.
	Stat(ctx context.Context, bucket string) (Stat, error)
}

// Conditions that a caller branches on with errors.Is.
var (
	ErrNoReader = errors.New("the journal has no such reader")
	ErrTrimmed  = errors.New("the changes are gone: all readers of the journal have read them")
	ErrDamaged  = errors.New("changes are missing from the journal")
)
