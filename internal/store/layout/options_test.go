package layout

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestJournalsHaveTablesOfTheirOwn: entries of journals move down the levels, and
// are not compacted together with what else was written at the time.
func TestJournalsHaveTablesOfTheirOwn(t *testing.T) {
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	o := Options(vfs.NewMem(), cache, pebble.DefaultLogger)
	o.DisableAutomaticCompactions = true
	db, err := pebble.Open("index", o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for round := range uint64(6) {
		for i := range uint64(3) {
			for _, key := range [][]byte{
				IDKey(SpaceData, round*3+i), AppendChangeKey(nil, 1, round*3+i), AppendVersionKey(nil, 1, string(rune('a'+i)), round), StatisticsKey(1),
			} {
				if err := db.Set(key, nil, pebble.NoSync); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
		journals := 0
		levels, err := db.SSTables()
		if err != nil {
			t.Fatal(err)
		}
		for _, tables := range levels {
			for _, table := range tables {
				first, last := table.Smallest.UserKey[0], table.Largest.UserKey[0]
				if first != last {
					t.Errorf("after flush %d: a table has keys of spaces %c and %c", round+1, first, last)
				}
				if first == SpaceJournal {
					journals++
				}
			}
		}
		if journals != int(round)+1 {
			t.Errorf("after flush %d: %d tables of journals", round+1, journals)
		}
	}
}
