package stocktake

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a configuration's texts.
//
// Source: OSS API reference, error 0020-00000044, for the id; the others are
// ours, as OSS does not document them.
const (
	MaxInventoryIDLength = 192 // characters

	MaxDestinationPrefixLength            = 512 // bytes
	MaxIncrementalDestinationPrefixLength = 128 // characters, with incremental reports; source: OSS console

	maxKMSKeyIDLength = 256 // bytes
)

// InventoryRules is what the rules of PutBucketInventory depend on besides the
// configuration itself. The zero value checks what the configuration alone can
// tell, which is what a client wants before it sends one.
type InventoryRules struct {
	ID        string // inventoryId of the request, which the configuration must repeat; empty: any
	AccountID string // owner of the source bucket, who must own the destination; empty: any

	// StrictVersions refuses IncludedObjectVersions All unless Versioned. The
	// documentation of OSS says so (EC 0020-00000045), but the service accepts it,
	// and the integration tests of every SDK rely on that.
	StrictVersions bool
	Versioned      bool // versioning of the source bucket is enabled
}

// Validate holds c to the rules of PutBucketInventory, in their order, and
// gives the first one that is broken as an [*InvalidArgumentError].
//
// It checks what needs no server: that the destination exists, in the same
// account and region, that the id is free, and that incremental reports are
// offered, is checked where those are known. Time bounds in the future, and a
// lower bound without an upper one or the reverse, are legal.
func (c *InventoryConfiguration) Validate(rules InventoryRules) error {
	return c.validate(rules, nil)
}

// validate is Validate of a configuration read from a text in which the
// elements of faults held what c cannot.
func (c *InventoryConfiguration) validate(rules InventoryRules, f faults) error {
	for _, r := range inventoryRules {
		if fault, ok := f[r.element]; ok {
			return fault.err
		}
		if value, reason := r.broken(c, &rules); reason != "" {
			return invalid(r.element, r.ec, value, reason)
		}
	}
	return nil
}

// An inventoryRule is one rule of PutBucketInventory. broken gives the value
// that breaks it and what would be accepted, or "" as the reason.
type inventoryRule struct {
	element, ec string
	broken      func(*InventoryConfiguration, *InventoryRules) (value, reason string)
}

// inventoryRules are the rules in the order in which they are checked: the id,
// what the report holds, and the destination bucket last, as the checks that
// need the server go on from there. An unknown EC is left empty.
//
// Source: OSS documentation, error codes 0020-00000020 to 0020-00000045.
var inventoryRules = []inventoryRule{
	{pathID, ec(44), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.ID, unless(c.ID != "", "it is empty")
	}},
	{pathID, ec(43), func(c *InventoryConfiguration, r *InventoryRules) (string, string) {
		return c.ID, unless(r.ID == "" || r.ID == c.ID, "it differs from inventoryId")
	}},
	{pathID, ec(44), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.ID, unless(utf8.RuneCountInString(c.ID) <= MaxInventoryIDLength && fitsXML(c.ID), "1 to 192 characters of UTF-8")
	}},
	{pathFilterPrefix, ec(20), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.Filter.Prefix, unless(len(c.Filter.Prefix) <= MaxKeyLength && fitsXML(c.Filter.Prefix), "up to 1023 bytes of UTF-8 that XML can carry")
	}},
	{pathBegin, ec(21), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return filterTime(c.Filter.LastModifyBeginTimeStamp)
	}},
	{pathEnd, ec(23), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return filterTime(c.Filter.LastModifyEndTimeStamp)
	}},
	{pathBegin, ec(22), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		begin, end := c.Filter.LastModifyBeginTimeStamp, c.Filter.LastModifyEndTimeStamp
		return decimal(begin), unless(end == 0 || begin <= end, "at most LastModifyEndTimeStamp")
	}},
	{pathUpper, ec(24), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		upper := c.Filter.UpperSizeBound
		return decimal(upper), unless(0 <= upper && upper <= MaxObjectSize, "1 to "+decimal(MaxObjectSize))
	}},
	{pathLower, ec(25), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		lower, most := c.Filter.LowerSizeBound, cmp.Or(c.Filter.UpperSizeBound, MaxObjectSize)
		return decimal(lower), unless(0 <= lower && lower <= most, "0 to "+decimal(most))
	}},
	{pathStorageClass, ec(26), brokenStorageClass},
	{pathFormat, ec(27), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.Destination.Format, unless(c.Destination.Format == FormatCSV, "CSV")
	}},
	{pathAccountID, ec(28), func(c *InventoryConfiguration, r *InventoryRules) (string, string) {
		id := c.Destination.AccountID
		return id, unless(ValidAccountID(id) && (r.AccountID == "" || r.AccountID == id), "the id of the account that owns the bucket")
	}},
	{pathRoleARN, ec(29), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		uid, _, ok := ParseRoleARN(c.Destination.RoleARN)
		return c.Destination.RoleARN, unless(ok && uid == c.Destination.AccountID, "acs:ram::<AccountId>:role/<name>")
	}},
	{pathDestinationPrefix, ec(34), brokenDestinationPrefix},
	{pathSSEOSSKeyID, ec(35), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return e.KeyID, unless(e.KeyID == "" || !e.SSEOSS || e.SSEKMS, "none: SSE-OSS takes no key")
	}},
	{pathEncryption, ec(16), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return "", unless(!e.SSEOSS || !e.SSEKMS, "one of SSE-OSS and SSE-KMS")
	}},
	{pathKeyID, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return e.KeyID, unless(e.KeyID == "" || e.SSEKMS && validKMSKeyID(e.KeyID), "the id of a KMS key")
	}},
	{pathField, ec(36), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return brokenField(c.OptionalFields, ParseOptionalField)
	}},
	{pathVersions, ec(37), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		v := c.IncludedObjectVersions
		return string(v), unless(v == AllVersions || v == CurrentVersions, "All or Current")
	}},
	{pathFrequency, ec(38), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		f := c.Schedule.Frequency
		return string(f), unless(f == Daily || f == Weekly || f == Monthly || f == Once, "Daily, Weekly, Monthly or Once")
	}},
	{pathDayOfMonth, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		day := c.Schedule.DayOfMonth
		return strconv.Itoa(day), unless(day == 0 || 1 <= day && day <= 31 && c.Schedule.Frequency == Monthly, dayOfMonthAccepts)
	}},
	{pathAutoDelete, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		del := c.Schedule.AutoDelete
		return strconv.FormatBool(del != nil && *del), unless(del == nil || c.Schedule.Frequency == Once, "only with Once")
	}},
	{pathIncrementalFrequency, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		if c.Incremental == nil {
			return "", ""
		}
		n := c.Incremental.Frequency
		return decimal(n), unless(n == IncrementalWindow, "600")
	}},
	{pathIncrementalField, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		if c.Incremental == nil {
			return "", ""
		}
		return brokenField(c.Incremental.OptionalFields, ParseIncrementalField)
	}},
	{pathVersions, ec(45), func(c *InventoryConfiguration, r *InventoryRules) (string, string) {
		v := c.IncludedObjectVersions
		return string(v), unless(v != AllVersions || r.Versioned || !r.StrictVersions, "Current, as versioning of the bucket is not enabled")
	}},
	{pathBucket, ec(30), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		arn := BucketARN(c.Destination.Bucket)
		_, ok := ParseBucketARN(arn)
		return arn, unless(ok, bucketAccepts)
	}},
	{pathBucket, ec(31), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		n := len(c.Destination.Bucket)
		return BucketARN(c.Destination.Bucket), unless(3 <= n && n <= 63, "the name of a bucket has 3 to 63 characters")
	}},
	{pathBucket, ec(32), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return BucketARN(c.Destination.Bucket), unless(ValidBucketName(c.Destination.Bucket), "the name of a bucket is a-z, 0-9 and -, with no - at its ends")
	}},
}

const (
	bucketAccepts     = "acs:oss:::<bucket>"
	dayOfMonthAccepts = "1 to 31, only with Monthly"
)

func filterTime(t int64) (value, reason string) {
	return decimal(t), unless(t == 0 || MinFilterTime <= t && t <= MaxFilterTime, decimal(MinFilterTime)+" to "+decimal(MaxFilterTime))
}

func brokenStorageClass(c *InventoryConfiguration, _ *InventoryRules) (value, reason string) {
	if c.Filter.AllClasses && len(c.Filter.StorageClass) > 0 {
		return allClasses, storageClassAccepts
	}
	for _, class := range c.Filter.StorageClass {
		if class >= NumStorageClasses {
			return class.String(), storageClassAccepts
		}
	}
	return "", ""
}

// brokenField finds a field that parse, which knows the legal ones by name,
// does not accept.
func brokenField(fields []Field, parse func(string) (Field, bool)) (value, reason string) {
	for _, f := range fields {
		if _, ok := parse(f.String()); !ok {
			return f.String(), "a name of a field"
		}
	}
	return "", ""
}

// brokenDestinationPrefix refuses what a path in a bucket had better not hold.
// The example of the documentation is %&$@i^*!@#$%^&*; the set is ours.
func brokenDestinationPrefix(c *InventoryConfiguration, _ *InventoryRules) (value, reason string) {
	p := c.Destination.Prefix
	switch {
	case len(p) > MaxDestinationPrefixLength:
		return p, "up to " + strconv.Itoa(MaxDestinationPrefixLength) + " bytes"
	case c.Incremental != nil && c.Incremental.IsEnabled && utf8.RuneCountInString(p) > MaxIncrementalDestinationPrefixLength:
		return p, "up to " + strconv.Itoa(MaxIncrementalDestinationPrefixLength) + " characters with incremental reports"
	case strings.HasPrefix(p, "/"):
		return p, "no / at the start"
	case !fitsXML(p) || strings.ContainsFunc(p, unicode.IsControl) || strings.ContainsAny(p, `%&$@^*!#\?<>|"':;,()[]{}`+"`"):
		return p, "letters, digits, blanks and any of -_./=+~"
	}
	return "", ""
}

func validKMSKeyID(id string) bool {
	return len(id) <= maxKMSKeyIDLength && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Normalized returns c as a server stores it and reads it back: storage classes
// sorted by name, and neither classes nor fields repeated. It shares nothing
// with c.
//
// Source: OSS stores "Standard,IA" and answers "IA,Standard".
func (c InventoryConfiguration) Normalized() InventoryConfiguration {
	classes := slices.Clone(c.Filter.StorageClass)
	slices.SortFunc(classes, func(a, b StorageClass) int { return strings.Compare(a.String(), b.String()) })
	c.Filter.StorageClass = orNil(slices.Compact(classes))
	c.Filter.HasLowerSizeBound = c.Filter.HasLowerSizeBound && c.Filter.LowerSizeBound == 0

	c.OptionalFields = withoutRepeats(c.OptionalFields)
	if c.Schedule.AutoDelete != nil {
		c.Schedule.AutoDelete = new(*c.Schedule.AutoDelete)
	}
	if c.Incremental != nil {
		inc := *c.Incremental
		inc.OptionalFields = withoutRepeats(inc.OptionalFields)
		c.Incremental = &inc
	}
	return c
}

// withoutRepeats copies fields, keeping the first of each; nil if there are none.
func withoutRepeats(fields []Field) []Field {
	var kept []Field
	var seen [256]bool
	for _, f := range fields {
		if !seen[f] {
			seen[f] = true
			kept = append(kept, f)
		}
	}
	return kept
}

func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

// ec writes an OSS diagnostic code of the inventory operations.
func ec(n int) string {
	const zeros = "0020-00000000"
	digits := strconv.Itoa(n)
	return zeros[:len(zeros)-len(digits)] + digits
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func unless(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}

// invalid makes an error of which only a part of a long value is kept.
func invalid(element, ec, value, reason string) *InvalidArgumentError {
	const most = 200
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "")
	}
	return &InvalidArgumentError{Element: element, Value: value, EC: ec, Reason: reason}
}
