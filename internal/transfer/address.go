package transfer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stocktake/stocktake"
)

// ErrBucketName says which names a bucket can have.
var ErrBucketName = errors.New("the name of a bucket has 3 to 63 of a to z, 0 to 9 and '-', and '-' at neither end")

// An Address is an oss://BUCKET/KEY address of a command line.
type Address struct{ Bucket, Key string }

// ParseAddress parses oss://BUCKET/KEY. The key may be empty; the bucket must be
// valid.
func ParseAddress(s string) (Address, error) {
	rest, ok := strings.CutPrefix(s, "oss://")
	if !ok {
		return Address{}, fmt.Errorf("%q: an object is at oss://BUCKET/KEY", s)
	}
	bucket, key, _ := strings.Cut(rest, "/")
	if !stocktake.ValidBucketName(bucket) {
		return Address{}, fmt.Errorf("%q: %w", s, ErrBucketName)
	}
	return Address{bucket, key}, nil
}

// String returns the address in the form that ParseAddress parses.
func (a Address) String() string { return "oss://" + a.Bucket + "/" + a.Key }

// IsFolder reports whether a stands for a prefix rather than one key.
func (a Address) IsFolder() bool { return a.Key == "" || strings.HasSuffix(a.Key, "/") }

// Folder returns a as a prefix that ends at the end of a path element.
func (a Address) Folder() Address {
	if !a.IsFolder() {
		a.Key += "/"
	}
	return a
}

// FolderOrAll returns a as a prefix. If a has no key, it is the whole bucket.
func (a Address) FolderOrAll() Address {
	if a.Key == "" {
		return a
	}
	return a.Folder()
}

// Below returns the key of name below the prefix a.
func (a Address) Below(name string) Address {
	a.Key += name
	return a
}
