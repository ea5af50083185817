package stocktake

import "bytes"

// MaxObjectSize is the largest size a filter may name, in bytes: 50 TiB, which
// the prose of the OSS documentation rounds to 48.8 TB.
const MaxObjectSize = 54975581388800

// Bounds of the time stamps of a [Filter], in Unix seconds: 2010-01-01 and
// 9999-12-31, both in UTC+8.
const (
	MinFilterTime = 1262275200
	MaxFilterTime = 253402271999
)

// Matcher is a [Filter] made ready for a scan. The zero Matcher selects every
// record.
type Matcher struct {
	prefix        []byte
	begin, end    int64 // inclusive; 0: none
	lower, upper  int64 // inclusive; upper 0: none
	classes       uint8 // bit set of 1<<StorageClass; 0: all
	attributes    bool  // any of size or class is restricted
	currentOnly   bool
	prefixChecked bool
}

// NewMatcher returns the matcher of f, which must be valid. With current, only
// current versions that are not delete markers match: the records of
// IncludedObjectVersions Current.
func NewMatcher(f Filter, current bool) Matcher {
	m := Matcher{
		prefix: []byte(f.Prefix), begin: f.LastModifyBeginTimeStamp, end: f.LastModifyEndTimeStamp,
		lower: f.LowerSizeBound, upper: f.UpperSizeBound, currentOnly: current,
	}
	for _, c := range f.StorageClass {
		m.classes |= 1 << c
	}
	m.attributes = m.lower > 0 || m.upper > 0 || m.classes != 0
	return m
}

// SkipPrefix tells the matcher that its records come from a scan that is
// limited to the prefix already, so that Match need not compare it again.
func (m *Matcher) SkipPrefix() { m.prefixChecked = true }

// Match reports whether the record belongs into the report. It runs once per
// record scanned and does not allocate.
//
// Conditions are joined by AND and look at one version by itself. A delete
// marker has neither size nor storage class, so a condition on either excludes
// it.
func (m *Matcher) Match(r *Record) bool {
	if m.currentOnly && (!r.IsLatest || r.IsDeleteMarker) {
		return false
	}
	if !m.prefixChecked && !bytes.HasPrefix(r.Key, m.prefix) {
		return false
	}
	if (m.begin != 0 && r.LastModified < m.begin) || (m.end != 0 && r.LastModified > m.end) {
		return false
	}
	if !m.attributes {
		return true
	}
	return !r.IsDeleteMarker &&
		r.Size >= m.lower && (m.upper == 0 || r.Size <= m.upper) &&
		(m.classes == 0 || m.classes&(1<<r.StorageClass) != 0)
}
