package layout

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"pgregory.net/rapid"
)

// anyRow draws a row that a store could write.
func anyRow(t *rapid.T) *Row {
	text := rapid.String()
	at := rapid.Custom(func(t *rapid.T) time.Time { return FromMilli(rapid.Int64Range(0, 1<<42).Draw(t, "ms")) })
	r := &Row{Seq: rapid.Uint64().Draw(t, "seq"), Null: rapid.Bool().Draw(t, "null"), Report: rapid.Bool().Draw(t, "report")}
	in := &r.Info
	in.Key = text.Draw(t, "key")
	in.LastModified = time.UnixMilli(rapid.Int64Range(-1<<42, 1<<42).Draw(t, "modified")).UTC()
	if rapid.Bool().Draw(t, "marker") {
		in.IsDeleteMarker = true
		return r
	}
	in.Size = rapid.Int64Min(0).Draw(t, "size")
	in.CRC64 = rapid.Uint64().Draw(t, "crc")
	in.StorageClass = stocktake.StorageClass(rapid.IntRange(0, 4).Draw(t, "class"))
	in.Type = stocktake.ObjectType(rapid.IntRange(0, 3).Draw(t, "type"))
	in.ACL = stocktake.ACL(rapid.IntRange(0, 3).Draw(t, "acl"))
	in.TransitionTime = at.Draw(t, "transition")
	in.Sealed = rapid.Bool().Draw(t, "sealed")
	in.Parts = rapid.IntRange(0, 10000).Draw(t, "parts")
	copy(in.ETag.Sum[:], text.Draw(t, "sum"))
	switch rapid.IntRange(0, 3).Draw(t, "etag") {
	case 0:
		in.MD5 = in.ETag.Sum[:]
	case 1:
		in.MD5 = append([]byte{1}, in.ETag.Sum[1:]...)
		in.ETag.Parts = rapid.Uint32().Draw(t, "n")
	case 2:
		in.ETag = stocktake.ETag{Text: []byte(text.Draw(t, "etag text"))}
	}
	in.Restore = object.Restore{Requested: at.Draw(t, "r"), Ready: at.Draw(t, "r"), Expires: at.Draw(t, "r")}
	in.Headers = object.Headers{
		ContentType: text.Draw(t, "h"), CacheControl: text.Draw(t, "h"), ContentDisposition: text.Draw(t, "h"),
		ContentEncoding: text.Draw(t, "h"), ContentLanguage: text.Draw(t, "h"), Expires: text.Draw(t, "h"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "metas") {
		in.Headers.Meta = append(in.Headers.Meta, object.Meta{Name: text.Draw(t, "m"), Value: text.Draw(t, "m")})
		in.Tags = append(in.Tags, object.Tag{Key: text.Draw(t, "t"), Value: text.Draw(t, "t")})
	}
	in.Symlink = text.Draw(t, "symlink")
	if rapid.Bool().Draw(t, "encrypted") {
		in.Encryption = object.Encryption{Algorithm: "KMS", KeyID: text.Draw(t, "key id")}
		r.DataKey = []byte("wrapped")
	}
	r.Content = Content{Kind(rapid.IntRange(0, 4).Draw(t, "kind")), rapid.Uint64().Draw(t, "id")}
	if r.Content.Kind == ContentEmpty {
		r.Content.ID = 0
	}
	return r
}

func TestRowsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRow(t)
		got, err := DecodeRow(AppendVersionKey(nil, 1, want.Info.Key, want.Seq), AppendRow(nil, want))
		if diff := cmp.Diff(*want, got, cmp.AllowUnexported(Row{}, Content{}), cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// FuzzDecodeRow: a malformed row is an error, not a panic; a valid row is encoded
// to the bytes from which it was decoded.
func FuzzDecodeRow(f *testing.F) {
	r := &Row{Info: object.Info{Key: "k", ETag: stocktake.ETag{Text: []byte("e")}, Tags: []object.Tag{{Key: "a", Value: "b"}}}, Seq: 1}
	f.Add([]byte("k"), AppendRow(nil, r))
	f.Add([]byte("k"), []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r, err := DecodeRow(AppendVersionKey(nil, 1, key, 1), value)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Error(err)
			}
			return
		}
		again, err := DecodeRow(AppendVersionKey(nil, 1, key, 1), AppendRow(nil, &r))
		if diff := cmp.Diff(r, again, cmp.AllowUnexported(Row{}, Content{}), cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v (-first +again):\n%s", err, diff)
		}
		if _, err := DecodeRow(key, value); err == nil && !isVersionKey(key) {
			t.Errorf("%x is not the key of a version", key)
		}
	})
}

func FuzzDecodePart(f *testing.F) {
	f.Add(AppendPart(nil, &Part{Part: object.Part{Number: 1, Size: 2, LastModified: time.UnixMilli(3).UTC()}, Content: Content{ContentFile, 4}}))
	f.Fuzz(func(t *testing.T, value []byte) {
		p, err := DecodePart(PartKey(1, 1), value)
		if err == nil && string(AppendPart(nil, &p)) != string(value) {
			t.Errorf("%x comes back as %x", value, AppendPart(nil, &p))
		}
	})
}

func FuzzStatistics(f *testing.F) {
	f.Add([]byte{}, []byte{})
	d := Delta{1, -2, 3}
	f.Add(d.AppendTo(nil), d.AppendTo(nil))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, err := ParseDelta(a)
		if err != nil {
			return
		}
		y, err := ParseDelta(b)
		if err != nil {
			return
		}
		m, err := merger.Merge(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.MergeOlder(b); err != nil {
			t.Fatal(err)
		}
		sum, _, err := m.Finish(true)
		if err != nil {
			t.Fatal(err)
		}
		x.Add(&y)
		if got, err := ParseDelta(sum); err != nil || got != x {
			t.Errorf("merged %v, want %v: %v", got, x, err)
		}
	})
}
