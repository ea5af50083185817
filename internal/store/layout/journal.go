package layout

import (
	"encoding/json"
	"fmt"

	"github.com/stocktake/stocktake"
)

// A JournalHead is the state of a bucket's journal in the index, apart from its entries, as JSON,
// at
//
//	J | bucket, 4 bytes big-endian
//
// It exists while the journal has readers. It is not written with each change.
type JournalHead struct {
	Readers []JournalReader `json:"readers"` // by id

	// Sequence is at least the number of every change before this head, and less
	// than that of every later one.
	Sequence uint64 `json:"sequence"`

	// Floor is the earliest time of later changes, in Unix milliseconds.
	Floor int64 `json:"floor"`

	// From is the beginning of the journal. Its sequence is that of the last trimmed entry, or the
	// start of the first reader; all readers have passed its time.
	From stocktake.JournalPosition `json:"from"`

	// Base is the beginning of the entries: after the last one that was trimmed or dropped. The
	// first remaining entry has the next ordinal.
	Base JournalBase `json:"base"`

	Gaps []JournalGap `json:"gaps,omitempty"` // ascending, after From
}

// A JournalReader is a reader of a journal.
type JournalReader struct {
	ID     string                    `json:"id"`
	Prefix []byte                    `json:"prefix,omitempty"` // bytes, as it need not be text
	At     stocktake.JournalPosition `json:"at"`
}

// A JournalBase is the beginning of the entries of a journal.
type JournalBase struct {
	Sequence uint64 `json:"sequence"` // all entries up to it were removed
	Ordinal  uint64 `json:"ordinal"`
	Bytes    uint64 `json:"bytes"`
}

// A JournalGap describes entries that were dropped unread.
type JournalGap struct {
	First   stocktake.JournalPosition `json:"first"`
	Last    stocktake.JournalPosition `json:"last"`
	Changes uint64                    `json:"changes"`
}

// JournalHeadKey returns the key of the head of a journal. All keys of the journal begin with it.
func JournalHeadKey(bucket uint32) []byte { return AppendBucketHead(nil, SpaceJournal, bucket) }

// EncodeJournalHead returns the value of a head.
func EncodeJournalHead(h *JournalHead) ([]byte, error) { return json.Marshal(h) }

// DecodeJournalHead reads the value of a head.
func DecodeJournalHead(value []byte) (*JournalHead, error) {
	h := new(JournalHead)
	if err := json.Unmarshal(value, h); err != nil {
		return nil, fmt.Errorf("%w: head of a journal: %w", ErrMalformed, err)
	}
	return h, nil
}
