package layout

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestLayout freezes the bytes of docs/formats/store.md: every later version
// must read a store that was written today.
func TestLayout(t *testing.T) {
	at := time.UnixMilli(1767628800123).UTC()
	var out bytes.Buffer
	dump := func(what string, b []byte) { fmt.Fprintf(&out, "%s\n%s\n", what, hex.Dump(b)) }

	dump("key of version 258 of a\\0b in bucket 7", AppendVersionKey(nil, 7, "a\x00b", 258))
	dump("key of upload 258 of a\\0b in bucket 7", AppendUploadKey(nil, 7, "a\x00b", 258))
	dump("key of part 3 of upload 258", PartKey(258, 3))
	dump("key of the head of the journal of bucket 7", JournalHeadKey(7))
	dump("key of change 258 of bucket 7", AppendChangeKey(nil, 7, 258))
	dump("key of statistics of bucket 7", StatisticsKey(7))
	for _, space := range []byte{SpaceMaps, SpaceData, SpaceIntents, SpaceRemovals} {
		dump(fmt.Sprintf("key of blob 258 in %c", space), IDKey(space, 258))
	}
	fmt.Fprintf(&out, "version id of 258\n%s\n\n", VersionID(258))
	id := uploadID(258)
	fmt.Fprintf(&out, "upload id of 258\n%s\n\n", uploadText(id[:]))

	small := object.Info{Key: "k", Size: 3, CRC64: 0x0102030405060708, LastModified: at, Headers: object.Headers{ContentType: "t"}}
	small.ETag.Sum = [16]byte{0xaa, 15: 0xbb}
	small.MD5 = small.ETag.Sum[:]
	dump("row of a small object", AppendRow(nil, &Row{Info: small, Null: true, Content: Content{ContentInline, 9}}))
	dump("row of a delete marker", AppendRow(nil, &Row{Info: object.Info{Key: "k", IsDeleteMarker: true, LastModified: at}}))
	dump("row with everything", AppendRow(nil, &Row{
		Info: object.Info{
			Key: "k", Size: 1 << 40, ETag: stocktake.ETag{Text: []byte("text")}, MD5: make([]byte, 16), CRC64: 1, LastModified: at,
			Type: stocktake.Appendable, Parts: 300, StorageClass: stocktake.ColdArchive, TransitionTime: at.Add(time.Second),
			Restore: object.Restore{Requested: at, Ready: at.Add(time.Second), Expires: at.Add(2 * time.Second)}, Sealed: true,
			ACL: stocktake.PublicRead, Encryption: object.Encryption{Algorithm: "KMS", KeyID: "key"},
			Headers: object.Headers{
				ContentType: "1", CacheControl: "2", ContentDisposition: "3", ContentEncoding: "4", ContentLanguage: "5", Expires: "6",
				Meta: []object.Meta{{Name: "n", Value: "v"}, {Name: "o", Value: ""}},
			},
			Tags: []object.Tag{{Key: "t", Value: "u"}}, Symlink: "target",
		},
		Report: true, Content: Content{ContentMap, 258}, DataKey: []byte("wrapped"),
	}))
	change := AppendChange(nil, &Change{
		Type: 1, Flags: ChangeLatest | ChangeVersioned, Row: &Row{Info: small, Seq: 258, Null: true},
		By: object.Origin{Principal: "1", Request: "0123456789ABCDEF01234567", Address: netip.MustParseAddr("192.0.2.1")},
	})
	SetPlace(change, ChangePlace{Time: at.UnixMilli(), Ordinal: 2, Bytes: 300})
	dump("change", change)
	gone := AppendChange(nil, &Change{Type: 3, Flags: ChangePermanent, Row: &Row{Info: small, Seq: 258}, By: object.ByService("lifecycle")})
	SetPlace(gone, ChangePlace{Time: at.UnixMilli(), Ordinal: 3, Bytes: 400})
	dump("permanent delete", gone)
	position := stocktake.JournalPosition{Sequence: 258, Time: at.UnixMilli()}
	head, err := EncodeJournalHead(&JournalHead{
		Readers:  []JournalReader{{ID: "weekly-1", At: position}, {ID: "weekly-2", Prefix: []byte("a/"), At: position}},
		Sequence: 259, Floor: at.UnixMilli(), From: position, Base: JournalBase{Sequence: 258, Ordinal: 1, Bytes: 150},
		Gaps: []JournalGap{{First: position, Last: position, Changes: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "head of a journal\n%s\n\n", head)
	dump("part", AppendPart(nil, &Part{
		Part:    object.Part{Number: 3, Size: 5, MD5: small.ETag.Sum, CRC64: 6, LastModified: at},
		Content: Content{ContentFile, 258},
	}))
	dump("map", AppendPieces(nil, []Piece{{Content{ContentFile, 258}, 100}, {Content{ContentInline, 259}, 1}}))
	d := Delta{StatObjects: 1, StatBytes + 1: -300, StatUploads: 2, StatLastModified: at.UnixMilli()}
	dump("statistics", d.AppendTo(nil))
	value, err := EncodeBucket(7, &object.Bucket{
		Name: "photos", Owner: "1", Created: at, StorageClass: stocktake.IA, Redundancy: "ZRS", ACL: stocktake.Private, Versioning: object.Suspended,
		Encryption: object.Encryption{Algorithm: "KMS", KeyID: "key"}, Policy: []byte("{}"),
		Tags: []object.Tag{{Key: "k", Value: "v"}}, BlockPublicAccess: true, ResourceGroup: "rg-a", RequesterPays: true,
		CORS: &object.CORS{Rules: []object.CORSRule{{
			AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET"}, AllowedHeaders: []string{"x-*"}, ExposeHeaders: []string{"ETag"}, MaxAge: new(int64(0)),
		}}, ResponseVary: true},
		Lifecycle: &object.Lifecycle{Rules: []object.LifecycleRule{{ID: "r", Enabled: true, Expiration: &object.LifecycleAge{Days: 30}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "bucket\n%s\n", value)

	golden := filepath.Join("testdata", "golden", "layout.txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the layout has changed:\n%s", out.Bytes())
	}
}
