package stocktake

import (
	"slices"
	"strings"
)

// MaxInventories is how many configurations one bucket may have, and
// InventoryPageSize how many one page of a listing holds.
//
// Source: OSS API reference, PutBucketInventory and ListBucketInventory.
const (
	MaxInventories    = 1000
	InventoryPageSize = 100
)

// An InventoryConfiguration describes the reports that a user wants of a bucket.
// Validate checks it against the rules of the API; package inventoryxml reads and
// writes its XML. Its JSON form, for people and scripts, is what
// [client.ParseYAML] reads.
//
// Source: OSS API reference, PutBucketInventory.
//
// [client.ParseYAML]: https://pkg.go.dev/github.com/stocktake/stocktake/client#ParseYAML
type InventoryConfiguration struct {
	ID        string `json:"id"`        // see ValidInventoryID
	IsEnabled bool   `json:"isEnabled"` // false: the configuration is kept, but never runs

	Filter      Filter      `json:"filter,omitzero"`
	Destination Destination `json:"destination"`
	Schedule    Schedule    `json:"schedule"`

	IncludedObjectVersions IncludedObjectVersions `json:"includedObjectVersions"`
	OptionalFields         []Field                `json:"optionalFields,omitempty"` // in the order of the columns

	Incremental *IncrementalInventory `json:"incrementalInventory,omitempty"` // nil: none
}

// Filter selects the records a report lists. The zero Filter selects them all.
//
// Source: OSS API reference, PutBucketInventory, element Filter.
type Filter struct {
	Prefix string // compared with the key byte by byte; at most MaxKeyLength bytes

	// LastModifyBeginTimeStamp and LastModifyEndTimeStamp bound the time of last
	// modification, in Unix seconds, both ends included; 0 means no bound.
	LastModifyBeginTimeStamp, LastModifyEndTimeStamp int64

	// LowerSizeBound and UpperSizeBound bound the size, in bytes, both ends
	// included. UpperSizeBound 0 means no bound.
	LowerSizeBound, UpperSizeBound int64

	// StorageClass lists the classes to keep; Normalized sorts them by name and
	// drops repeats. Empty keeps every class. A class of OSS also keeps the classes
	// of S3 that are like it; classes of S3 are for buckets of S3 stores.
	StorageClass []StorageClass

	// AllClasses reports that the request had "All", so that it reads back; StorageClass is then
	// empty.
	AllClasses bool

	// HasLowerSizeBound reports that the request had a lower bound of 0, so that it reads back.
	HasLowerSizeBound bool
}

// allClasses is how a filter says that every storage class is kept.
const allClasses = "All"

// StorageClasses returns the text of element StorageClass: the names joined by
// commas, "All" if the request said so, or "".
func (f *Filter) StorageClasses() string {
	if f.AllClasses {
		return allClasses
	}
	names := make([]string, len(f.StorageClass))
	for i, c := range f.StorageClass {
		names[i] = c.String()
	}
	return strings.Join(names, ",")
}

// SetStorageClasses sets the classes to those of a text of element StorageClass.
// It reports whether the text is legal; if not, f is unchanged.
func (f *Filter) SetStorageClasses(text string) bool {
	var classes []StorageClass
	if text != "" && text != allClasses {
		for name := range strings.SplitSeq(text, ",") {
			class, ok := FilterStorageClass(name)
			if !ok {
				return false
			}
			classes = append(classes, class)
		}
	}
	f.StorageClass, f.AllClasses = classes, text == allClasses
	return true
}

// The formats of reports.
const (
	FormatCSV     = "CSV"     // the only one that OSS has
	FormatParquet = "Parquet" // an extension, with the columns of Parquet in S3 Inventory
)

// Destination is where the reports of a configuration go: element
// OSSBucketDestination.
type Destination struct {
	Format     string     `json:"format"`           // FormatCSV or FormatParquet
	AccountID  string     `json:"accountId"`        // decimal; owns the bucket
	RoleARN    string     `json:"roleArn"`          // "acs:ram::uid:role/name"
	Bucket     string     `json:"bucket"`           // name, without "acs:oss:::"
	Prefix     string     `json:"prefix,omitempty"` // taken literally: a '/' is put between it and the bucket's name even if it ends in one
	Encryption Encryption `json:"encryption,omitzero"`
}

// Encryption is the encryption at rest of a report's files. The zero value leaves it to the
// destination bucket.
type Encryption struct {
	SSEOSS bool   `json:"sseOss,omitzero"` // AES256 with keys of the service
	SSEKMS bool   `json:"sseKms,omitzero"` // never together with SSEOSS
	KeyID  string `json:"keyId,omitempty"` // with SSEKMS only; empty: the service's default KMS key
}

// Schedule says when a configuration runs.
type Schedule struct {
	Frequency  Frequency `json:"frequency"`
	DayOfMonth int       `json:"dayOfMonth,omitzero"`  // 1 to 31, with Monthly only; 0: every 30 days from the day of configuration
	AutoDelete *bool     `json:"autoDelete,omitempty"` // with Once only: whether the configuration is removed after its single run
}

// Frequency is how often a configuration runs.
type Frequency string

// The frequencies of OSS.
const (
	Daily   Frequency = "Daily"
	Weekly  Frequency = "Weekly"
	Monthly Frequency = "Monthly"
	Once    Frequency = "Once"
)

// IncludedObjectVersions is which versions a report lists.
type IncludedObjectVersions string

// The values of IncludedObjectVersions.
const (
	CurrentVersions IncludedObjectVersions = "Current"
	AllVersions     IncludedObjectVersions = "All"
)

// IncrementalInventory asks for reports of changes in addition to the full ones.
type IncrementalInventory struct {
	IsEnabled      bool    `json:"isEnabled"`
	Frequency      int64   `json:"frequency"` // seconds; only IncrementalWindow is accepted
	OptionalFields []Field `json:"optionalFields,omitempty"`
}

// IncrementalWindow is the length of an incremental report's window in seconds.
const IncrementalWindow = 600

// Normalized returns c in the form that a server stores and returns: storage classes
// sorted by name, and neither classes nor fields repeated. The result shares
// no memory with c.
//
// Source: OSS stores "Standard,IA" and answers "IA,Standard".
func (c InventoryConfiguration) Normalized() InventoryConfiguration {
	c = c.Clone()
	slices.SortFunc(c.Filter.StorageClass, func(a, b StorageClass) int { return strings.Compare(a.String(), b.String()) })
	c.Filter.StorageClass = orNil(slices.Compact(c.Filter.StorageClass))
	c.Filter.HasLowerSizeBound = c.Filter.HasLowerSizeBound && c.Filter.LowerSizeBound == 0
	c.OptionalFields = withoutRepeats(c.OptionalFields)
	if c.Incremental != nil {
		c.Incremental.OptionalFields = withoutRepeats(c.Incremental.OptionalFields)
	}
	return c
}

// Clone returns a copy of c that shares no memory with it.
func (c InventoryConfiguration) Clone() InventoryConfiguration {
	c.Filter.StorageClass = slices.Clone(c.Filter.StorageClass)
	c.OptionalFields = slices.Clone(c.OptionalFields)
	if c.Schedule.AutoDelete != nil {
		c.Schedule.AutoDelete = new(*c.Schedule.AutoDelete)
	}
	if c.Incremental != nil {
		c.Incremental = new(*c.Incremental)
		c.Incremental.OptionalFields = slices.Clone(c.Incremental.OptionalFields)
	}
	return c
}

// withoutRepeats removes all but the first of each field, in place; nil if there
// are none.
func withoutRepeats(fields []Field) []Field {
	var seen [256]bool
	return orNil(slices.DeleteFunc(fields, func(f Field) bool {
		repeated := seen[f]
		seen[f] = true
		return repeated
	}))
}

func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}
