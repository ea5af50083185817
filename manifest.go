package stocktake

import "time"

// ManifestVersion is the version every manifest of a full report carries.
const ManifestVersion = "2019-09-01"

// ManifestVersionIncremental is the version every manifest of an incremental report
// carries.
const ManifestVersionIncremental = "2025-09-30"

// ManifestVersionS3 is the version of the manifests of S3 Inventory, which
// [ParseManifest] reads.
//
// Source: Amazon S3 user guide, Inventory manifest.
const ManifestVersionS3 = "2016-11-30"

// A Manifest is manifest.json of a report, full or incremental. Its existence means
// that the report is complete.
//
// Source: OSS developer guide, bucket inventory.
type Manifest struct {
	CreationTimestamp int64 // of a full report: start of the scan, in Unix seconds; a string in JSON

	// StartTimestamp and EndTimestamp bound the window of an incremental report, in
	// Unix seconds: the first is within it, the second is not. Strings in JSON.
	StartTimestamp, EndTimestamp int64

	DestinationBucket string
	FileFormat        string // FormatCSV or FormatParquet
	FileSchema        string // the columns, in the form of the format; see [FileSchema] for CSV
	Files             []ManifestFile
	SourceBucket      string
	Version           string // ManifestVersion, ManifestVersionIncremental; ManifestVersionS3 in reports of S3

	// Gaps are changes that an incremental report lacks because the journal was full. Member "gaps"
	// is an extension and is left out if there are none.
	Gaps []JournalGap
}

// Incremental reports whether m is the manifest of an incremental report.
func (m *Manifest) Incremental() bool { return m.Version == ManifestVersionIncremental }

// Time returns the time whose state the report describes: the start of the scan, or the end of the
// window.
func (m *Manifest) Time() time.Time {
	if m.Incremental() {
		return time.Unix(m.EndTimestamp, 0).UTC()
	}
	return time.Unix(m.CreationTimestamp, 0).UTC()
}

// A ManifestFile is one shard in a manifest.
type ManifestFile struct {
	MD5  string // of the stored bytes, 32 upper-case hex digits
	Key  string // in the destination bucket
	Size int64  // of the stored bytes
}

// Consistency says which state of the bucket the rows of a report show.
type Consistency string

// The consistencies that a source can have.
const (
	// ConsistencySnapshot: the exact state at Summary.Start.
	ConsistencySnapshot Consistency = "snapshot"
	// ConsistencyWindow: each row was true at some moment between Summary.Start and
	// Summary.End; changes within may be seen or missed.
	ConsistencyWindow Consistency = "window"
)

// SummaryVersion is the version of manifest.summary.
const SummaryVersion = 1

// A Summary is manifest.summary, Stocktake's own addition to a report. It has what is needed to
// check each file separately and the whole report against the scan. Its format is in
// docs/formats/summary.md.
type Summary struct {
	Version       int         `json:"version"`
	Bucket        string      `json:"bucket"`
	Configuration string      `json:"configuration"`
	Run           string      `json:"run"`
	Consistency   Consistency `json:"consistency"`
	Start         time.Time   `json:"start"` // of the scan; whole seconds are the manifest's creationTimestamp
	End           time.Time   `json:"end"`   // of the scan

	Listed  int64 `json:"listed"`  // records read
	Matched int64 `json:"matched"` // rows in the report
	Bytes   int64 `json:"bytes"`   // size of the objects in the rows, in bytes

	Classes []ClassTotal  `json:"classes"` // by storage class, those that occur, in the order of CompareStorageClasses
	Files   []SummaryFile `json:"files"`   // in the order of the manifest

	// Unavailable are the columns, by their names in a configuration, that the store of the bucket
	// cannot provide: they are empty in every row.
	Unavailable []string `json:"unavailable,omitempty"`

	// Incomplete is the number of rows that lack a value in another column because the store did
	// not provide it for the object, such as one that was deleted during the scan.
	Incomplete int64 `json:"incomplete,omitempty"`

	// SuspectKeys is the number of rows whose key has the character U+FFFD, which stores list
	// instead of characters that XML cannot represent.
	SuspectKeys int64 `json:"suspectKeys,omitempty"`

	// Rollup describes manifest.rollup; nil: the report has none.
	Rollup *SummaryRollup `json:"rollup,omitempty"`

	// Journal is the position of the bucket's journal at Start: the rows show every change up to
	// it, and none after it. nil: the bucket had no journal.
	Journal *JournalPosition `json:"journal,omitempty"`

	// Filter is the filter of the configuration, present together with Journal; nil: unknown. A
	// report without any filter has an empty one.
	Filter *Filter `json:"filter,omitempty"`

	// Window says which changes an incremental report has; nil: it is a full one.
	// Gaps are those of its manifest.
	Window *SummaryWindow `json:"window,omitempty"`
	Gaps   []JournalGap   `json:"gaps,omitempty"`
}

// A SummaryWindow says which changes of the journal an incremental report has: those that its
// configuration selects, after After and up to Until. Incremental reports are consecutive if the
// After of each is the Until of the previous one.
type SummaryWindow struct {
	After JournalPosition `json:"after"`
	Until JournalPosition `json:"until"`

	// Subscribed is the position of the journal when the configuration was put: no earlier change
	// is in any of its incremental reports.
	Subscribed JournalPosition `json:"subscribed"`
}

// A JournalPosition is a place between two changes of a bucket: after all changes with a sequence
// number up to its own, whether or not a change has that number. The zero value is before all
// changes.
type JournalPosition struct {
	// Sequence is as in column SequenceNumber. In JSON it is a string, since it may
	// be too large for programs whose numbers are floating-point.
	Sequence uint64 `json:"sequence,string"`

	// Time is in Unix milliseconds: no change up to Sequence has a later RecordTimestamp, and no
	// change after it an earlier one.
	Time int64 `json:"time"`
}

// A SummaryRollup describes manifest.rollup, so that it can be checked.
type SummaryRollup struct {
	Size   int64  `json:"size"`   // bytes
	MD5    string `json:"md5"`    // upper-case hex
	SHA256 string `json:"sha256"` // lower-case hex
}

// A ClassTotal counts the rows of one storage class.
type ClassTotal struct {
	StorageClass string `json:"storageClass"`
	Objects      int64  `json:"objects"`
	Bytes        int64  `json:"bytes"`
}

// A SummaryFile describes one shard.
type SummaryFile struct {
	Key      string `json:"key"`
	Size     int64  `json:"size"`   // bytes stored
	MD5      string `json:"md5"`    // of the stored bytes, upper-case hex, as in the manifest
	SHA256   string `json:"sha256"` // of the stored bytes, lower-case hex
	Rows     int64  `json:"rows"`
	FirstKey string `json:"firstKey,omitempty"` // object key of the first row, percent-encoded as in the row; empty in an incremental report
	LastKey  string `json:"lastKey,omitempty"`

	// Pieces lists the positions from which the shard can be read, in the order of the rows, so
	// that a key can be found without reading the whole shard. The first entry is the beginning of
	// the first piece. It is empty for a shard of one piece, and in summaries of earlier versions.
	Pieces []SummaryPiece `json:"pieces,omitempty"`
}

// A SummaryPiece says where a piece of a shard begins. The rows of a piece can be decoded without
// the rows before it.
type SummaryPiece struct {
	Row      int64  `json:"row"`      // rows of the shard before it
	Offset   int64  `json:"offset"`   // stored bytes of the shard before it
	FirstKey string `json:"firstKey"` // object key of its first row, percent-encoded as in SummaryFile
}
