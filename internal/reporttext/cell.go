package reporttext

import (
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// A cell is the text of a value.
type cell struct {
	text  []byte // valid until the next row; empty: the row has no value
	plain bool   // a number or a boolean
}

// cellOf returns the value of a column. Times are in RFC 3339; buf is reused.
func cellOf(buf []byte, row *report.Row, f stocktake.Field) cell {
	buf = buf[:0]
	if row.IsDeleteMarker && !f.Column().Marker {
		return cell{}
	}
	if c, ok := changeCell(buf, &row.Change, f); ok || row.Change.Permanent && f != stocktake.FieldBucket && f != stocktake.FieldKey && f != stocktake.FieldVersionID {
		return c
	}
	switch f {
	case stocktake.FieldBucket:
		return cell{text: row.Bucket}
	case stocktake.FieldKey:
		return cell{text: row.Key}
	case stocktake.FieldVersionID:
		return cell{text: row.VersionID}
	case stocktake.FieldIsLatest:
		return cell{strconv.AppendBool(buf, row.IsLatest), true}
	case stocktake.FieldIsDeleteMarker:
		return cell{strconv.AppendBool(buf, row.IsDeleteMarker), true}
	case stocktake.FieldSize:
		return cell{strconv.AppendInt(buf, row.Size, 10), true}
	case stocktake.FieldLastModifiedDate:
		return cell{text: appendTime(buf, row.LastModified)}
	case stocktake.FieldETag:
		return cell{text: row.ETag.AppendText(buf)}
	case stocktake.FieldStorageClass:
		return cell{text: append(buf, row.StorageClass.String()...)}
	case stocktake.FieldIsMultipartUploaded:
		return cell{strconv.AppendBool(buf, row.Multipart), true}
	case stocktake.FieldEncryptionStatus:
		return cell{strconv.AppendBool(buf, row.Encrypted), true}
	case stocktake.FieldTransitionTime:
		return cell{text: appendTime(buf, row.TransitionTime)}
	case stocktake.FieldObjectACL:
		return cell{text: append(buf, row.ACL.String()...)}
	case stocktake.FieldTaggingCount:
		return cell{strconv.AppendUint(buf, uint64(row.TaggingCount), 10), true}
	case stocktake.FieldObjectType:
		return cell{text: append(buf, row.Type.String()...)}
	case stocktake.FieldCRC64:
		if row.HasCRC64 { // as text: many JSON readers keep only 53 bits of a number
			return cell{text: strconv.AppendUint(buf, row.CRC64, 10)}
		}
	case stocktake.FieldLastAccessDate:
		return cell{text: appendTime(buf, row.LastAccess)}
	case stocktake.FieldLastAccessTimestamp:
		if row.LastAccess != 0 {
			return cell{strconv.AppendInt(buf, row.LastAccess, 10), true}
		}
	}
	return cell{}
}

// changeCell returns the value of a column that only incremental reports have.
func changeCell(buf []byte, c *stocktake.Change, f stocktake.Field) (v cell, ok bool) {
	switch f {
	case stocktake.FieldSequenceNumber: // as text: many JSON readers keep only 53 bits of a number
		return cell{text: stocktake.AppendSequence(buf, c.Sequence)}, true
	case stocktake.FieldRecordType:
		return cell{text: append(buf, c.RecordType.String()...)}, true
	case stocktake.FieldRecordTimestamp:
		return cell{text: time.UnixMilli(c.Time).UTC().AppendFormat(buf, "2006-01-02T15:04:05.000Z07:00")}, true
	case stocktake.FieldRequester:
		return cell{text: c.Requester}, true
	case stocktake.FieldRequestID:
		return cell{text: c.RequestID}, true
	case stocktake.FieldSourceIP:
		return cell{text: c.SourceIP}, true
	}
	return cell{}, false
}

// appendTime appends a time in Unix seconds; nothing for 0.
func appendTime(buf []byte, t int64) []byte {
	if t == 0 {
		return nil
	}
	return time.Unix(t, 0).UTC().AppendFormat(buf, time.RFC3339)
}

// jsonName returns the name of a column in JSON: "ObjectAcl" is "objectAcl".
func jsonName(f stocktake.Field) string {
	name := f.String()
	return strings.ToLower(name[:1]) + name[1:]
}
