package layout

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"pgregory.net/rapid"
)

// TestChangesComeBack: a change shows the version as a scan of its row would.
func TestChangesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyRow(t)
		c := &Change{
			Type: byte(rapid.IntRange(1, 3).Draw(t, "type")), Row: r,
			Flags: ChangeFlags(rapid.IntRange(0, 15).Draw(t, "flags")),
			By:    object.Origin{Principal: rapid.SampledFrom([]string{"1", object.Anonymous, object.ServicePrefix + "lifecycle"}).Draw(t, "principal"), Request: "request"},
		}
		if rapid.Bool().Draw(t, "address") {
			c.By.Address = netip.MustParseAddr("::ffff:192.0.2.1")
		}
		value := AppendChange(nil, c)
		place := ChangePlace{rapid.Int64().Draw(t, "time"), rapid.Uint64().Draw(t, "ordinal"), rapid.Uint64().Draw(t, "bytes")}
		SetPlace(value, place)
		want := StoredChange{ChangePlace: place, Type: c.Type, Flags: c.Flags, Version: r.Seq, Null: r.Null, Request: []byte("request")}
		if c.By.Principal != object.ServicePrefix+"lifecycle" {
			want.Requester = []byte(c.By.Principal)
		}
		if c.By.Address.IsValid() {
			want.Address = []byte("192.0.2.1")
		}
		if c.Flags&ChangePermanent == 0 {
			hot := AppendRow(nil, r)
			DecodeHot(hot, &want.Record)
			if err := DecodeMore(hot, &want.Record); err != nil {
				t.Fatal(err)
			}
		}
		want.Record.Key, want.Record.IsLatest = []byte(r.Info.Key), c.Flags&ChangeLatest != 0
		var got StoredChange
		if err := DecodeChange(value, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if key := ChangedKey(value); string(key) != r.Info.Key {
			t.Errorf("key %q, want %q", key, r.Info.Key)
		}
	})
}

// FuzzDecodeChange: a malformed entry is an error, not a panic.
func FuzzDecodeChange(f *testing.F) {
	r := &Row{Info: object.Info{Key: "k", ETag: stocktake.ETag{Text: []byte("e")}}, Seq: 1}
	f.Add(AppendChange(nil, &Change{Type: 1, Row: r, By: object.Origin{Principal: "1"}}))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, value []byte) {
		var c StoredChange
		if err := DecodeChange(value, &c); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(ChangedKey(value), c.Record.Key) {
			t.Errorf("key %q and %q", ChangedKey(value), c.Record.Key)
		}
		if _, err := DecodeJournalHead(value); err != nil && !errors.Is(err, ErrMalformed) {
			t.Error(err)
		}
	})
}
