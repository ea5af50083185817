package stocktake

import (
	"cmp"
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

// InventoryRules has what the rules of PutBucketInventory depend on, in addition to the
// configuration. With the zero value only the configuration is checked, as a client does before it
// sends one.
type InventoryRules struct {
	ID        string // inventoryId of the request, which the configuration must repeat; empty: any
	AccountID string // owner of the source bucket, who must own the destination; empty: any

	// StrictVersions refuses IncludedObjectVersions All unless Versioned. The
	// documentation of OSS says so (EC 0020-00000045), but the service accepts it,
	// and the integration tests of every SDK rely on that.
	StrictVersions bool
	Versioned      bool // versioning of the source bucket is enabled

	// OSSClasses refuses storage classes in the filter that OSS does not have. It is set for all
	// buckets except those of S3 stores.
	OSSClasses bool
}

// Validate checks c against the rules of PutBucketInventory, in their order, and
// returns the first one that is broken as an [*InvalidArgumentError].
//
// A caller that read c from a document passes the texts that c cannot represent, made by
// [Unreadable]. Each breaks the first rule of its element.
//
// Validate makes the checks that need no server. The server checks that the destination exists in
// the same account and region, that the id is free, and that incremental reports are offered. Time
// bounds in the future are legal, and so is a single bound.
func (c *InventoryConfiguration) Validate(rules InventoryRules, unreadable ...*InvalidArgumentError) error {
	for i := range inventoryRules {
		r := &inventoryRules[i]
		for _, err := range unreadable {
			if err.Element == r.element {
				return err
			}
		}
		if value, reason := r.broken(c, &rules); reason != "" {
			return invalid(r.element, r.ec, value, reason)
		}
	}
	return nil
}

// Unreadable returns the error for a text that the element of a document has and
// an InventoryConfiguration cannot hold, such as the name of an unknown field.
// element is a path below InventoryConfiguration.
func Unreadable(element, text string) *InvalidArgumentError {
	for i := range inventoryRules {
		if r := &inventoryRules[i]; r.element == element {
			return invalid(element, r.ec, text, r.accepts)
		}
	}
	return invalid(element, "", text, "")
}

// An inventoryRule is one rule of PutBucketInventory.
type inventoryRule struct {
	element string // path below InventoryConfiguration
	ec      string // OSS diagnostic code; empty where none is known
	accepts string // the reason given for a text that a configuration cannot hold

	// broken returns the value that breaks the rule and the reason. An empty reason means that the
	// rule holds.
	broken func(*InventoryConfiguration, *InventoryRules) (value, reason string)
}

const destinationPath = "Destination/OSSBucketDestination/"

// inventoryRules are the rules in the order of the checks: the id, the contents of the report, and
// last the destination bucket, because the checks of the server follow. An unknown EC is empty.
//
// Source: OSS documentation, error codes 0020-00000020 to 0020-00000045.
var inventoryRules = []inventoryRule{
	{"Id", "0020-00000044", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.ID, unless(c.ID != "", "it is empty")
	}},
	{"Id", "0020-00000043", "", func(c *InventoryConfiguration, r *InventoryRules) (string, string) {
		return c.ID, unless(r.ID == "" || r.ID == c.ID, "it differs from inventoryId")
	}},
	{"Id", "0020-00000044", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.ID, unless(ValidInventoryID(c.ID), "expected 1 to 192 characters of UTF-8 that can name a folder: no /, no control character, not . or ..")
	}},
	{"Filter/Prefix", "0020-00000020", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.Filter.Prefix, unless(len(c.Filter.Prefix) <= MaxKeyLength && validText(c.Filter.Prefix), "expected up to 1023 bytes of UTF-8 that XML can carry")
	}},
	{"Filter/LastModifyBeginTimeStamp", "0020-00000021", timesAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return filterTime(c.Filter.LastModifyBeginTimeStamp)
	}},
	{"Filter/LastModifyEndTimeStamp", "0020-00000023", timesAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return filterTime(c.Filter.LastModifyEndTimeStamp)
	}},
	{"Filter/LastModifyBeginTimeStamp", "0020-00000022", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		begin, end := c.Filter.LastModifyBeginTimeStamp, c.Filter.LastModifyEndTimeStamp
		return decimal(begin), unless(end == 0 || begin <= end, "expected at most LastModifyEndTimeStamp")
	}},
	{"Filter/UpperSizeBound", "0020-00000024", upperAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		upper := c.Filter.UpperSizeBound
		return decimal(upper), unless(0 <= upper && upper <= MaxObjectSize, upperAccepted)
	}},
	{"Filter/LowerSizeBound", "0020-00000025", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		lower, most := c.Filter.LowerSizeBound, cmp.Or(c.Filter.UpperSizeBound, MaxObjectSize)
		return decimal(lower), unless(0 <= lower && lower <= most, "expected 0 to "+decimal(most))
	}},
	{"Filter/StorageClass", "0020-00000026", classesAccepted, brokenStorageClass},
	{destinationPath + "Format", "0020-00000027", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return c.Destination.Format, unless(c.Destination.Format == FormatCSV || c.Destination.Format == FormatParquet, "expected CSV or Parquet")
	}},
	{destinationPath + "AccountId", "0020-00000028", "", func(c *InventoryConfiguration, r *InventoryRules) (string, string) {
		id := c.Destination.AccountID
		return id, unless(ValidAccountID(id) && (r.AccountID == "" || r.AccountID == id), "expected the id of the account that owns the bucket")
	}},
	{destinationPath + "RoleArn", "0020-00000029", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		uid, _, ok := ParseRoleARN(c.Destination.RoleARN)
		return c.Destination.RoleARN, unless(ok && uid == c.Destination.AccountID, "expected acs:ram::<AccountId>:role/<name>")
	}},
	{destinationPath + "Prefix", "0020-00000034", "", brokenDestinationPrefix},
	{destinationPath + "Encryption/SSE-OSS/KeyId", "0020-00000035", ossKeyAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return e.KeyID, unless(e.KeyID == "" || !e.SSEOSS || e.SSEKMS, ossKeyAccepted)
	}},
	{destinationPath + "Encryption", "0020-00000016", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return "", unless(!e.SSEOSS || !e.SSEKMS, "expected one of SSE-OSS and SSE-KMS")
	}},
	{destinationPath + "Encryption/SSE-KMS/KeyId", "", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		e := c.Destination.Encryption
		return e.KeyID, unless(e.KeyID == "" || e.SSEKMS && validKMSKeyID(e.KeyID), "expected the id of a KMS key")
	}},
	{"OptionalFields/Field", "0020-00000036", fieldAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		return brokenField(c.OptionalFields, ParseOptionalField)
	}},
	{"IncludedObjectVersions", "0020-00000037", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		v := c.IncludedObjectVersions
		return string(v), unless(v == AllVersions || v == CurrentVersions, "expected All or Current")
	}},
	{"Schedule/Frequency", "0020-00000038", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		f := c.Schedule.Frequency
		return string(f), unless(f == Daily || f == Weekly || f == Monthly || f == Once, "expected Daily, Weekly, Monthly or Once")
	}},
	{"Schedule/DayOfMonth", "", dayAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		day := c.Schedule.DayOfMonth
		return strconv.Itoa(day), unless(day == 0 || 1 <= day && day <= 31 && c.Schedule.Frequency == Monthly, dayAccepted)
	}},
	{"Schedule/AutoDelete", "", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		del := c.Schedule.AutoDelete
		return strconv.FormatBool(del != nil && *del), unless(del == nil || c.Schedule.Frequency == Once, "it goes with Once only")
	}},
	{"IncrementalInventory/Schedule/Frequency", "", windowAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		if c.Incremental == nil {
			return "", ""
		}
		n := c.Incremental.Frequency
		return decimal(n), unless(n == IncrementalWindow, windowAccepted)
	}},
	{"IncrementalInventory/OptionalFields/Field", "", fieldAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		if c.Incremental == nil {
			return "", ""
		}
		return brokenField(c.Incremental.OptionalFields, ParseIncrementalField)
	}},
	{"IncludedObjectVersions", "0020-00000045", "", func(c *InventoryConfiguration, r *InventoryRules) (string, string) {
		v := c.IncludedObjectVersions
		return string(v), unless(v != AllVersions || r.Versioned || !r.StrictVersions, "expected Current, as versioning of the bucket is not enabled")
	}},
	{destinationPath + "Bucket", "0020-00000030", bucketAccepted, func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		arn := BucketARN(c.Destination.Bucket)
		_, ok := ParseBucketARN(arn)
		return arn, unless(ok, bucketAccepted)
	}},
	{destinationPath + "Bucket", "0020-00000031", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		n := len(c.Destination.Bucket)
		return BucketARN(c.Destination.Bucket), unless(3 <= n && n <= 63, "the name of a bucket has 3 to 63 characters")
	}},
	{destinationPath + "Bucket", "0020-00000032", "", func(c *InventoryConfiguration, _ *InventoryRules) (string, string) {
		name := c.Destination.Bucket // only the server knows which are of S3 stores
		return BucketARN(name), unless(ValidBucketName(name) || ValidS3BucketName(name), "the name of a bucket is a-z, 0-9 and -, with no - at its ends; of a bucket of an S3 store also . and _")
	}},
}

// What the rules accept, where a document can hold a text that no configuration
// can.
const (
	timesAccepted   = "expected 1262275200 to 253402271999"
	upperAccepted   = "expected 1 to 54975581388800"
	classesAccepted = "expected All, or a list of Standard, IA, Archive, ColdArchive and DeepColdArchive with commas and no blanks"
	ossKeyAccepted  = "SSE-OSS takes no key"
	fieldAccepted   = "expected a name of a field"
	dayAccepted     = "expected 1 to 31, and Monthly"
	windowAccepted  = "expected 600"
	bucketAccepted  = "expected acs:oss:::<bucket>"
)

func filterTime(t int64) (value, reason string) {
	return decimal(t), unless(t == 0 || MinFilterTime <= t && t <= MaxFilterTime, timesAccepted)
}

func brokenStorageClass(c *InventoryConfiguration, r *InventoryRules) (value, reason string) {
	if c.Filter.AllClasses && len(c.Filter.StorageClass) > 0 {
		return allClasses, classesAccepted
	}
	for _, class := range c.Filter.StorageClass {
		if !class.ofOSS() && (r.OSSClasses || class.String() == unknownName) {
			return c.Filter.StorageClasses(), classesAccepted
		}
	}
	return "", ""
}

// brokenField returns the first field that parse does not accept by its name.
func brokenField(fields []Field, parse func(string) (Field, bool)) (value, reason string) {
	for _, f := range fields {
		if _, ok := parse(f.String()); !ok {
			return f.String(), fieldAccepted
		}
	}
	return "", ""
}

// brokenDestinationPrefix refuses special characters. The example of the
// documentation is %&$@i^*!@#$%^&*; the exact set is ours.
func brokenDestinationPrefix(c *InventoryConfiguration, _ *InventoryRules) (value, reason string) {
	p := c.Destination.Prefix
	switch {
	case len(p) > MaxDestinationPrefixLength:
		return p, "expected up to " + strconv.Itoa(MaxDestinationPrefixLength) + " bytes"
	case c.Incremental != nil && c.Incremental.IsEnabled && utf8.RuneCountInString(p) > MaxIncrementalDestinationPrefixLength:
		return p, "expected up to " + strconv.Itoa(MaxIncrementalDestinationPrefixLength) + " characters with incremental reports"
	case strings.HasPrefix(p, "/"):
		return p, "it starts with a /"
	case !validText(p) || strings.ContainsFunc(p, unicode.IsControl) || strings.ContainsAny(p, `%&$@^*!#\?<>|"':;,()[]{}`+"`"):
		return p, "expected letters, digits, blanks and any of -_./=+~"
	}
	return "", ""
}

func validKMSKeyID(id string) bool {
	return len(id) <= maxKMSKeyIDLength && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func unless(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}

// invalid returns an error that keeps at most 200 bytes of the value.
func invalid(element, ec, value, reason string) *InvalidArgumentError {
	const most = 200
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "")
	}
	return &InvalidArgumentError{Element: element, Value: value, EC: ec, Reason: reason}
}

// validText reports whether text is UTF-8 and has only characters that every
// client can read in a document of the API.
//
// Source: XML 1.0, section 2.2.
func validText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}
