package main

import (
	"strings"

	"github.com/stocktake/stocktake"
)

// An objectAddress is oss://BUCKET/KEY as it is written on a command line.
type objectAddress struct{ bucket, key string }

// parseAddress reads oss://BUCKET/KEY; the key may be empty.
func parseAddress(s string) (objectAddress, error) {
	rest, ok := strings.CutPrefix(s, "oss://")
	if !ok {
		return objectAddress{}, usagef("%q: an object is at oss://BUCKET/KEY", s)
	}
	bucket, key, _ := strings.Cut(rest, "/")
	if !stocktake.ValidBucketName(bucket) {
		return objectAddress{}, usagef("%q: %w", s, errBucketName)
	}
	return objectAddress{bucket, key}, nil
}

func (a objectAddress) String() string { return "oss://" + a.bucket + "/" + a.key }

// isFolder reports whether a stands for a prefix rather than one key.
func (a objectAddress) isFolder() bool { return a.key == "" || strings.HasSuffix(a.key, "/") }

// folder returns a as a prefix that ends at the end of a path element.
func (a objectAddress) folder() objectAddress {
	if !a.isFolder() {
		a.key += "/"
	}
	return a
}

// below returns the key of name below the prefix a.
func (a objectAddress) below(name string) objectAddress {
	a.key += name
	return a
}
