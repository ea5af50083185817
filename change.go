package stocktake

import "strconv"

// RecordType is the kind of a change of an object. The zero value is not a type.
type RecordType uint8

// The record types of incremental reports.
//
// Source: OSS developer guide, bucket inventory, incremental inventory.
const (
	RecordCreate         RecordType = iota + 1 // an upload, an append, a copy, a symbolic link, also one that replaces an object
	RecordUpdateMetadata                       // ACL, tags, restore, storage class, seal
	RecordDelete                               // a version or an object was removed, or a delete marker was made
)

var recordTypeNames = [...]string{"", "CREATE", "UPDATE_METADATA", "DELETE"}

// String returns the name in a report, such as "UPDATE_METADATA".
func (t RecordType) String() string { return name(recordTypeNames[:], uint8(t)) }

// ParseRecordType returns the type that String calls s; names are case-sensitive.
func ParseRecordType(s []byte) (RecordType, bool) {
	for i, n := range recordTypeNames {
		if i > 0 && string(s) == n {
			return RecordType(i), true
		}
	}
	return 0, false
}

// A Change describes a change in a row of an incremental report, in addition to the state of the
// object after it. Rows of full reports have the zero value.
//
// The byte slices belong to the producer, as those of a [Record] do.
type Change struct {
	Sequence   uint64 // ascends with the changes of a bucket, in their order; above 0
	Time       int64  // Unix milliseconds; never falls while Sequence ascends
	RecordType RecordType

	// Permanent says that a RecordDelete has removed a version, or the object of a
	// bucket without versioning. Otherwise it has made a delete marker.
	Permanent bool

	Requester []byte // account or principal id; empty: the service itself
	RequestID []byte // empty: the service itself
	SourceIP  []byte // of the client; empty: the service itself
}

// A ChangedRecord is a row of an incremental report: a change and the state of the
// object after it. A permanent deletion has only a key and a version.
type ChangedRecord struct {
	Change
	Record
}

// SequenceDigits is the length of a SequenceNumber as text: numbers are padded with
// zeros, so that the order of the text is that of the numbers.
const SequenceDigits = 20

// AppendSequence appends n as reports and manifests have it, [SequenceDigits]
// digits.
func AppendSequence(dst []byte, n uint64) []byte {
	var digits [SequenceDigits]byte
	text := strconv.AppendUint(digits[:0], n, 10)
	for range SequenceDigits - len(text) {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}

// A JournalGap is a range of the journal whose changes were dropped: the sequences
// above After, up to Until.
type JournalGap struct {
	After   uint64 `json:"after,string"`
	Until   uint64 `json:"until,string"`
	Changes int64  `json:"changes"` // dropped, of all keys; 0: the number is not known
}
