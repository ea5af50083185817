package stocktake

import (
	"bytes"
	"encoding/json"
)

// MaxObjectSize is the largest size a filter may name, in bytes: 50 TiB, which
// the prose of the OSS documentation rounds to 48.8 TB.
const MaxObjectSize = 54975581388800

// Bounds of the time stamps of a [Filter], in Unix seconds: 2010-01-01 and
// 9999-12-31, both in UTC+8.
const (
	MinFilterTime = 1262275200
	MaxFilterTime = 253402271999
)

// A Matcher is a [Filter] that is prepared for a scan. The zero Matcher selects every
// record.
type Matcher struct {
	prefix        []byte
	begin, end    int64     // inclusive; 0: none
	lower, upper  int64     // inclusive; upper 0: none
	classes       [4]uint64 // a bit for each StorageClass
	anyClass      bool      // classes has no meaning
	attributes    bool      // any of size or class is restricted
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
	m.anyClass = len(f.StorageClass) == 0
	for _, class := range f.StorageClass {
		for _, c := range class.alike() {
			m.classes[c>>6] |= 1 << (c & 63)
		}
	}
	m.attributes = m.lower > 0 || m.upper > 0 || !m.anyClass
	return m
}

// SkipPrefix makes Match ignore the prefix. Call it for records of a scan that is
// already limited to the prefix.
func (m *Matcher) SkipPrefix() { m.prefixChecked = true }

// Match reports whether the record belongs in the report. It runs once per record
// scanned and does not allocate.
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
		(m.anyClass || m.classes[r.StorageClass>>6]&(1<<(r.StorageClass&63)) != 0)
}

// filterJSON is a [Filter] as JSON: "All" is one of the storage classes, and a
// lower bound of 0 is written if the request had it.
type filterJSON struct {
	Prefix                   string   `json:"prefix,omitempty"`
	LastModifyBeginTimeStamp int64    `json:"lastModifyBeginTimeStamp,omitzero"`
	LastModifyEndTimeStamp   int64    `json:"lastModifyEndTimeStamp,omitzero"`
	LowerSizeBound           *int64   `json:"lowerSizeBound,omitempty"`
	UpperSizeBound           int64    `json:"upperSizeBound,omitzero"`
	StorageClass             []string `json:"storageClass,omitempty"`
}

// MarshalJSON writes a filter with the names of the API in lowerCamelCase.
func (f Filter) MarshalJSON() ([]byte, error) {
	j := filterJSON{
		Prefix: f.Prefix, UpperSizeBound: f.UpperSizeBound,
		LastModifyBeginTimeStamp: f.LastModifyBeginTimeStamp, LastModifyEndTimeStamp: f.LastModifyEndTimeStamp,
	}
	if f.LowerSizeBound != 0 || f.HasLowerSizeBound {
		j.LowerSizeBound = &f.LowerSizeBound
	}
	if f.AllClasses {
		j.StorageClass = []string{allClasses}
	}
	for _, c := range f.StorageClass {
		text, err := c.MarshalText()
		if err != nil {
			return nil, err
		}
		j.StorageClass = append(j.StorageClass, string(text))
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Filter) UnmarshalJSON(data []byte) error {
	var j filterJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*f = Filter{
		Prefix: j.Prefix, UpperSizeBound: j.UpperSizeBound,
		LastModifyBeginTimeStamp: j.LastModifyBeginTimeStamp, LastModifyEndTimeStamp: j.LastModifyEndTimeStamp,
	}
	if j.LowerSizeBound != nil {
		f.LowerSizeBound, f.HasLowerSizeBound = *j.LowerSizeBound, *j.LowerSizeBound == 0
	}
	for _, name := range j.StorageClass {
		if name == allClasses {
			f.AllClasses = true
			continue
		}
		var c StorageClass
		if err := c.UnmarshalText([]byte(name)); err != nil {
			return err
		}
		f.StorageClass = append(f.StorageClass, c)
	}
	return nil
}
