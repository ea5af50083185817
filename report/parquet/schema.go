package parquet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stocktake/stocktake"
)

// A kind is the type of the values of a column, and their encoding.
type kind uint8

const (
	keys   kind = iota + 1 // STRING, ascending: DELTA_BYTE_ARRAY
	text                   // STRING, mostly distinct: DELTA_LENGTH_BYTE_ARRAY
	words                  // STRING of few values: RLE_DICTIONARY
	flags                  // BOOLEAN: PLAIN
	counts                 // INT64: DELTA_BINARY_PACKED
	times                  // INT64, TIMESTAMP(MILLIS, UTC): DELTA_BINARY_PACKED
)

// A spec says how a file stores a column of the column table.
type spec struct {
	name     string
	kind     kind
	required bool
}

// specs are the columns of full reports. Names are those of S3 Inventory if it has
// the column. Names and types never change; add a row here for a new column of the
// table.
//
// Source: Amazon S3 user guide, Amazon S3 Inventory list.
var specs = map[stocktake.Field]spec{
	stocktake.FieldBucket:         {"bucket", words, true},
	stocktake.FieldKey:            {"key", keys, true},
	stocktake.FieldVersionID:      {"version_id", text, false},
	stocktake.FieldIsLatest:       {"is_latest", flags, false},
	stocktake.FieldIsDeleteMarker: {"is_delete_marker", flags, false},

	stocktake.FieldSize:                {"size", counts, false},
	stocktake.FieldLastModifiedDate:    {"last_modified_date", times, false},
	stocktake.FieldETag:                {"e_tag", text, false},
	stocktake.FieldStorageClass:        {"storage_class", words, false},
	stocktake.FieldIsMultipartUploaded: {"is_multipart_uploaded", flags, false},
	stocktake.FieldEncryptionStatus:    {"encryption_status", flags, false},
	stocktake.FieldTransitionTime:      {"transition_time", times, false},
	stocktake.FieldObjectACL:           {"object_acl", words, false},
	stocktake.FieldTaggingCount:        {"tagging_count", counts, false},
	stocktake.FieldObjectType:          {"object_type", words, false},
	stocktake.FieldCRC64:               {"crc64", text, false},
	stocktake.FieldLastAccessDate:      {"last_access_date", times, false},
	stocktake.FieldLastAccessTimestamp: {"last_access_timestamp", counts, false},
}

// fieldNamed is the inverse of the names in specs.
var fieldNamed = func() map[string]stocktake.Field {
	m := make(map[string]stocktake.Field, len(specs))
	for f, s := range specs {
		m[s.name] = f
	}
	return m
}()

// physical returns the name of the kind's type in a schema.
func (k kind) physical() string {
	switch k {
	case flags:
		return "boolean"
	case counts, times:
		return "int64"
	}
	return "binary"
}

// annotation returns the text after the name of a column in a schema.
func (k kind) annotation() string {
	switch k {
	case keys, text, words:
		return " (STRING)"
	case times:
		return " (TIMESTAMP(MILLIS,true))"
	}
	return ""
}

// schemaName is the name of the message, as in S3 Inventory.
const schemaName = "s3.inventory"

// schemaText returns the fileSchema of columns in the form of S3 Inventory: fields
// are separated by two spaces.
func schemaText(columns []stocktake.Field) string {
	var b strings.Builder
	b.WriteString("message " + schemaName + " {")
	for _, f := range columns {
		s := specs[f]
		repetition := "optional"
		if s.required {
			repetition = "required"
		}
		fmt.Fprintf(&b, "  %s %s %s%s;", repetition, s.kind.physical(), s.name, s.kind.annotation())
	}
	b.WriteByte('}')
	return b.String()
}

var errSchema = errors.New("it is not a flat Parquet schema: message NAME { optional TYPE NAME (ANNOTATION); ... }")

// maxColumns bounds the columns of a schema.
const maxColumns = 200

// parseSchema returns the names of the columns of a fileSchema in the form of
// parquet-java, with annotations of any form: S3's manifests say STRING and
// TIMESTAMP(MILLIS,true), its user guide UTF8 and TIMESTAMP_MILLIS.
func parseSchema(schema string) (names []string, err error) {
	head, rest, ok := strings.Cut(schema, "{")
	body, end, closed := strings.Cut(rest, "}")
	if words := strings.Fields(head); !ok || !closed || strings.TrimSpace(end) != "" || len(words) != 2 || words[0] != "message" {
		return nil, errSchema
	}
	for field := range strings.SplitSeq(body, ";") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		declaration, _, _ := strings.Cut(field, "(")
		words := strings.Fields(declaration)
		if len(words) < 3 {
			return nil, errSchema
		}
		if len(names) == maxColumns {
			return nil, fmt.Errorf("it has more than %d columns", maxColumns)
		}
		names = append(names, words[2])
	}
	if len(names) == 0 {
		return nil, errSchema
	}
	return names, nil
}
