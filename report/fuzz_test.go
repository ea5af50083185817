package report_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

// FuzzVerify passes untrusted files to Verify. Verify reports what is wrong with them; it finds
// nothing only if nothing is wrong.
func FuzzVerify(f *testing.F) {
	good := example()
	const shard, dir = "photos/daily/data/0.csv.gz", "photos/daily/2026-01-05T16-00Z/"
	rows := gunzip(f, good[shard])
	for _, changed := range [][]byte{rows, rows[:len(rows)-3], bytes.ReplaceAll(rows, []byte("%2F"), []byte("+")), nil, []byte("\n\n\"")} {
		f.Add(good[dir+report.ManifestName], []byte(`{"version":1,"bucket":"photos","files":[{}]}`), changed)
	}
	f.Fuzz(func(t *testing.T, manifest, summary, rows []byte) {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		w.Write(rows)
		w.Close()
		b := files{
			shard: packed.Bytes(), dir + report.ManifestName: manifest, dir + report.SummaryName: summary,
			dir + report.ChecksumName: []byte(report.Checksum(manifest)),
		}
		v, err := report.Verify(t.Context(), b, dir+report.ManifestName, report.VerifyOptions{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Error(err)
		}
		m, err := stocktake.ParseManifest(manifest)
		if v.OK && (err != nil || v.Files != len(m.Files)) {
			t.Errorf("found nothing wrong with %q: %v", manifest, err)
		}
		if v.OK != (len(v.Findings) == 0) {
			t.Errorf("%+v", v)
		}
	})
}
