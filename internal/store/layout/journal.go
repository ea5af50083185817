package layout

import (
	"encoding/json"
	"fmt"

	"github.com/stocktake/stocktake"
)

// A JournalHead is what the index keeps of the journal of a bucket besides its
// entries, as JSON, at
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

	// From is where the journal begins. Its sequence is that of the last entry that
	// was trimmed, or where the first reader began; its time is one that all readers
	// have passed.
	From stocktake.JournalPosition `json:"from"`

	// Base is where the entries begin: behind the last one that was trimmed or
	// dropped. The first one left has the next ordinal.
	Base JournalBase `json:"base"`

	Gaps []JournalGap `json:"gaps,omitempty"` // ascending, those behind From
}

// A JournalReader is a reader of a journal.
type JournalReader struct {
	ID     string                    `json:"id"`
	Prefix []byte                    `json:"prefix,omitempty"` // bytes, as it need not be text
	At     stocktake.JournalPosition `json:"at"`
}

// A JournalBase is where the entries of a journal begin.
type JournalBase struct {
	Sequence uint64 `json:"sequence"` // no entry up to it is left
	Ordinal  uint64 `json:"ordinal"`
	Bytes    uint64 `json:"bytes"`
}

// A JournalGap is entries that were dropped unread.
type JournalGap struct {
	First   stocktake.JournalPosition `json:"first"`
	Last    stocktake.JournalPosition `json:"last"`
	Changes uint64                    `json:"changes"`
}

// JournalHeadKey returns the key of the head of a journal, which all keys of the
// journal begin with.
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
