package membucket_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"hash/crc64"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
	"github.com/stocktake/stocktake/internal/membucket"
)

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(*testing.T) sourcetest.Bucket {
		store := membucket.New(nil, "b")
		return bucket{store.Bucket("b"), store}
	})
}

// bucket is a bucket in memory for the suite. It records what the suite puts.
type bucket struct {
	*membucket.Bucket
	store *membucket.Store
}

func (b bucket) Source() engine.Source { return b.store }
func (b bucket) Name() string          { return "b" }

func (b bucket) Can() sourcetest.Abilities {
	return sourcetest.Abilities{
		Versions: true, Batch: 7, MD5: true, CurrentIDs: true, Tags: true, Encryption: true, CRC64: true, Transition: true, LastAccess: true,
		Classes: []stocktake.StorageClass{stocktake.IA, stocktake.Archive, stocktake.ColdArchive, stocktake.DeepColdArchive},
		Types:   []stocktake.ObjectType{stocktake.Multipart, stocktake.Appendable, stocktake.Symlink},
		ACLs:    []stocktake.ACL{stocktake.Private, stocktake.PublicRead, stocktake.PublicReadWrite},
	}
}

func (b bucket) Put(o sourcetest.Object) string {
	r := stocktake.Record{
		Key: []byte(o.Key), Size: int64(len(o.Body)), ETag: stocktake.ETag{Sum: md5.Sum([]byte(o.Body))},
		HasCRC64: true, CRC64: crc64.Checksum([]byte(o.Body), crc64.MakeTable(crc64.ECMA)),
		StorageClass: o.Class, Type: o.Type, ACL: o.ACL, TaggingCount: uint16(o.Tags), Encrypted: o.Encrypted,
		TransitionTime: o.Transition, LastAccess: o.LastAccess,
	}
	switch o.Type {
	case stocktake.Multipart:
		r.Multipart, r.ETag.Parts = true, 1
	case stocktake.Symlink:
		r.Size = 0
	}
	return b.Bucket.Put(r)
}

func (b bucket) SetVersioning(enabled bool) {
	v := membucket.Suspended
	if enabled {
		v = membucket.Enabled
	}
	b.Bucket.SetVersioning(v)
}

func TestDestination(t *testing.T) {
	for _, v := range []membucket.Versioning{membucket.Unversioned, membucket.Enabled, membucket.Suspended} {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			sourcetest.RunDestination(t, func(*testing.T) engine.Destination {
				b := membucket.New(nil, "b").Bucket("b")
				b.SetVersioning(v)
				return b
			})
		})
	}
}

// Uniform obeys the contract of a source: its segments together equal one scan, in order,
// wherever they are cut.
func TestUniform(t *testing.T) {
	const n = 300_000 // more than a tenant has
	snap, err := membucket.Uniform(n).Snapshot(t.Context(), "lake")
	if err != nil {
		t.Fatal(err)
	}
	digest := func(segs ...engine.Segment) (sum [16]byte, count int) {
		h := md5.New()
		var last []byte
		for _, seg := range segs {
			err := snap.Scan(t.Context(), seg, true, func(batch []stocktake.Record) error {
				for i := range batch {
					r := &batch[i]
					if bytes.Compare(r.Key, last) <= 0 || string(r.Key) < seg.From || seg.To != "" && string(r.Key) >= seg.To {
						return fmt.Errorf("key %s after %s in %+v", r.Key, last, seg)
					}
					last = append(last[:0], r.Key...)
					fmt.Fprintf(h, "%s %v %d\n", r.Key, r.ETag, r.Size)
					count++
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return [16]byte(h.Sum(nil)), count
	}
	whole, count := digest(engine.Segment{})
	if count != n {
		t.Errorf("%d records, want %d", count, n)
	}
	cuts, err := snap.Split(t.Context(), "", 7)
	if err != nil || len(cuts) != 6 {
		t.Fatalf("cuts %q, %v", cuts, err)
	}
	var segs []engine.Segment
	from := ""
	for _, cut := range append(cuts, "") {
		segs = append(segs, engine.Segment{From: from, To: cut})
		from = cut
	}
	if parts, _ := digest(segs...); parts != whole {
		t.Error("the segments differ from the whole")
	}
	for _, prefix := range []string{"lake/tenant-01/", "lake/tenant-00/access/dt=2026-03-05/07/part-00004", "z"} {
		seg := engine.Segment{Prefix: prefix}
		_, got := digest(seg)
		if want, _ := snap.Count(t.Context(), prefix); int64(got) != want || (got == 0) != (prefix == "z") {
			t.Errorf("%d records under %q, counted %d", got, prefix, want)
		}
	}
}

// The keys of Uniform have the documented form.
func TestUniformKeys(t *testing.T) {
	snap, _ := membucket.Uniform(1_500_000).Snapshot(context.Background(), "lake")
	var keys []string
	err := snap.Scan(t.Context(), engine.Segment{Prefix: "lake/tenant-03/access/dt=2026-03-05/07/"}, false, func(batch []stocktake.Record) error {
		for _, r := range batch {
			keys = append(keys, string(r.Key))
		}
		return nil
	})
	if err != nil || len(keys) != 32 || !strings.HasPrefix(keys[4], "lake/tenant-03/access/dt=2026-03-05/07/part-00004-") || len(keys[4]) != 65 {
		t.Errorf("keys %q, %v", keys, err)
	}
	if !slices.IsSorted(keys) {
		t.Error("not sorted")
	}
}
