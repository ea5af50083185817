package store

import (
	"encoding/binary"
	"fmt"

	"github.com/stocktake/stocktake/internal/store/layout"
)

// journals checks that each journal belongs to a bucket and has a head, and that its entries are
// consecutive: by their ordinals, which have no gaps, their times and their sizes.
func (a *auditor) journals() error {
	var head *layout.JournalHead // of the bucket at; nil: no journal
	var at uint32
	var last layout.ChangePlace
	return a.each(layout.SpaceJournal, func(key, value []byte) error {
		if len(key) < layout.BucketHeadLen {
			a.wrong(fmt.Sprintf("journal %x", key), "%v", layout.ErrMalformed)
			return nil
		}
		bucket := binary.BigEndian.Uint32(key[1:])
		subject := fmt.Sprintf("journal of bucket %s (row %x)", a.names[bucket], key)
		if bucket != at {
			at, head = bucket, nil
			if a.names[bucket] == "" {
				a.wrong(subject, "its bucket does not exist")
			}
		}
		if len(key) == layout.BucketHeadLen {
			var err error
			if head, err = layout.DecodeJournalHead(value); err != nil {
				a.wrong(subject, "%v", err)
				return nil
			}
			if len(head.Readers) == 0 {
				a.wrong(subject, "it has no readers")
			}
			last = layout.ChangePlace{Ordinal: head.Base.Ordinal, Bytes: head.Base.Bytes}
			return nil
		}
		a.Changes++
		var c layout.StoredChange
		if err := layout.DecodeChange(value, &c); err != nil || len(key) != layout.ChangeKeyLen {
			a.wrong(subject, "%v", layout.ErrMalformed)
			return nil
		}
		size := uint64(len(key) + len(value))
		switch {
		case head == nil:
			a.wrong(subject, "the journal has no head")
			head = new(layout.JournalHead) // reported once
		case c.Ordinal != last.Ordinal+1:
			a.wrong(subject, "it is change %d, after %d: changes are missing", c.Ordinal, last.Ordinal)
		case c.Bytes != last.Bytes+size:
			a.wrong(subject, "the journal has %d bytes up to it, want %d", c.Bytes, last.Bytes+size)
		case c.Time < last.Time:
			a.wrong(subject, "its time %d is before that of the change before, %d", c.Time, last.Time)
		}
		last = c.ChangePlace
		return nil
	})
}
