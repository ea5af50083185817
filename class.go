package stocktake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// StorageClass is the storage class of an object, which decides its price. The zero value is
// Standard of OSS.
//
// In addition to the classes of OSS there are those of S3, and custom classes of other stores. They
// keep their own names: a report of a bucket of S3 has STANDARD, not Standard. The numbers of
// custom classes differ from process to process, so only names are stored. See [StorageClassOf].
type StorageClass uint8

// The storage classes of OSS, in the order of their price per stored byte.
const (
	Standard StorageClass = iota
	IA
	Archive
	ColdArchive
	DeepColdArchive
	NumStorageClasses = iota // how many OSS has
)

// The storage classes of S3.
//
// Source: Amazon S3 API reference, Object, StorageClass.
const (
	S3Standard StorageClass = NumStorageClasses + iota
	S3ReducedRedundancy
	S3StandardIA
	S3OneZoneIA
	S3IntelligentTiering
	S3GlacierIR
	S3Glacier
	S3DeepArchive
	S3Outposts
	S3Snow
	S3ExpressOneZone
	S3FSxOpenZFS
	S3FSxONTAP
	numNamedClasses = NumStorageClasses + iota
)

var storageClassNames = [numNamedClasses]string{
	"Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive",
	"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE",
	"OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP",
}

// ofOSS reports whether c is a class of OSS.
func (c StorageClass) ofOSS() bool { return c < NumStorageClasses }

// String returns the name that the store uses.
func (c StorageClass) String() string {
	if c < numNamedClasses {
		return storageClassNames[c]
	}
	return madeUpClasses.name(c)
}

// ParseStorageClass returns the class of OSS that String calls s; names are
// case-sensitive, as in OSS.
func ParseStorageClass(s string) (StorageClass, bool) {
	i, ok := index(storageClassNames[:NumStorageClasses], s)
	return StorageClass(i), ok
}

// CompareStorageClasses orders names of classes: those of OSS, then those of S3,
// both in the order of their constants, then all others by name.
func CompareStorageClasses(a, b string) int {
	return cmp.Or(cmp.Compare(classRank(a), classRank(b)), cmp.Compare(a, b))
}

func classRank(name string) int {
	for i, n := range storageClassNames {
		if n == name {
			return i
		}
	}
	return numNamedClasses
}

// alike returns the classes that a filter for c selects: for a class of OSS also
// those of S3 that are like it.
func (c StorageClass) alike() []StorageClass {
	switch c {
	case Standard:
		return []StorageClass{Standard, S3Standard}
	case IA:
		return []StorageClass{IA, S3StandardIA, S3OneZoneIA, S3GlacierIR}
	case Archive:
		return []StorageClass{Archive, S3Glacier}
	case ColdArchive, DeepColdArchive:
		return []StorageClass{c, S3DeepArchive}
	}
	return []StorageClass{c}
}

// MarshalText returns String, for package encoding. A class that does not exist is
// an error.
func (c StorageClass) MarshalText() ([]byte, error) {
	name := c.String()
	if name == unknownName {
		return nil, fmt.Errorf("unknown storage class %d", uint8(c))
	}
	return []byte(name), nil
}

// UnmarshalText sets c to the class that [FilterStorageClass] returns.
func (c *StorageClass) UnmarshalText(text []byte) error {
	parsed, ok := FilterStorageClass(string(text))
	if !ok {
		return fmt.Errorf("unknown storage class %.40q", text)
	}
	*c = parsed
	return nil
}

// MaxStorageClassLength is the longest name of a storage class, in bytes.
const MaxStorageClassLength = 40

// A process knows at most this many names of custom classes. Names from documents and reports,
// which strangers write, may use half of the places; the other half is reserved for names that
// stores list.
const (
	maxMadeUpClasses = 255 - numNamedClasses
	maxReadClasses   = maxMadeUpClasses / 2
)

// madeUpClasses are the names of custom classes: neither of OSS nor of S3.
var madeUpClasses classNames

// classNames number names from numNamedClasses on. Names are only added, so
// readers take no lock.
type classNames struct {
	adding sync.Mutex
	names  atomic.Pointer[[]string]
}

func (n *classNames) list() []string {
	if p := n.names.Load(); p != nil {
		return *p
	}
	return nil
}

func (n *classNames) name(c StorageClass) string {
	if names, i := n.list(), int(c)-numNamedClasses; i < len(names) {
		return names[i]
	}
	return unknownName
}

// number returns the class called name. It adds a legal name if fewer than most
// classes are known.
func (n *classNames) number(name []byte, most int) (StorageClass, bool) {
	if c, ok := n.find(name); ok {
		return c, true
	}
	if !isClassName(name) {
		return 0, false
	}
	n.adding.Lock()
	defer n.adding.Unlock()
	if c, ok := n.find(name); ok {
		return c, true
	}
	names := n.list()
	if len(names) >= most {
		return 0, false
	}
	names = append(slices.Clone(names), string(name))
	n.names.Store(&names)
	return StorageClass(numNamedClasses + len(names) - 1), true
}

func (n *classNames) find(name []byte) (StorageClass, bool) {
	for i, known := range n.list() {
		if known == string(name) {
			return StorageClass(numNamedClasses + i), true
		}
	}
	return 0, false
}

// isClassName reports whether name can be one of a class: letters, digits, and
// any of _-.: after the first. All reports and documents can hold it as it is.
func isClassName(name []byte) bool {
	if len(name) == 0 || len(name) > MaxStorageClassLength || string(name) == unknownName || string(name) == allClasses {
		return false
	}
	for i, c := range name {
		switch {
		case c-'0' < 10, c|0x20-'a' < 26, i > 0 && (c == '_' || c == '-' || c == '.' || c == ':'):
		default:
			return false
		}
	}
	return true
}

// StorageClassOf returns the class with the name that a report has. It adds names of custom
// classes, such as those of Ceph's placement targets. ok is false if name is not a legal name, or
// if too many are known.
func StorageClassOf(name []byte) (c StorageClass, ok bool) {
	if c, ok = named(name); ok {
		return c, true
	}
	return madeUpClasses.number(name, maxReadClasses)
}

// FilterStorageClass does what StorageClassOf does for names that people write. The name of a
// custom class must be in capitals, as is the convention, and may not differ from a class of OSS or
// S3 only by its case: a misspelled class of OSS would select nothing.
func FilterStorageClass(name string) (c StorageClass, ok bool) {
	if c, ok = named([]byte(name)); ok {
		return c, true
	}
	if strings.ToUpper(name) != name {
		return 0, false
	}
	for i := range storageClassNames {
		if strings.EqualFold(storageClassNames[i], name) {
			return 0, false
		}
	}
	return StorageClassOf([]byte(name))
}

// ListedStorageClass does what StorageClassOf does for the listing of a store, which may add a name
// after documents have used up their half of the places.
func ListedStorageClass(name []byte) (c StorageClass, ok bool) {
	if c, ok = named(name); ok {
		return c, true
	}
	return madeUpClasses.number(name, maxMadeUpClasses)
}

func named(name []byte) (StorageClass, bool) {
	for i := range storageClassNames {
		if storageClassNames[i] == string(name) {
			return StorageClass(i), true
		}
	}
	return 0, false
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

// unknownName returns what String returns for a number without a name.
const unknownName = "unknown"

func name(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return unknownName
}

func index(names []string, s string) (uint8, bool) {
	for i, n := range names {
		if n == s {
			return uint8(i), true
		}
	}
	return 0, false
}
