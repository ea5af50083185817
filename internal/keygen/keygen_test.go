package keygen

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
)

// Keys ascend, Rank finds each of them, and the time of both does not depend on the number of
// rows.
func TestOrder(t *testing.T) {
	for _, shape := range Shapes {
		for _, rows := range []int64{0, 1, 7, 5000, 300_000} {
			b, err := New(shape, rows)
			if err != nil {
				t.Fatal(err)
			}
			var r, before stocktake.Record
			for i := range rows {
				b.Fill(&r, i)
				if c := bytes.Compare(before.Key, r.Key); c > 0 || c == 0 && (b.Versions == 1 || bytes.Compare(before.VersionID, r.VersionID) <= 0) {
					t.Fatalf("%s: row %d is %q %q after %q %q", shape, i, r.Key, r.VersionID, before.Key, before.VersionID)
				}
				if !utf8.Valid(r.Key) {
					t.Fatalf("%s: key %q", shape, r.Key)
				}
				if i%997 == 0 {
					if at := b.Rank(string(r.Key)); at != i/b.Versions*b.Versions {
						t.Fatalf("%s: key %q of row %d is found at %d", shape, r.Key, i, at)
					}
				}
				before.Key, before.VersionID = append(before.Key[:0], r.Key...), append(before.VersionID[:0], r.VersionID...)
			}
			if at := b.Rank("\xff"); at != rows {
				t.Errorf("%s: the end is %d of %d", shape, at, rows)
			}
		}
	}
	if _, err := New("round", 1); err == nil {
		t.Error("there is a round bucket")
	}
}
