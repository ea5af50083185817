package stocktake

import (
	"cmp"
	"fmt"
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
		return c.ID, unless(utf8.RuneCountInString(c.ID) <= MaxInventoryIDLength && fitsXML(c.ID), "expected 1 to 192 characters of UTF-8")
	}},
	{pathFilterPrefix, ec(20), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.Filter.Prefix, unless(len(c.Filter.Prefix) <= MaxKeyLength && fitsXML(c.Filter.Prefix), "expected up to 1023 bytes of UTF-8 that XML can carry")
	}},
	{pathBegin, ec(21), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return filterTime(c.Filter.LastModifyBeginTimeStamp)
	}},
	{pathEnd, ec(23), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return filterTime(c.Filter.LastModifyEndTimeStamp)
	}},
	{pathBegin, ec(22), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		begin, end := c.Filter.LastModifyBeginTimeStamp, c.Filter.LastModifyEndTimeStamp
		return decimal(begin), unless(end == 0 || begin <= end, "expected at most LastModifyEndTimeStamp")
	}},
	{pathUpper, ec(24), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		upper := c.Filter.UpperSizeBound
		return decimal(upper), unless(0 <= upper && upper <= MaxObjectSize, "expected 1 to "+decimal(MaxObjectSize))
	}},
	{pathLower, ec(25), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		lower, most := c.Filter.LowerSizeBound, cmp.Or(c.Filter.UpperSizeBound, MaxObjectSize)
		return decimal(lower), unless(0 <= lower && lower <= most, "expected 0 to "+decimal(most))
	}},
	{pathStorageClass, ec(26), brokenStorageClass},
	{pathFormat, ec(27), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.Destination.Format, unless(c.Destination.Format == FormatCSV, "expected CSV")
	}},
	{pathAccountID, ec(28), func(c *InventoryConfiguration, r *InventoryRules) (string, string) {
		id := c.Destination.AccountID
		return id, unless(ValidAccountID(id) && (r.AccountID == "" || r.AccountID == id), "expected the id of the account that owns the bucket")
	}},
	{pathRoleARN, ec(29), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		uid, _, ok := ParseRoleARN(c.Destination.RoleARN)
		return c.Destination.RoleARN, unless(ok && uid == c.Destination.AccountID, "expected acs:ram::<AccountId>:role/<name>")
	}},
	{pathDestinationPrefix, ec(34), brokenDestinationPrefix},
	{pathSSEOSSKeyID, ec(35), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return e.KeyID, unless(e.KeyID == "" || !e.SSEOSS || e.SSEKMS, "SSE-OSS takes no key")
	}},
	{pathEncryption, ec(16), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return "", unless(!e.SSEOSS || !e.SSEKMS, "expected one of SSE-OSS and SSE-KMS")
	}},
	{pathKeyID, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return e.KeyID, unless(e.KeyID == "" || e.SSEKMS && validKMSKeyID(e.KeyID), "expected the id of a KMS key")
	}},
	{pathField, ec(36), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return brokenField(c.OptionalFields, ParseOptionalField)
	}},
	{pathVersions, ec(37), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		v := c.IncludedObjectVersions
		return string(v), unless(v == AllVersions || v == CurrentVersions, "expected All or Current")
	}},
	{pathFrequency, ec(38), func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		f := c.Schedule.Frequency
		return string(f), unless(f == Daily || f == Weekly || f == Monthly || f == Once, "expected Daily, Weekly, Monthly or Once")
	}},
	{pathDayOfMonth, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		day := c.Schedule.DayOfMonth
		return strconv.Itoa(day), unless(day == 0 || 1 <= day && day <= 31 && c.Schedule.Frequency == Monthly, dayOfMonthAccepts)
	}},
	{pathAutoDelete, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		del := c.Schedule.AutoDelete
		return strconv.FormatBool(del != nil && *del), unless(del == nil || c.Schedule.Frequency == Once, "it goes with Once only")
	}},
	{pathIncrementalFrequency, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		if c.Incremental == nil {
			return "", ""
		}
		n := c.Incremental.Frequency
		return decimal(n), unless(n == IncrementalWindow, "expected 600")
	}},
	{pathIncrementalField, "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		if c.Incremental == nil {
			return "", ""
		}
		return brokenField(c.Incremental.OptionalFields, ParseIncrementalField)
	}},
	{pathVersions, ec(45), func(c *InventoryConfiguration, r *InventoryRules) (string, string) {
		v := c.IncludedObjectVersions
		return string(v), unless(v != AllVersions || r.Versioned || !r.StrictVersions, "expected Current, as versioning of the bucket is not enabled")
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
	bucketAccepts     = "expected acs:oss:::<bucket>"
	dayOfMonthAccepts = "expected 1 to 31, and Monthly"
)

func filterTime(t int64) (value, reason string) {
	return decimal(t), unless(t == 0 || MinFilterTime <= t && t <= MaxFilterTime, "expected "+decimal(MinFilterTime)+" to "+decimal(MaxFilterTime))
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
			return f.String(), "expected a name of a field"
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
		return p, "expected up to " + strconv.Itoa(MaxDestinationPrefixLength) + " bytes"
	case c.Incremental != nil && c.Incremental.IsEnabled && utf8.RuneCountInString(p) > MaxIncrementalDestinationPrefixLength:
		return p, "expected up to " + strconv.Itoa(MaxIncrementalDestinationPrefixLength) + " characters with incremental reports"
	case strings.HasPrefix(p, "/"):
		return p, "it starts with a /"
	case !fitsXML(p) || strings.ContainsFunc(p, unicode.IsControl) || strings.ContainsAny(p, `%&$@^*!#\?<>|"':;,()[]{}`+"`"):
		return p, "expected letters, digits, blanks and any of -_./=+~"
	}
	return "", ""
}

func validKMSKeyID(id string) bool {
	return len(id) <= maxKMSKeyIDLength && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// ec writes an OSS diagnostic code of the inventory operations.
func ec(n int) string { return ecs[n] }

// ecs are the codes that there are: they are looked up for each element read.
var ecs = func() (codes [46]string) {
	for n := range codes {
		codes[n] = fmt.Sprintf("0020-%08d", n)
	}
	return codes
}()

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
