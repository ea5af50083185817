package stocktake

import "fmt"

// StorageClass is how an object is stored, and what that costs. The zero value is Standard.
type StorageClass uint8

// The storage classes of OSS, in the order of their price per stored byte.
const (
	Standard StorageClass = iota
	IA
	Archive
	ColdArchive
	DeepColdArchive
	NumStorageClasses = iota // how many there are
)

var storageClassNames = [...]string{"Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"}

// String returns the name that OSS uses.
func (c StorageClass) String() string { return name(storageClassNames[:], uint8(c)) }

// ParseStorageClass returns the class that String calls s; names are
// case-sensitive, as in OSS.
func ParseStorageClass(s string) (StorageClass, bool) {
	i, ok := index(storageClassNames[:], s)
	return StorageClass(i), ok
}

// NearestStorageClass returns the class of OSS that comes nearest to a class of
// OSS or of S3, and whether name is one of either; if it is not, Standard.
//
// Source: Amazon S3 API reference, Object, StorageClass.
func NearestStorageClass(name []byte) (c StorageClass, known bool) {
	switch string(name) {
	case "STANDARD", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP":
		return Standard, true
	case "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR":
		return IA, true
	case "GLACIER":
		return Archive, true
	case "DEEP_ARCHIVE":
		return ColdArchive, true
	}
	for i, n := range storageClassNames {
		if string(name) == n {
			return StorageClass(i), true
		}
	}
	return Standard, false
}

// MarshalText returns String, for package encoding. A class that does not exist is
// an error.
func (c StorageClass) MarshalText() ([]byte, error) {
	if c >= NumStorageClasses {
		return nil, fmt.Errorf("storage class %d is unknown", uint8(c))
	}
	return []byte(c.String()), nil
}

// UnmarshalText sets c to the class that String calls text.
func (c *StorageClass) UnmarshalText(text []byte) error {
	parsed, ok := ParseStorageClass(string(text))
	if !ok {
		return fmt.Errorf("storage class %.40q is unknown", text)
	}
	*c = parsed
	return nil
}

// ObjectType is how an object was made. The zero value is Normal.
type ObjectType uint8

// The object types of OSS.
const (
	Normal ObjectType = iota
	Multipart
	Appendable
	Symlink
)

var objectTypeNames = [...]string{"Normal", "Multipart", "Appendable", "Symlink"}

// String returns the name that OSS uses in x-oss-object-type.
func (t ObjectType) String() string { return name(objectTypeNames[:], uint8(t)) }

// ACL says who may read and write an object or a bucket. With the zero value,
// DefaultACL, an object has the ACL of its bucket; buckets do not use it.
type ACL uint8

// The ACLs of OSS.
const (
	DefaultACL ACL = iota
	Private
	PublicRead
	PublicReadWrite
)

var aclNames = [...]string{"default", "private", "public-read", "public-read-write"}

// String returns the name that OSS uses in x-oss-acl and x-oss-object-acl.
func (a ACL) String() string { return name(aclNames[:], uint8(a)) }

// ParseACL returns the ACL that String calls s.
func ParseACL(s string) (ACL, bool) {
	i, ok := index(aclNames[:], s)
	return ACL(i), ok
}

func name(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return "unknown"
}

func index(names []string, s string) (uint8, bool) {
	for i, n := range names {
		if n == s {
			return uint8(i), true
		}
	}
	return 0, false
}
