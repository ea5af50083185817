package layout

// The key spaces of the index: the first byte of each key. docs/formats/store.md describes all of
// them.
const (
	SpaceMeta       = 'A' // facts about the store
	SpaceBuckets    = 'B' // bucket by name
	SpaceMaps       = 'C' // lists of pieces, for content of several blobs
	SpaceData       = 'D' // small blobs
	SpaceIntents    = 'I' // blob files being added
	SpaceJournal    = 'J' // changes by bucket, for incremental reports
	SpaceVersions   = 'O' // object versions
	SpaceParts      = 'P' // parts of unfinished uploads
	SpaceRemovals   = 'R' // blob files being removed
	SpaceStatistics = 'S' // statistics by bucket
	SpaceUploads    = 'U' // unfinished uploads
)

var (
	KeyFormat   = []byte{SpaceMeta, 'f'} // version of the layout, 4 bytes big-endian
	KeyCeiling  = []byte{SpaceMeta, 's'} // sequence numbers up to it may be in use, 8 bytes big-endian
	KeyBuckets  = []byte{SpaceMeta, 'b'} // the last bucket id given out, 4 bytes big-endian
	KeyScrub    = []byte{SpaceMeta, 'c'} // progress of the unfinished scrub: an index key
	KeyScrubbed = []byte{SpaceMeta, 'd'} // when the last scrub ended, 8 bytes big-endian, Unix milliseconds
)

// Lengths of parts of keys, in bytes.
const (
	BucketHeadLen = 1 + 4 // space and bucket id
	SeqLen        = 8     // sequence number
	TerminatorLen = 2     // 00 01, after an escaped object key
)

// The value of a row begins with the fields that a scan needs, at fixed offsets, little-endian; see
// docs/formats/store.md.
const (
	HotFormat  = 0  // 1 byte, RowFormat
	HotFlags   = 1  // 1 byte, flag*
	HotClass   = 2  // 1 byte
	HotType    = 3  // 1 byte
	HotACL     = 4  // 1 byte
	HotMore    = 5  // 1 byte, more*
	HotTags    = 6  // 2 bytes, number of tags
	HotSize    = 8  // 8 bytes
	HotTime    = 16 // 8 bytes, last modified, Unix milliseconds
	HotCRC64   = 24 // 8 bytes
	HotETag    = 32 // 16 bytes
	HotParts   = 48 // 4 bytes
	HotTextLen = 52 // 2 bytes, length of an ETag that has another form
	HotLen     = 56 // followed by the transition time (8 bytes) and the ETag's text, if flagged, and by the cold part
)

// RowFormat is the first byte of the value of a row.
const RowFormat = 1

// The flags of a row.
const (
	FlagDeleteMarker = 1 << iota // the version is a delete marker
	FlagNull                     // the version is the null version of its key
	FlagCRC64                    // the CRC-64 of the content is known
	FlagMultipart                // made by a multipart upload
	FlagEncrypted                // the content is encrypted
	FlagSealed                   // the appendable object is sealed
	FlagMD5                      // the ETag is the MD5 of the content
	FlagReport                   // written by a run, as a file of its report
)

// The parts of a value that few rows have, in byte HotMore.
const (
	MoreTransition = 1 << iota // there is a transition time
	MoreETagText               // there is an ETag's text
)

// The cold part of a row is a sequence of items:
//
//	tag, 1 byte | length, uvarint | that many bytes
//
// Empty items are omitted; a tag may repeat only if noted below. A reader skips unknown tags, so
// items can be added without a new format.
const (
	itemContentType        = 1
	itemCacheControl       = 2
	itemContentDisposition = 3
	itemContentEncoding    = 4
	itemContentLanguage    = 5
	itemExpires            = 6
	itemMeta               = 7 // repeats: length of the name, uvarint | name | value
	itemTag                = 8 // repeats: length of the key, uvarint | key | value
	itemAlgorithm          = 9
	itemKeyID              = 10
	itemDataKey            = 11
	itemContent            = 12 // kind, 1 byte | id, 8 bytes little-endian
	itemMD5                = 13 // 16 bytes, where it is not the ETag
	itemSymlink            = 14
	itemParts              = 15 // uvarint
	itemRestore            = 16 // requested, ready, expires: 8 bytes little-endian each, Unix milliseconds
	itemDataAlgorithm      = 17
)
