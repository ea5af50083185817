package stocktake

import (
	"errors"
	"strconv"
	"strings"
)

// A fault is a text of the document that breaks a rule.
type fault struct {
	err *InvalidArgumentError
	// zero: the text is a 0 where the model's 0 says that nothing was given. Only
	// who puts a configuration must be told.
	zero bool
}

// faults are by path of the element.
type faults map[string]fault

// read gives the configuration, or what of the document it cannot hold.
func (d *document) read() (InventoryConfiguration, error) {
	c, faults, err := d.configuration()
	if err != nil {
		return InventoryConfiguration{}, err
	}
	for _, r := range inventoryRules {
		if f, ok := faults[r.element]; ok && !f.zero {
			return InventoryConfiguration{}, f.err
		}
	}
	return c, nil
}

// configuration gives what the document says, the texts that a configuration
// cannot hold, and the first node that is missing or not of its type, in the
// order of the EC: those of the nodes that OSS gives none come last.
func (d *document) configuration() (c InventoryConfiguration, f faults, err error) {
	r := documentReader{document: d, faults: faults{}}

	c.ID = r.required(pathID, ec(5))
	c.IsEnabled = r.boolean(pathIsEnabled, r.required(pathIsEnabled, ec(7)), ec(6))
	c.Filter = r.filter()
	c.Destination = r.destination()
	c.Schedule.Frequency = Frequency(r.required(pathFrequency, ec(17)))
	c.IncludedObjectVersions = IncludedObjectVersions(r.required(pathVersions, ec(18)))
	c.Schedule.DayOfMonth = r.dayOfMonth()
	if text, ok := d.text(pathAutoDelete); ok {
		c.Schedule.AutoDelete = new(r.boolean(pathAutoDelete, text, ""))
	}
	c.OptionalFields = r.fields(pathField, ec(36), ParseOptionalField)
	if d.has(pathIncremental) {
		inc := &IncrementalInventory{}
		inc.IsEnabled = r.boolean(pathIncrementalIsEnabled, r.required(pathIncrementalIsEnabled, ""), "")
		r.required(pathIncrementalFrequency, "")
		inc.Frequency, _ = r.number(pathIncrementalFrequency, "")
		inc.OptionalFields = r.fields(pathIncrementalField, "", ParseIncrementalField)
		c.Incremental = inc
	}
	return c.Normalized(), r.faults, r.err
}

// A documentReader turns the texts of a document into values. After the first
// err the values mean nothing.
type documentReader struct {
	*document
	faults faults
	err    error // the first node that is missing or not of its type
}

func (r *documentReader) malformed(ec, reason string) {
	if r.err == nil {
		r.err = &MalformedXMLError{EC: ec, Reason: reason}
	}
}

func (r *documentReader) fault(path, ec, value, reason string, zero bool) {
	r.faults[path] = fault{invalid(path, ec, value, reason), zero}
}

// required is the text of a node that must be there; it may be empty.
func (r *documentReader) required(path, ec string) string {
	text, ok := r.text(path)
	if !ok {
		r.malformed(ec, path+" is missing")
	}
	if path == pathID {
		return text
	}
	return strings.TrimSpace(text)
}

func (r *documentReader) optional(path string) string {
	text, _ := r.text(path)
	return strings.TrimSpace(text)
}

func (r *documentReader) verbatim(path string) string {
	text, _ := r.text(path)
	return text
}

func (r *documentReader) boolean(path, text, ec string) bool {
	text = strings.TrimSpace(text)
	yes := strings.EqualFold(text, "true")
	if !yes && !strings.EqualFold(text, "false") {
		r.malformed(ec, path+" is neither true nor false")
	}
	return yes
}

// number is the number in a node that need not be there. One that is too large
// for an int64 becomes the largest, which no rule accepts.
func (r *documentReader) number(path, ec string) (n int64, ok bool) {
	text, ok := r.text(path)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		r.malformed(ec, path+" is not a number")
	}
	return n, true
}

// bound is a number of which 0 is no legal value; ec is of one that is no
// number, outside of a 0.
func (r *documentReader) bound(path, ec, outside, accepts string) int64 {
	n, ok := r.number(path, ec)
	if ok && n == 0 {
		r.fault(path, outside, "0", accepts, true)
	}
	return n
}

func (r *documentReader) filter() (f Filter) {
	const times = "expected 1262275200 to 253402271999"
	f.Prefix = r.verbatim(pathFilterPrefix)
	f.LastModifyBeginTimeStamp = r.bound(pathBegin, ec(8), ec(21), times)
	f.LastModifyEndTimeStamp = r.bound(pathEnd, ec(9), ec(23), times)
	f.LowerSizeBound, f.HasLowerSizeBound = r.number(pathLower, ec(10))
	f.UpperSizeBound = r.bound(pathUpper, ec(11), ec(24), "expected 1 to "+decimal(MaxObjectSize))

	// An empty list is as if there were none.
	switch list := r.optional(pathStorageClass); list {
	case "":
	case allClasses:
		f.AllClasses = true
	default:
		for name := range strings.SplitSeq(list, ",") {
			class, ok := ParseStorageClass(name)
			if !ok {
				r.fault(pathStorageClass, ec(26), list, storageClassAccepts, false)
				break
			}
			f.StorageClass = append(f.StorageClass, class)
		}
	}
	return f
}

const storageClassAccepts = "expected All, or a list of Standard, IA, Archive, ColdArchive and DeepColdArchive with commas and no blanks"

func (r *documentReader) destination() (d Destination) {
	d.Format = r.required(pathFormat, ec(12))
	d.AccountID = r.required(pathAccountID, ec(13))
	d.RoleARN = r.required(pathRoleARN, ec(14))
	d.Prefix = r.verbatim(pathDestinationPrefix)

	arn := r.required(pathBucket, ec(15))
	name, ok := ParseBucketARN(arn)
	if !ok {
		r.fault(pathBucket, ec(30), arn, bucketAccepts, false)
	}
	d.Bucket = name

	d.Encryption = Encryption{SSEOSS: r.has(pathSSEOSS), SSEKMS: r.has(pathSSEKMS), KeyID: r.optional(pathKeyID)}
	if d.Encryption.SSEOSS && d.Encryption.SSEKMS {
		r.malformed(ec(16), "both SSE-OSS and SSE-KMS are there")
	}
	if r.has(pathSSEOSSKeyID) {
		r.fault(pathSSEOSSKeyID, ec(35), r.optional(pathSSEOSSKeyID), "SSE-OSS takes no key", false)
	}
	return d
}

func (r *documentReader) dayOfMonth() int {
	day, ok := r.number(pathDayOfMonth, "")
	if ok && (day < 1 || day > 31) {
		r.fault(pathDayOfMonth, "", decimal(day), dayOfMonthAccepts, day == 0)
		return 0
	}
	return int(day)
}

func (r *documentReader) fields(path, ec string, parse func(string) (Field, bool)) (fields []Field) {
	for text := range r.repeated(path) {
		f, ok := parse(strings.TrimSpace(text))
		if !ok {
			r.fault(path, ec, strings.TrimSpace(text), "expected a name of a field", false)
			return nil
		}
		fields = append(fields, f)
	}
	return fields
}
