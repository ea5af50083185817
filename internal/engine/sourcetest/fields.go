package sourcetest

import (
	"context"
	"crypto/md5"
	"errors"
	"hash/crc64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// recordOf returns the expected record of o, as far as the store can express it. The
// version, the time and an unknown ETag are taken from got.
func (s *subject) recordOf(o *Object, got *stocktake.Record) stocktake.Record {
	want := stocktake.Record{
		Key: []byte(o.Key), VersionID: got.VersionID, IsLatest: got.IsLatest, ETag: got.ETag,
		Size: int64(len(o.Body)), LastModified: got.LastModified, StorageClass: o.Class, ACL: o.ACL,
		TaggingCount: uint16(o.Tags), Type: o.Type, Multipart: o.Type == stocktake.Multipart, Encrypted: o.Encrypted,
		TransitionTime: o.Transition, LastAccess: o.LastAccess,
	}
	if s.can.S3Classes && o.Class == stocktake.Standard {
		want.StorageClass = stocktake.S3Standard
	}
	if o.Type == stocktake.Symlink {
		want.Size = 0
		want.Missing = got.Missing // a store may report the state of its target, which need not exist
	}
	if s.can.MD5 && o.Type == stocktake.Normal {
		want.ETag = stocktake.ETag{Sum: md5.Sum([]byte(o.Body))}
		if strings.EqualFold(want.ETag.String(), got.ETag.String()) {
			want.ETag = got.ETag
		}
	}
	if s.can.NoTypes {
		want.Type, want.Missing = stocktake.Normal, stocktake.MissingType
	}
	switch {
	case s.can.NoACLs:
		want.Missing |= stocktake.MissingACL
	case s.can.OwnACLs && o.ACL == stocktake.DefaultACL:
		want.ACL = stocktake.Private
	}
	if s.can.NoChecksums {
		want.Missing |= stocktake.MissingCRC64
	}
	switch {
	case !s.can.CRC64:
	case o.Type == stocktake.Symlink:
		want.HasCRC64, want.CRC64 = got.HasCRC64, got.CRC64 // it has no content of its own
	default:
		want.HasCRC64, want.CRC64 = true, crc64.Checksum([]byte(o.Body), crc64.MakeTable(crc64.ECMA))
	}
	return want
}

// expectFields checks the records of objects, put in this order under ascending
// keys and never replaced.
func (s *subject) expectFields(t *testing.T, objects ...Object) {
	t.Helper()
	before := time.Now()
	for _, o := range objects {
		s.Put(o)
	}
	s.expectRecords(t, before, objects)
}

func (s *subject) expectRecords(t *testing.T, before time.Time, objects []Object) {
	t.Helper()
	snap := s.snapshot(t)
	for _, versions := range []bool{false, true} {
		records := scan(t, snap, wholeBucket, versions)
		fetch(t, snap, records)
		if len(records) != len(objects) {
			t.Fatalf("versions %v: %d records, want %d", versions, len(records), len(objects))
		}
		for i := range records {
			got := &records[i]
			want := s.recordOf(&objects[i], got)
			want.IsLatest = true
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("versions %v: record of %+v (-want +got):\n%s", versions, objects[i], diff)
			}
			if len(got.VersionID) > 0 {
				t.Errorf("%q: version id %q in a bucket that never had versioning", got.Key, got.VersionID)
			}
			if got.ETag.String() == "" && got.Type != stocktake.Symlink {
				t.Errorf("%q: no ETag", got.Key)
			}
			// The clock of the store may differ from ours, but not by an hour.
			if at := time.Unix(got.LastModified, 0); at.Before(before.Add(-time.Hour)) || at.After(time.Now().Add(time.Hour)) {
				t.Errorf("%q: last modified at %v", got.Key, at)
			}
		}
	}
}

// fetch sets all missing values that the store can provide.
func fetch(t *testing.T, snap engine.Snapshot, records []stocktake.Record) {
	t.Helper()
	detailed, ok := snap.(engine.DetailedSnapshot)
	if !ok {
		return
	}
	var columns []stocktake.Field
	for _, f := range stocktake.Fields() {
		if detailed.Availability(f) == engine.Fetched {
			columns = append(columns, f)
		}
	}
	if err := detailed.Fetch(t.Context(), records, columns, func(int) bool { return true }); err != nil {
		t.Fatalf("Fetch: %v", err)
	}
}

// details checks the contract of Fetch: it sets the requested values of the requested
// records, and values of deleted objects stay missing.
func details(t *testing.T, s *subject) {
	detailed, ok := s.snapshot(t).(engine.DetailedSnapshot)
	if !ok {
		t.Skip("the source lists all that it knows")
	}
	s.fill("a", "b", "c")
	records := scan(t, detailed, wholeBucket, false)
	s.Delete("b")
	for _, f := range stocktake.Fields() {
		m := stocktake.MissingOf(f)
		for i := range records {
			if missing := records[i].Missing&m != 0; m != 0 && missing == (detailed.Availability(f) == engine.Listed) {
				t.Errorf("%s: missing %v in a column that is %v", f, missing, detailed.Availability(f))
			}
		}
		if detailed.Availability(f) != engine.Fetched {
			continue
		}
		asked := slices.Clone(records)
		if err := detailed.Fetch(t.Context(), asked, []stocktake.Field{f}, func(i int) bool { return i < 2 }); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if detailed.Availability(f) != engine.Fetched {
			continue // the store does not know the request
		}
		for i, want := range []bool{false, true, true} {
			if missing := asked[i].Missing&m != 0; missing != want {
				t.Errorf("%s of %q: missing %v", f, asked[i].Key, missing)
			}
		}
		if err := detailed.Fetch(ended(t), slices.Clone(records), []stocktake.Field{f}, func(int) bool { return true }); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: after the end of the context: %v", f, err)
		}
	}
}

func fields(t *testing.T, s *subject) {
	before := time.Now()
	s.Put(Object{Key: "a"})
	s.putSize("b", 1000)
	s.putSize("b", 7) // replaces
	s.putSize("c", 3<<20)
	s.put("gone")
	s.Delete("gone")
	s.Delete("never was")
	s.expectRecords(t, before, []Object{
		{Key: "a"}, {Key: "b", Body: strings.Repeat("x", 7)}, {Key: "c", Body: strings.Repeat("x", 3<<20)},
	})
}

func storageClasses(t *testing.T, s *subject) {
	if len(s.can.Classes) == 0 {
		t.Skip("the store has one storage class")
	}
	objects := []Object{{Key: "0", Body: "x"}}
	for _, c := range s.can.Classes {
		objects = append(objects, Object{Key: "class-" + string(rune('0'+c)), Body: "x", Class: c})
	}
	s.expectFields(t, objects...)
}

func objectTypes(t *testing.T, s *subject) {
	objects := []Object{{Key: "0", Body: "x"}}
	for _, typ := range s.can.Types {
		objects = append(objects, Object{Key: "type-" + string(rune('0'+typ)), Body: "target", Type: typ})
	}
	if len(objects) == 1 {
		t.Skip("the store has one object type")
	}
	s.expectFields(t, objects...)
	for _, r := range scan(t, s.snapshot(t), wholeBucket, false) {
		_, parts, dashed := strings.Cut(r.ETag.String(), "-")
		if r.Type == stocktake.Multipart && s.can.MD5 && (!dashed || parts != "1") {
			t.Errorf("a multipart object of one part has ETag %s", r.ETag)
		}
	}
}

func acls(t *testing.T, s *subject) {
	objects := []Object{{Key: "0", Body: "x"}}
	for _, a := range s.can.ACLs {
		objects = append(objects, Object{Key: "acl-" + string(rune('0'+a)), Body: "x", ACL: a})
	}
	if len(objects) == 1 {
		t.Skip("the source does not know ACLs")
	}
	s.expectFields(t, objects...)
}

func tags(t *testing.T, s *subject) {
	if !s.can.Tags {
		t.Skip("the source does not know tags")
	}
	s.expectFields(t, Object{Key: "0"}, Object{Key: "1", Tags: 1}, Object{Key: "2", Tags: 10})
}

func encryption(t *testing.T, s *subject) {
	if !s.can.Encryption {
		t.Skip("the source does not know encryption")
	}
	s.expectFields(t, Object{Key: "0", Body: "plain"}, Object{Key: "1", Body: "secret", Encrypted: true}, Object{Key: "2", Encrypted: true})
}

func checksums(t *testing.T, s *subject) {
	if !s.can.CRC64 {
		t.Skip("the source does not know CRC-64")
	}
	s.expectFields(t, Object{Key: "0"}, Object{Key: "1", Body: "123456789"}, Object{Key: "2", Body: strings.Repeat("long", 1<<18)})
}

// times are the times of a record other than LastModified. 1 January 2020 is long
// before the test.
func times(t *testing.T, s *subject) {
	const then = 1577836800
	objects := []Object{{Key: "0", Body: "x"}}
	if s.can.Transition {
		objects = append(objects, Object{Key: "1", Body: "x", Class: s.can.Classes[0], Transition: then})
	}
	if s.can.LastAccess {
		objects = append(objects, Object{Key: "2", Body: "x", LastAccess: then + 1})
	}
	if len(objects) == 1 {
		t.Skip("the source does not know other times")
	}
	s.expectFields(t, objects...)
}

// fieldsOfVersions: an old version keeps the fields that it was put with.
func fieldsOfVersions(t *testing.T, s *subject) {
	s.SetVersioning(true)
	objects := []Object{{Key: "k", Body: "plain"}}
	for _, c := range s.can.Classes {
		objects = append(objects, Object{Key: "k", Body: "of class " + c.String(), Class: c})
	}
	for _, typ := range s.can.Types {
		if typ != stocktake.Appendable { // an append does not make a version
			objects = append(objects, Object{Key: "k", Body: "type", Type: typ})
		}
	}
	if s.can.Tags {
		objects = append(objects, Object{Key: "k", Tags: 3})
	}
	if s.can.Encryption {
		objects = append(objects, Object{Key: "k", Body: "secret", Encrypted: true})
	}
	for _, a := range s.can.ACLs {
		objects = append(objects, Object{Key: "k", Body: "with ACL", ACL: a})
	}
	var ids []string
	for _, o := range objects {
		ids = append(ids, s.Put(o))
	}
	snap := s.snapshot(t)
	records := scan(t, snap, wholeBucket, true)
	fetch(t, snap, records)
	if len(records) != len(objects) {
		t.Fatalf("%d records, want %d", len(records), len(objects))
	}
	for i := range records {
		at := len(objects) - 1 - i
		want := s.recordOf(&objects[at], &records[i])
		want.VersionID, want.IsLatest = []byte(ids[at]), i == 0
		if diff := cmp.Diff(want, records[i]); diff != "" {
			t.Errorf("record of %+v (-want +got):\n%s", objects[at], diff)
		}
	}
}
