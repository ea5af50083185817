package stocktake

import "fmt"

// StorageClass is where an object is kept. The zero value is Standard.
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

// String is the name OSS uses.
func (c StorageClass) String() string { return name(storageClassNames[:], uint8(c)) }

// ParseStorageClass is the inverse of String; it is case-sensitive, as OSS is.
func ParseStorageClass(s string) (StorageClass, bool) {
	i, ok := index(storageClassNames[:], s)
	return StorageClass(i), ok
}

// MarshalText is String for package encoding; it refuses what is no class.
func (c StorageClass) MarshalText() ([]byte, error) {
	if c >= NumStorageClasses {
		return nil, fmt.Errorf("storage class %d is unknown", uint8(c))
	}
	return []byte(c.String()), nil
}

// UnmarshalText is ParseStorageClass for package encoding.
func (c *StorageClass) UnmarshalText(text []byte) error {
	parsed, ok := ParseStorageClass(string(text))
	if !ok {
		return fmt.Errorf("storage class %.40q is unknown", text)
	}
	*c = parsed
	return nil
}

// ObjectType is how an object came to be. The zero value is Normal.
type ObjectType uint8

// The object types of OSS.
const (
	Normal ObjectType = iota
	Multipart
	Appendable
	Symlink
)

var objectTypeNames = [...]string{"Normal", "Multipart", "Appendable", "Symlink"}

// String is the name OSS uses in x-oss-object-type.
func (t ObjectType) String() string { return name(objectTypeNames[:], uint8(t)) }

// ACL is who may reach an object or a bucket. The zero value, DefaultACL, is
// the bucket's own for an object and is not used for buckets.
type ACL uint8

// The ACLs of OSS.
const (
	DefaultACL ACL = iota
	Private
	PublicRead
	PublicReadWrite
)

var aclNames = [...]string{"default", "private", "public-read", "public-read-write"}

// String is the name OSS uses in x-oss-acl and x-oss-object-acl.
func (a ACL) String() string { return name(aclNames[:], uint8(a)) }

// ParseACL is the inverse of String.
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
