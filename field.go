package stocktake

import (
	"fmt"
	"strings"
)

// A Field is a column of a report. The zero value is no column.
type Field uint8

// The columns: first the fixed ones, then those that OptionalFields may name,
// then those that only incremental reports have.
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

// fieldNames are the names of PutBucketInventory. Only CRC64 is called
// otherwise in a manifest; see Column.
var fieldNames = [numFields]string{
	"", "Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker",
	"Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "EncryptionStatus",
	"TransitionTime", "ObjectAcl", "TaggingCount", "ObjectType", "Crc64", "LastAccessDate", "LastAccessTimestamp",
	"SequenceNumber", "RecordType", "RecordTimestamp", "Requester", "RequestId", "SourceIp",
}

// String is the name in a configuration, such as "Crc64".
func (f Field) String() string {
	if f < numFields {
		return fieldNames[f]
	}
	return ""
}

// MarshalText is String for package encoding; it refuses what is no field.
func (f Field) MarshalText() ([]byte, error) {
	if f.String() == "" {
		return nil, fmt.Errorf("field %d is unknown", uint8(f))
	}
	return []byte(f.String()), nil
}

// UnmarshalText finds the field of String.
func (f *Field) UnmarshalText(text []byte) error {
	parsed, ok := parseField(string(text), FieldBucket, numFields-1)
	if !ok {
		return fmt.Errorf("field %.40q is unknown", text)
	}
	*f = parsed
	return nil
}

// Column is the name in a manifest's fileSchema, such as "CRC64".
func (f Field) Column() string {
	if f == FieldCRC64 {
		return "CRC64"
	}
	return f.String()
}

// ParseOptionalField finds the field of a full report that OptionalFields
// calls name; names are case-sensitive.
func ParseOptionalField(name string) (Field, bool) {
	return parseField(name, FieldSize, FieldLastAccessTimestamp)
}

// ParseIncrementalField finds the field of an incremental report called name.
func ParseIncrementalField(name string) (Field, bool) {
	f, ok := parseField(name, FieldSize, FieldSourceIP)
	switch f {
	case FieldTransitionTime, FieldTaggingCount, FieldLastAccessDate, FieldLastAccessTimestamp:
		return 0, false
	}
	return f, ok
}

// ParseColumn finds the column that a manifest calls name.
func ParseColumn(name string) (Field, bool) {
	if name == "CRC64" {
		return FieldCRC64, true
	}
	return parseField(name, FieldBucket, numFields-1)
}

func parseField(name string, from, to Field) (Field, bool) {
	for f := from; f <= to; f++ {
		if fieldNames[f] == name {
			return f, true
		}
	}
	return 0, false
}

// Columns are the columns of the full report of c, in order.
func (c *InventoryConfiguration) Columns() []Field {
	columns := []Field{FieldBucket, FieldKey}
	if c.IncludedObjectVersions == AllVersions {
		columns = append(columns, FieldVersionID, FieldIsLatest, FieldIsDeleteMarker)
	}
	return append(columns, c.OptionalFields...)
}

// FileSchema joins the names of columns the way a manifest does.
func FileSchema(columns []Field) string {
	names := make([]string, len(columns))
	for i, f := range columns {
		names[i] = f.Column()
	}
	return strings.Join(names, ", ")
}
