package stocktake

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Field is a column of a report. Its name is that of OSS in element
// OptionalFields/Field of a configuration. The zero value is not a column. The
// properties of a field are in its row of the column table; see [Field.Column].
type Field uint8

// The fields: first those that reports always have, then those that
// OptionalFields may name, then those that only incremental reports have.
const (
	FieldBucket Field = iota + 1
	FieldKey
	FieldVersionID
	FieldIsLatest
	FieldIsDeleteMarker

	FieldSize
	FieldLastModifiedDate
	FieldETag
	FieldStorageClass
	FieldIsMultipartUploaded
	FieldEncryptionStatus
	FieldTransitionTime
	FieldObjectACL
	FieldTaggingCount
	FieldObjectType
	FieldCRC64
	FieldLastAccessDate
	FieldLastAccessTimestamp

	FieldSequenceNumber
	FieldRecordType
	FieldRecordTimestamp
	FieldRequester
	FieldRequestID
	FieldSourceIP

	numFields
)

// A Column is one row of the column table. The zero Column is not a column.
type Column struct {
	Name       string // in a configuration, such as "Crc64"; case-sensitive
	SchemaName string // in a manifest's fileSchema, such as "CRC64"

	Full, Incremental Presence // which reports have it

	Value  ValueKind
	Marker bool // the row of a delete marker has a value, too
}

// Presence says when a report has a column.
type Presence uint8

// The presences. Columns that are always there and those of versions come
// first, in the order of the table; optional ones in the order of the
// configuration.
const (
	Never        Presence = iota
	Always                // in every report
	WithVersions          // if IncludedObjectVersions is All
	Optional              // if OptionalFields names it
)

// ValueKind is the type of a column's values, independent of the format of the
// report. A format has one encoding for each.
type ValueKind uint8

// The kinds of values. Where a kind allows a value to be absent, CSV leaves the
// text empty, except for [AccessTime] and [AccessSeconds].
const (
	Text          ValueKind = iota + 1 // short text, never absent
	ObjectKey                          // an object name: any bytes; CSV percent-encodes it
	OptionalText                       // short text, or absent
	Bool                               // true or false
	Count                              // an integer from 0
	Checksum                           // 64 bits, unsigned, or absent
	EntityTag                          // an ETag without quotes
	Word                               // one of the few words of an enumeration
	Time                               // a time in seconds, or absent
	AccessTime                         // a time in seconds, or absent: "null" in CSV
	AccessSeconds                      // the same, as Unix seconds
	MilliTime                          // a time in milliseconds
	Sequence                           // an integer above 0; CSV writes [SequenceDigits] digits
)

// columns is the column table: everything about a column that is not its
// encoding in a format. To add a column, add a Field and its row here; tests
// name what still lacks it.
//
// Source: OSS API reference, PutBucketInventory, OptionalFields; OSS developer
// guide, bucket inventory.
var columns = [numFields]Column{
	FieldBucket:         {Name: "Bucket", Full: Always, Incremental: Always, Value: Text, Marker: true},
	FieldKey:            {Name: "Key", Full: Always, Incremental: Always, Value: ObjectKey, Marker: true},
	FieldVersionID:      {Name: "VersionId", Full: WithVersions, Incremental: WithVersions, Value: OptionalText, Marker: true},
	FieldIsLatest:       {Name: "IsLatest", Full: WithVersions, Value: Bool, Marker: true},
	FieldIsDeleteMarker: {Name: "IsDeleteMarker", Full: WithVersions, Incremental: WithVersions, Value: Bool, Marker: true},

	FieldSize:                {Name: "Size", Full: Optional, Incremental: Optional, Value: Count},
	FieldLastModifiedDate:    {Name: "LastModifiedDate", Full: Optional, Incremental: Optional, Value: Time, Marker: true},
	FieldETag:                {Name: "ETag", Full: Optional, Incremental: Optional, Value: EntityTag},
	FieldStorageClass:        {Name: "StorageClass", Full: Optional, Incremental: Optional, Value: Word},
	FieldIsMultipartUploaded: {Name: "IsMultipartUploaded", Full: Optional, Incremental: Optional, Value: Bool, Marker: true},
	FieldEncryptionStatus:    {Name: "EncryptionStatus", Full: Optional, Incremental: Optional, Value: Bool, Marker: true},
	FieldTransitionTime:      {Name: "TransitionTime", Full: Optional, Value: Time},
	FieldObjectACL:           {Name: "ObjectAcl", Full: Optional, Incremental: Optional, Value: Word},
	FieldTaggingCount:        {Name: "TaggingCount", Full: Optional, Value: Count, Marker: true},
	FieldObjectType:          {Name: "ObjectType", Full: Optional, Incremental: Optional, Value: Word},
	FieldCRC64:               {Name: "Crc64", SchemaName: "CRC64", Full: Optional, Incremental: Optional, Value: Checksum},
	FieldLastAccessDate:      {Name: "LastAccessDate", Full: Optional, Value: AccessTime, Marker: true},
	FieldLastAccessTimestamp: {Name: "LastAccessTimestamp", Full: Optional, Value: AccessSeconds, Marker: true},

	FieldSequenceNumber:  {Name: "SequenceNumber", Incremental: Optional, Value: Sequence, Marker: true},
	FieldRecordType:      {Name: "RecordType", Incremental: Optional, Value: Word, Marker: true},
	FieldRecordTimestamp: {Name: "RecordTimestamp", Incremental: Optional, Value: MilliTime, Marker: true},
	FieldRequester:       {Name: "Requester", Incremental: Optional, Value: OptionalText, Marker: true},
	FieldRequestID:       {Name: "RequestId", Incremental: Optional, Value: OptionalText, Marker: true},
	FieldSourceIP:        {Name: "SourceIp", Incremental: Optional, Value: OptionalText, Marker: true},
}

// Column returns the field's row of the column table; the zero Column for a
// field that does not exist.
func (f Field) Column() Column {
	if f >= numFields {
		return Column{}
	}
	c := columns[f]
	if c.SchemaName == "" {
		c.SchemaName = c.Name
	}
	return c
}

// Fields returns all fields in the order of the column table.
func Fields() []Field {
	all := make([]Field, 0, numFields-1)
	for f := FieldBucket; f < numFields; f++ {
		all = append(all, f)
	}
	return all
}

// Columns returns the columns of the full reports of c, in order.
func (c *InventoryConfiguration) Columns() []Field {
	var fields []Field
	for f := FieldBucket; f < numFields; f++ {
		p := columns[f].Full
		if p == Always || p == WithVersions && c.IncludedObjectVersions == AllVersions {
			fields = append(fields, f)
		}
	}
	return append(fields, c.OptionalFields...)
}

// IncrementalColumns returns the columns of the incremental reports of c, in order.
// c.Incremental is not nil.
func (c *InventoryConfiguration) IncrementalColumns() []Field {
	var fields []Field
	for f := FieldBucket; f < numFields; f++ {
		p := columns[f].Incremental
		if p == Always || p == WithVersions && c.IncludedObjectVersions == AllVersions {
			fields = append(fields, f)
		}
	}
	return append(fields, c.Incremental.OptionalFields...)
}

// CheckColumns returns an error unless fields may be the columns of a full
// report: Bucket, Key, then any others that full reports have, each once.
func CheckColumns(fields []Field) error {
	return checkColumns(fields, "full", func(c *Column) Presence { return c.Full })
}

// CheckIncrementalColumns does what [CheckColumns] does for the columns of an
// incremental report.
func CheckIncrementalColumns(fields []Field) error {
	return checkColumns(fields, "incremental", func(c *Column) Presence { return c.Incremental })
}

func checkColumns(fields []Field, kind string, presence func(*Column) Presence) error {
	if len(fields) < 2 || fields[0] != FieldBucket || fields[1] != FieldKey {
		return errors.New("the first columns must be Bucket and Key")
	}
	for i, f := range fields {
		if c := f.Column(); presence(&c) == Never {
			return fmt.Errorf("%s reports have no column %q", kind, f)
		}
		if slices.Contains(fields[:i], f) {
			return fmt.Errorf("column %s is listed twice", f)
		}
	}
	return nil
}

// FileSchema returns the names of columns, joined the way a manifest does.
func FileSchema(columns []Field) string {
	names := make([]string, len(columns))
	for i, f := range columns {
		names[i] = f.Column().SchemaName
	}
	return strings.Join(names, ", ")
}

// ParseFileSchema is the inverse of [FileSchema]. It returns 0 for a column whose
// name is unknown; names has the names as they stand, without blanks around them.
func ParseFileSchema(schema string) (columns []Field, names []string, err error) {
	if schema == "" {
		return nil, nil, errors.New("the schema is empty")
	}
	names = strings.Split(schema, ",")
	columns = make([]Field, len(names))
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		columns[i], _ = ParseColumn(names[i])
	}
	return columns, names, nil
}
