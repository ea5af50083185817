package listpage

import (
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// A set contains the ids that were added since it was cleared.
func TestVersionSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set VersionSet
		next := rapid.SampledFrom([]int{0, 1, -1}).Draw(t, "order") // 0: none
		at := 500
		want := make(map[string]bool)
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			id := fmt.Appendf(nil, "%0*d", rapid.IntRange(0, 3).Draw(t, "width"), rapid.IntRange(0, 99).Draw(t, "id"))
			if next != 0 && rapid.IntRange(0, 30).Draw(t, "as it comes") > 0 {
				at += next
				id = fmt.Appendf(nil, "%d", at)
			}
			if rapid.IntRange(0, 50).Draw(t, "clear") == 0 {
				set.Clear()
				clear(want)
			}
			if set.Has(id) != want[string(id)] {
				t.Fatalf("has %q: %v", id, set.Has(id))
			}
			if added := set.Add(id); added == want[string(id)] {
				t.Fatalf("added %q: %v", id, added)
			}
			want[string(id)] = true
			clear(id) // it was copied
			if set.Len() != len(want) {
				t.Fatalf("%d ids, want %d", set.Len(), len(want))
			}
		}
		for id := range want {
			if !set.Has([]byte(id)) {
				t.Errorf("%q is missing", id)
			}
		}
	})
}

func TestVersionSetReusesMemory(t *testing.T) {
	var set VersionSet
	var id [8]byte
	odd := uint16(1)
	fill := func() {
		set.Clear()
		for i := range uint16(1000) {
			binary.BigEndian.PutUint16(id[:], i*odd)
			set.Add(id[:])
		}
	}
	for _, odd = range []uint16{12345, 1} { // without an order, and with one
		fill()
		if n := testing.AllocsPerRun(10, fill); n > 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
