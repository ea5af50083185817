package stocktake

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidBucketName reports whether name may name a bucket: 3 to 63 of a-z, 0-9
// and '-', with a letter or digit at both ends.
//
// Source: OSS developer guide, bucket naming conventions.
func ValidBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ValidS3BucketName reports whether name may name a bucket of an S3 service: 3 to
// 63 of a-z, 0-9, '-', '.' and '_', with a letter or digit at both ends and no two
// dots in a row.
//
// Source: Amazon S3 user guide, bucket naming rules; '_' is of older buckets and
// of other services.
func ValidS3BucketName(name string) bool {
	return len(name) >= 3 && len(name) <= 63 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") == "" &&
		!strings.ContainsAny(name[:1]+name[len(name)-1:], "-._") && !strings.Contains(name, "..")
}

// MaxKeyLength is the longest object name, in bytes of UTF-8.
const MaxKeyLength = 1023

// ValidKey reports whether key may name an object: 1 to [MaxKeyLength] bytes
// of UTF-8 that do not start with '/' or '\'.
//
// Source: OSS developer guide, object naming conventions.
func ValidKey(key string) bool {
	return key != "" && len(key) <= MaxKeyLength && key[0] != '/' && key[0] != '\\' && utf8.ValidString(key)
}

// ValidInventoryID reports whether id may name a new configuration: 1 to [MaxInventoryIDLength]
// characters of UTF-8. Because it also names the folder of the reports, it is one path element: it
// has no '/' and no control characters, and is neither "." nor "..". Configurations of earlier
// versions may have other ids.
//
// Source: OSS API reference, error 0020-00000044, for the length; the rest is
// ours, since with a '/' two configurations could share a folder.
func ValidInventoryID(id string) bool {
	return id != "" && id != "." && id != ".." && utf8.RuneCountInString(id) <= MaxInventoryIDLength &&
		validText(id) && !strings.ContainsFunc(id, func(r rune) bool { return r == '/' || unicode.IsControl(r) })
}

const bucketARNPrefix = "acs:oss:::"

// BucketARN returns a bucket name in the form that a destination uses: "acs:oss:::name".
func BucketARN(name string) string { return bucketARNPrefix + name }

// ParseBucketARN returns the name part of "acs:oss:::name". The name may
// still be an illegal bucket name.
func ParseBucketARN(arn string) (name string, ok bool) {
	name, ok = strings.CutPrefix(arn, bucketARNPrefix)
	return name, ok && name != "" && !strings.Contains(name, ":")
}

// ParseRoleARN splits "acs:ram::uid:role/name".
func ParseRoleARN(arn string) (uid, name string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "acs:ram::")
	if !ok {
		return "", "", false
	}
	uid, name, ok = strings.Cut(rest, ":role/")
	return uid, name, ok && ValidAccountID(uid) && validRoleName(name)
}

// ValidAccountID reports whether id is a decimal account id (UID), of at most
// 32 digits.
func ValidAccountID(id string) bool {
	if id == "" || len(id) > 32 {
		return false
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return true
}

// validRoleName follows RAM: 1 to 64 letters, digits, '.', '-', '_'.
func validRoleName(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// String returns the name in a configuration, such as "Crc64"; empty for a
// field that does not exist.
func (f Field) String() string {
	if f < numFields {
		return columns[f].Name
	}
	return ""
}

// MarshalText returns String, for package encoding. A field that does not exist
// is an error.
func (f Field) MarshalText() ([]byte, error) {
	if f.String() == "" {
		return nil, fmt.Errorf("unknown field %d", uint8(f))
	}
	return []byte(f.String()), nil
}

// UnmarshalText sets f to the field that String calls text.
func (f *Field) UnmarshalText(text []byte) error {
	parsed, ok := parseField(string(text), func(*Column) bool { return true })
	if !ok {
		return fmt.Errorf("field %.40q is unknown", text)
	}
	*f = parsed
	return nil
}

// ParseOptionalField returns the field of full reports that OptionalFields
// calls name; names are case-sensitive.
func ParseOptionalField(name string) (Field, bool) {
	return parseField(name, func(c *Column) bool { return c.Full == Optional })
}

// ParseIncrementalField returns the field of incremental reports that
// IncrementalInventory/OptionalFields calls name.
func ParseIncrementalField(name string) (Field, bool) {
	return parseField(name, func(c *Column) bool { return c.Incremental == Optional })
}

func parseField(name string, allowed func(*Column) bool) (Field, bool) {
	for f := FieldBucket; f < numFields; f++ {
		if c := &columns[f]; c.Name == name && allowed(c) {
			return f, true
		}
	}
	return 0, false
}

// ParseColumn returns the column that a manifest calls name. Both the name in a
// manifest and that in a configuration are accepted.
func ParseColumn(name string) (Field, bool) {
	for f := FieldBucket; f < numFields; f++ {
		if c := f.Column(); c.Name == name || c.SchemaName == name {
			return f, true
		}
	}
	return 0, false
}
