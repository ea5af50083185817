package rollup

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/csvrow"
)

// Version is the version of manifest.rollup.
const Version = 1

// Bounds of a roll-up, and so of its memory.
const (
	// DefaultDepth is the default number of segments of a prefix.
	DefaultDepth = 4
	// MaxDepth is the greatest depth.
	MaxDepth = 16
	// TopPrefixes is how many prefixes are kept by bytes. As many are kept by number
	// of objects.
	TopPrefixes = 1000
	// MaxExtensions is the most extensions that are kept.
	MaxExtensions = 512
	// MaxLargest is the most objects in Largest.
	MaxLargest = 100
	// MaxSize bounds a manifest.rollup that is read, in bytes. One that this package
	// writes with the longest keys has some 8 MiB.
	MaxSize = 16 << 20

	// maxCommas bounds the values of a roll-up. It is more than any roll-up has, and
	// few enough to need only tens of megabytes.
	maxCommas = 1 << 18
)

// A Key is an object key or a prefix of one; in JSON it is percent-encoded, as
// in manifest.summary.
type Key string

// MarshalText implements [encoding.TextMarshaler].
func (k Key) MarshalText() ([]byte, error) { return csvrow.AppendKey(nil, []byte(k)), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *Key) UnmarshalText(text []byte) error {
	raw, err := csvrow.AppendUnescaped(nil, text)
	*k = Key(raw)
	return err
}

// A Rollup holds the totals of a report, or of a part of one. Its JSON form is
// manifest.rollup.
type Rollup struct {
	Version       int       `json:"version"`
	Bucket        string    `json:"bucket,omitempty"` // as in the summary, like the next two
	Configuration string    `json:"configuration,omitempty"`
	Run           string    `json:"run,omitempty"`
	Start         time.Time `json:"start"` // ages are counted from it, in whole seconds

	Rows int64 `json:"rows"` // objects and delete markers
	Tally

	Classes []Class `json:"classes"` // those that occur, in the order of stocktake.CompareStorageClasses
	Sizes   []Size  `json:"sizes"`   // by class, then size
	Ages    []Age   `json:"ages"`    // by class, then age

	Extensions       []Extension     `json:"extensions"` // by objects, the most first, then by name
	FoldedExtensions FoldedExtension `json:"foldedExtensions,omitzero"`

	Depth    int      `json:"depth"`    // segments that a prefix has at most, after Root
	Root     Key      `json:"root"`     // prefix of all keys, up to a '/', from the filter; may be empty
	Prefixes []Prefix `json:"prefixes"` // ascending; the first is Root

	Largest []Object `json:"largest"` // the largest first, then by key
	Oldest  *Object  `json:"oldest,omitempty"`
	Newest  *Object  `json:"newest,omitempty"`

	// First and Last are the keys of the first and the last row of a part. Their
	// prefixes are kept, because other parts may have more of them. Seal clears both.
	First Key `json:"first,omitempty"`
	Last  Key `json:"last,omitempty"`
}

// A Count is a number of objects and their size.
type Count struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func (c *Count) add(o Count) {
	c.Objects += o.Objects
	c.Bytes += o.Bytes
}

// A Tally counts object versions and, separately, delete markers.
type Tally struct {
	Objects       int64 `json:"objects"` // versions of objects, current or not
	Bytes         int64 `json:"bytes"`
	Noncurrent    Count `json:"noncurrent,omitzero"` // of these, versions that are not the latest
	DeleteMarkers int64 `json:"deleteMarkers,omitempty"`
}

func (t *Tally) add(o *Tally) {
	t.Objects += o.Objects
	t.Bytes += o.Bytes
	t.Noncurrent.add(o.Noncurrent)
	t.DeleteMarkers += o.DeleteMarkers
}

func (t *Tally) sub(o *Tally) {
	t.Objects -= o.Objects
	t.Bytes -= o.Bytes
	t.Noncurrent.Objects -= o.Noncurrent.Objects
	t.Noncurrent.Bytes -= o.Noncurrent.Bytes
	t.DeleteMarkers -= o.DeleteMarkers
}

// A Class counts the objects of one storage class.
type Class struct {
	StorageClass string `json:"storageClass"`
	Count
}

// A Size counts the objects of a storage class whose size is From bytes or more
// and less than twice as much; if From is 0, the empty ones.
type Size struct {
	StorageClass string `json:"storageClass"`
	From         int64  `json:"from"` // 0 or a power of two
	Count
}

// An Age counts the objects of a storage class that were last modified at least
// From and less than 2*From days before Start; if From is 0, less than one day
// before Start.
type Age struct {
	StorageClass string `json:"storageClass"`
	From         int64  `json:"from"` // days: 0 or a power of two; see also AgeFuture and AgeUnknown
	Count
}

// Values of Age.From that are not ages.
const (
	AgeFuture  = -1 // modified after Start
	AgeUnknown = -2 // no date is known
)

// An Extension counts the objects whose key ends with a '.' and the extension. An
// extension has one to seven letters and digits, at least one letter, and is in
// lower case. The empty extension counts all other objects.
type Extension struct {
	Extension string `json:"extension"`
	Count
	AtLeast bool `json:"atLeast,omitempty"` // some of its objects may be counted among the folded ones
}

// A FoldedExtension counts the objects of extensions that are not kept.
type FoldedExtension struct {
	Extensions int64 `json:"extensions"` // number of them; one that occurred again after it was folded counts again
	Count
}

// A Prefix counts the objects under a prefix: directly, under prefixes that are kept,
// and under prefixes that are folded, which have no Prefix of their own.
type Prefix struct {
	Prefix Key `json:"prefix"` // ends with '/', unless it is an empty Root
	Tally
	Folded  Folded `json:"folded,omitzero"`
	AtLeast bool   `json:"atLeast,omitempty"` // some of it may be counted in Folded of a prefix above it
}

// Folded counts the prefixes directly below another one that are not kept, and the
// objects under them.
type Folded struct {
	Prefixes int64 `json:"prefixes"`
	Tally
}

// An Object is an object version.
type Object struct {
	Key          Key       `json:"key"`
	VersionID    string    `json:"versionId,omitempty"`
	Size         int64     `json:"size"`
	StorageClass string    `json:"storageClass"`
	LastModified time.Time `json:"lastModified,omitzero"`
}

// ErrVersion is returned by Parse for a roll-up of an unknown version.
var ErrVersion = errors.New("an unknown version")

// Parse parses manifest.rollup.
func Parse(raw []byte) (*Rollup, error) {
	r := new(Rollup)
	if n := bytes.Count(raw, []byte{','}); n > maxCommas {
		return nil, fmt.Errorf("it has %d members, more than a roll-up can have", n)
	}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, err
	}
	if r.Version != Version {
		return nil, fmt.Errorf("%d: %w", r.Version, ErrVersion)
	}
	if len(r.Prefixes) == 0 || r.Prefixes[0].Prefix != r.Root {
		return nil, errors.New("the first prefix is not the root")
	}
	if r.Depth < 0 || r.Depth > MaxDepth {
		return nil, fmt.Errorf("depth %d is greater than %d", r.Depth, MaxDepth)
	}
	for i := 1; i < len(r.Prefixes); i++ {
		if p := r.Prefixes[i].Prefix; p <= r.Prefixes[i-1].Prefix || len(p) <= len(r.Root) || p[len(p)-1] != '/' || p[:len(r.Root)] != r.Root {
			return nil, fmt.Errorf("prefix %.200q is out of order, or is not a prefix below %.200q", p, r.Root)
		}
	}
	return r, nil
}

// Level returns the prefixes with depth segments below the root, the largest first,
// and the rest: everything above them or folded.
func (r *Rollup) Level(depth int) (prefixes []Prefix, rest Tally) {
	rest = r.Tally
	for _, p := range r.Prefixes {
		if strings.Count(string(p.Prefix[len(r.Root):]), "/") == depth {
			prefixes = append(prefixes, p)
			rest.sub(&p.Tally)
		}
	}
	slices.SortFunc(prefixes, func(a, b Prefix) int {
		return cmp.Or(compare(values(&a.Tally)[0], values(&b.Tally)[0]), cmp.Compare(a.Prefix, b.Prefix))
	})
	return prefixes, rest
}
