package csvgz

import "github.com/stocktake/stocktake"

// Columns of few values depend on the attributes of a record, a number in which
// each such column has some bits.
const (
	attrTags      = 0xffff
	attrClass     = 0xff << 16
	attrType      = 0xff << 24
	attrACL       = 0xff << 32
	attrMultipart = 1 << 40
	attrEncrypted = 1 << 41
	attrLatest    = 1 << 42
	attrDeleted   = 1 << 43

	// The values that are unknown: stocktake.Missing, without the checksum.
	attrMissing      = 44
	attrNoEncryption = uint64(stocktake.MissingEncryption) << attrMissing
	attrNoACL        = uint64(stocktake.MissingACL) << attrMissing
	attrNoTags       = uint64(stocktake.MissingTags) << attrMissing
	attrNoType       = uint64(stocktake.MissingType) << attrMissing

	// attrUsed is set in the entries of a group that are in use.
	attrUsed = 1 << 63
)

// attributeMask returns the bits that column f depends on, or false if f is not a
// column of few values.
func attributeMask(f stocktake.Field) (uint64, bool) {
	switch f {
	case stocktake.FieldIsLatest:
		return attrLatest, true
	case stocktake.FieldIsDeleteMarker:
		return attrDeleted, true
	case stocktake.FieldStorageClass:
		return attrClass | attrDeleted, true
	case stocktake.FieldIsMultipartUploaded:
		return attrMultipart, true
	case stocktake.FieldEncryptionStatus:
		return attrEncrypted | attrNoEncryption, true
	case stocktake.FieldObjectACL:
		return attrACL | attrDeleted | attrNoACL, true
	case stocktake.FieldTaggingCount:
		return attrTags | attrNoTags, true
	case stocktake.FieldObjectType:
		return attrType | attrDeleted | attrNoType, true
	}
	return 0, false
}

func attributesOf(r *stocktake.Record) uint64 {
	if r.IsDeleteMarker {
		return bit(r.IsLatest)*attrLatest | attrDeleted
	}
	return uint64(r.TaggingCount) | uint64(r.StorageClass)<<16 | uint64(r.Type)<<24 | uint64(r.ACL)<<32 |
		bit(r.Multipart)*attrMultipart | bit(r.Encrypted)*attrEncrypted | bit(r.IsLatest)*attrLatest |
		uint64(r.Missing&^stocktake.MissingCRC64)<<attrMissing
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// A group is a run of adjacent columns of few values. Together they also have few
// values, so a group keeps the text of each combination that occurred, with the
// `","` before and after it, and the last position of the text.
type group struct {
	columns []stocktake.Field
	closed  bool // a column of many values follows
	mask    uint64
	last    *values // of the previous row
	entries [32]values
}

type values struct {
	attributes uint64
	pos        int64
	n          int // bytes of text
	text       [128]byte
}

func newGroup(columns []stocktake.Field, closed bool) *group {
	g := &group{columns: columns, closed: closed, mask: attrUsed}
	for _, f := range columns {
		m, _ := attributeMask(f)
		g.mask |= m
	}
	g.reset()
	return g
}

func (g *group) reset() {
	for i := range g.entries {
		g.entries[i].pos = noPosition
	}
	g.last = &g.entries[0]
}

// group adds the columns of g.
func (c cursor) group(e *Encoder, g *group, r *stocktake.Record) cursor {
	attributes := (attributesOf(r) | attrUsed) & g.mask
	v := g.last
	if v.attributes != attributes {
		v = g.find(attributes)
		g.last = v
	}
	*e.text.at64(c.text) = *(*[64]byte)(v.text[:])
	if v.n > 64 {
		*e.text.at64(c.text + 64) = *(*[64]byte)(v.text[64:])
	}
	back := e.since(c, v.pos)
	v.pos = e.base + int64(c.text)
	return c.match(e, v.n, back)
}

// find returns the entry for attributes, which is in one of two places. It makes
// the entry if it does not exist.
func (g *group) find(attributes uint64) *values {
	i := attributes * 0x9e3779b97f4a7c15 >> 59
	for _, i := range [...]uint64{i, i ^ 1} {
		if g.entries[i].attributes == attributes {
			return &g.entries[i]
		}
	}
	v := &g.entries[i]
	if other := &g.entries[i^1]; other.pos < v.pos {
		v = other
	}
	v.attributes, v.pos = attributes, noPosition
	v.n = len(g.appendText(v.text[:0], attributes))
	return v
}

// appendText appends the columns of a record with the given attributes.
func (g *group) appendText(b []byte, attributes uint64) []byte {
	for _, f := range g.columns {
		b = append(b, `","`...)
		b = appendAttributes(b, f, attributes)
	}
	if g.closed {
		b = append(b, `","`...)
	}
	return b
}

func appendAttributes(b []byte, f stocktake.Field, attributes uint64) []byte {
	if attributes&(uint64(stocktake.MissingOf(f))<<attrMissing) != 0 {
		return b
	}
	switch f {
	case stocktake.FieldIsLatest:
		return appendBool(b, attributes&attrLatest != 0)
	case stocktake.FieldIsDeleteMarker:
		return appendBool(b, attributes&attrDeleted != 0)
	case stocktake.FieldIsMultipartUploaded:
		return appendBool(b, attributes&attrMultipart != 0)
	case stocktake.FieldEncryptionStatus:
		return appendBool(b, attributes&attrEncrypted != 0)
	case stocktake.FieldTaggingCount:
		return appendUint(b, attributes&attrTags)
	}
	if attributes&attrDeleted != 0 {
		return b
	}
	switch f {
	case stocktake.FieldStorageClass:
		b = append(b, stocktake.StorageClass(attributes>>16).String()...)
	case stocktake.FieldObjectType:
		b = append(b, stocktake.ObjectType(attributes>>24).String()...)
	case stocktake.FieldObjectACL:
		b = append(b, stocktake.ACL(attributes>>32).String()...)
	}
	return b
}
