package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
)

// The names of the files of a report that are not shards. manifest.json is
// written last: its existence means that the report is complete.
const (
	ManifestName = "manifest.json"
	ChecksumName = "manifest.checksum"
	SummaryName  = "manifest.summary"
	RollupName   = "manifest.rollup"
	SymlinkName  = "symlink.txt" // in a directory of its own, see [Location.Symlink]
)

// A Location is the place of the reports of one configuration in a destination
// bucket.
type Location struct {
	Prefix        string // of the configuration's destination, taken literally; may be empty
	Bucket        string // the source
	Configuration string // its id
}

// Base returns the prefix of every key of the location. With a destination
// prefix that ends in '/' it contains a double slash, as with OSS.
func (l Location) Base() string {
	base := l.Bucket + "/" + l.Configuration + "/"
	if l.Prefix == "" {
		return base
	}
	return l.Prefix + "/" + base
}

// Data returns the prefix of the shards of all reports of the location.
func (l Location) Data() string { return l.Base() + "data/" }

// Symlink returns the key of the list of shards that makes the report with the
// directory of minute t a partition of a table of Hive, Athena or Trino.
//
// Source: Amazon S3 user guide, Querying Amazon S3 Inventory with Athena.
func (l Location) Symlink(t time.Time) string { return symlinkKey(l.Base(), t) }

// symlinkKey returns the key of the list of shards of a report below base.
func symlinkKey(base string, t time.Time) string {
	return base + "hive/dt=" + t.UTC().Format("2006-01-02-15-04") + "/" + SymlinkName
}

// SymlinkText returns the content of symlink.txt: the address of each shard.
// address is what stands before keys, such as "oss://reports/".
func SymlinkText(address string, files []stocktake.SummaryFile) (text []byte) {
	for _, f := range files {
		text = append(append(append(text, address...), f.Key...), '\n')
	}
	return text
}

// LongestKey returns the length in bytes of the longest key of a report of the
// location: that of the millionth shard of a segment.
func (l Location) LongestKey(f Format) int {
	const name = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx-1000000"
	return len(l.Data()) + len(name) + len(f.Suffix())
}

// CheckKeys returns a [*stocktake.InvalidArgumentError] if a report of the location
// would have keys that are longer than any object's may be.
func (l Location) CheckKeys(f Format) error {
	if n := l.LongestKey(f); n > stocktake.MaxKeyLength {
		return l.tooLong(n)
	}
	return nil
}

func (l Location) tooLong(n int) error {
	return &stocktake.InvalidArgumentError{
		Element: "Destination/OSSBucketDestination/Prefix", Value: l.Prefix[:min(len(l.Prefix), 200)],
		Reason: fmt.Sprintf("with it the keys of a report have up to %d bytes, more than %d", n, stocktake.MaxKeyLength),
	}
}

// Directory returns the prefix of the manifest of a report whose scan began at t,
// which counts in whole minutes.
func (l Location) Directory(t time.Time) string {
	return l.Base() + t.UTC().Format(directoryLayout) + "/"
}

const directoryLayout = "2006-01-02T15-04Z"

// directory parses a key in the directory of a report. name is the part of the
// key after the directory.
func (l Location) directory(key string) (t time.Time, name string, ok bool) {
	rest, ok := strings.CutPrefix(key, l.Base())
	if !ok {
		return time.Time{}, "", false
	}
	dir, name, ok := strings.Cut(rest, "/")
	if !ok {
		return time.Time{}, "", false
	}
	t, err := time.Parse(directoryLayout, dir)
	return t, name, err == nil
}
