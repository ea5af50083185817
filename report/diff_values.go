package report

import (
	"bytes"
	"slices"

	"github.com/stocktake/stocktake"
)

// comparedColumns returns the columns whose values [Diff] compares, in the order of
// the column table: those of wanted, or if that is nil all of both reports.
func comparedColumns(before, after Rows, wanted []stocktake.Field) (columns []stocktake.Field) {
	for _, f := range stocktake.Fields() {
		switch f {
		case stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldVersionID:
			continue // the reports may be of two buckets; the others say which rows belong together
		case stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp:
			if wanted == nil {
				continue
			}
		}
		if before.Has(f) && after.Has(f) && (wanted == nil || slices.Contains(wanted, f)) {
			columns = append(columns, f)
		}
	}
	return columns
}

// differing returns the columns in which the rows differ.
func differing(a, b *stocktake.Record, columns []stocktake.Field) (what []stocktake.Field) {
	for _, f := range columns {
		if !sameValue(a, b, f) {
			what = append(what, f)
		}
	}
	return what
}

// sameValue reports whether two records have the same value of a column. Columns
// without a value in delete markers are the same in all of them.
func sameValue(a, b *stocktake.Record, f stocktake.Field) bool {
	if a.IsDeleteMarker && b.IsDeleteMarker && !f.Column().Marker {
		return true
	}
	if (a.Missing|b.Missing)&stocktake.MissingOf(f) != 0 {
		return true // a value that one side does not know is not a change
	}
	switch f {
	case stocktake.FieldIsLatest:
		return a.IsLatest == b.IsLatest
	case stocktake.FieldIsDeleteMarker:
		return a.IsDeleteMarker == b.IsDeleteMarker
	case stocktake.FieldSize:
		return a.Size == b.Size
	case stocktake.FieldLastModifiedDate:
		return a.LastModified == b.LastModified
	case stocktake.FieldETag:
		return sameETag(&a.ETag, &b.ETag)
	case stocktake.FieldStorageClass:
		return a.StorageClass == b.StorageClass
	case stocktake.FieldIsMultipartUploaded:
		return a.Multipart == b.Multipart
	case stocktake.FieldEncryptionStatus:
		return a.Encrypted == b.Encrypted
	case stocktake.FieldTransitionTime:
		return a.TransitionTime == b.TransitionTime
	case stocktake.FieldObjectACL:
		return a.ACL == b.ACL
	case stocktake.FieldTaggingCount:
		return a.TaggingCount == b.TaggingCount
	case stocktake.FieldObjectType:
		return a.Type == b.Type
	case stocktake.FieldCRC64:
		return a.HasCRC64 == b.HasCRC64 && a.CRC64 == b.CRC64
	case stocktake.FieldLastAccessDate, stocktake.FieldLastAccessTimestamp:
		return a.LastAccess == b.LastAccess
	}
	return true
}

// sameETag compares entity tags. Stores write the digits of a sum in upper or in
// lower case.
func sameETag(a, b *stocktake.ETag) bool {
	if a.Text == nil && b.Text == nil {
		return a.Sum == b.Sum && a.Parts == b.Parts
	}
	return bytes.EqualFold(a.AppendText(nil), b.AppendText(nil))
}
