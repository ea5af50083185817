package engine

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A record reads back, also records of versions before the compression. Truncated or
// changed records are refused.
func TestPublicationReadsBack(t *testing.T) {
	for name, p := range map[string]*publication{
		"with a roll-up": {Manifest: []byte("{manifest}\n"), Summary: []byte(`{"files":[]}`), Rollup: []byte("{}")},
		"without":        {Manifest: []byte("m"), Summary: []byte("s"), Rollup: []byte{}},
	} {
		recorded, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodePublication(recorded)
		if diff := cmp.Diff(p, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		for n := range recorded {
			if got, err := decodePublication(recorded[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes read as %+v", name, n, len(recorded), got)
			}
		}
	}
	before := &publication{Manifest: []byte("m"), Summary: []byte("s")}
	recorded, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodePublication(recorded)
	if diff := cmp.Diff(before, got); err != nil || diff != "" {
		t.Errorf("of an earlier version: %v\n%s", err, diff)
	}
}
