package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// damaged is a damaged report and what Verify must report about it.
type damaged struct {
	t       *rapid.T
	dst     *membucket.Bucket
	rep     *report.Report
	records [][]stocktake.Record // of each shard

	file string // that some finding must name; empty: any
	row  int64  // that some finding must name; 0: any
}

// damages are the kinds of damage that an attacker or a broken disk can cause. Each returns
// false if the report is too small for it.
var damages = map[string]func(d *damaged) bool{
	"a flipped bit": func(d *damaged) bool {
		d.file = d.anyShard().Key
		raw := slices.Clone(body(d.t, d.dst, d.file))
		bit := rapid.IntRange(0, 8*len(raw)-1).Draw(d.t, "bit")
		raw[bit/8] ^= 1 << (bit % 8)
		d.dst.Write(d.file, raw)
		return true
	},
	"a shard cut off": func(d *damaged) bool {
		d.file = d.anyShard().Key
		raw := body(d.t, d.dst, d.file)
		d.dst.Write(d.file, raw[:rapid.IntRange(0, len(raw)-1).Draw(d.t, "left")])
		return true
	},
	"a missing row": func(d *damaged) bool {
		i, n := d.anyRow()
		if len(d.records[i]) == 1 {
			return false // the shard would be empty, which is another damage
		}
		d.rewrite(i, slices.Delete(slices.Clone(d.records[i]), n, n+1))
		return true
	},
	"a doubled row": func(d *damaged) bool {
		i, n := d.anyRow()
		rows := d.records[i]
		d.rewrite(i, slices.Insert(slices.Clone(rows), n, rows[n]))
		d.row = int64(n) + 2
		return true
	},
	"an extra row in its place": func(d *damaged) bool {
		i, n := d.anyRow()
		extra := d.records[i][n]
		extra.Key = append(bytes.Clone(extra.Key), 0)
		last := n
		for last+1 < len(d.records[i]) && bytes.Equal(d.records[i][last+1].Key, d.records[i][n].Key) {
			last++
		}
		d.rewrite(i, slices.Insert(slices.Clone(d.records[i]), last+1, extra))
		return true
	},
	"an extra row out of order": func(d *damaged) bool {
		i, n := d.anyRow()
		extra := d.records[i][n]
		extra.Key = []byte{0}
		d.rewrite(i, slices.Insert(slices.Clone(d.records[i]), n+1, extra))
		d.row = int64(n) + 2
		return true
	},
	"another value in a row": func(d *damaged) bool {
		i, n := d.anyRow()
		rows := slices.Clone(d.records[i])
		if rows[n].IsDeleteMarker {
			return false // it has none
		}
		rows[n].Size++
		d.rewrite(i, rows)
		d.file = directory + report.RollupName // only the counts differ
		return true
	},
	"swapped shards": func(d *damaged) bool {
		if len(d.records) < 2 || bytes.Equal(d.records[0][0].Key, d.records[1][len(d.records[1])-1].Key) {
			return false // rows of one key have no order that Verify could check
		}
		d.rewrite(0, d.records[1])
		d.file = ""
		d.rewrite(1, d.records[0])
		return true
	},
	"swapped files": func(d *damaged) bool {
		if len(d.records) < 2 {
			return false
		}
		first, second := d.rep.Manifest.Files[0].Key, d.rep.Manifest.Files[1].Key
		raw := body(d.t, d.dst, first)
		d.dst.Write(first, body(d.t, d.dst, second))
		d.dst.Write(second, raw)
		d.file = second
		return true
	},
	"a manifest with another size": func(d *damaged) bool {
		f := d.anyShard()
		f.Size++
		return d.writeManifest()
	},
	"a manifest with another MD5": func(d *damaged) bool {
		f := d.anyShard()
		f.MD5 = strings.Repeat("0", 32)
		return d.writeManifest()
	},
	"a manifest that lacks a shard": func(d *damaged) bool {
		d.rep.Manifest.Files = d.rep.Manifest.Files[1:]
		d.writeManifest()
		d.file = ""
		return true
	},
	"a manifest with another bucket": func(d *damaged) bool {
		d.rep.Manifest.SourceBucket = "videos"
		return d.writeManifest()
	},
	"a roll-up that lies": func(d *damaged) bool {
		sums, err := d.rep.ReadRollup(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		numbers := numbersOf(sums)
		*numbers[rapid.IntRange(0, len(numbers)-1).Draw(d.t, "number")]++
		d.rewriteRollup(marshal(d.t, sums))
		return true
	},
	"a roll-up that leaves a prefix out": func(d *damaged) bool {
		sums, err := d.rep.ReadRollup(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		if len(sums.Prefixes) == 1 {
			return false
		}
		sums.Prefixes = sums.Prefixes[:len(sums.Prefixes)-1]
		d.rewriteRollup(marshal(d.t, sums))
		return true
	},
	"a flipped bit of the roll-up": func(d *damaged) bool {
		d.file = directory + report.RollupName
		raw := slices.Clone(body(d.t, d.dst, d.file))
		raw[rapid.IntRange(0, len(raw)-1).Draw(d.t, "byte")] ^= 1
		d.dst.Write(d.file, raw)
		return true
	},
}

// numbersOf returns the counts of a roll-up that rows add up to.
func numbersOf(r *rollup.Rollup) (numbers []*int64) {
	numbers = append(numbers, &r.Rows, &r.Objects, &r.Bytes, &r.DeleteMarkers, &r.Noncurrent.Bytes)
	for i := range r.Classes {
		numbers = append(numbers, &r.Classes[i].Objects, &r.Classes[i].Bytes)
	}
	for i := range r.Sizes {
		numbers = append(numbers, &r.Sizes[i].Objects, &r.Sizes[i].From)
	}
	for i := range r.Ages {
		numbers = append(numbers, &r.Ages[i].Bytes, &r.Ages[i].From)
	}
	for i := range r.Extensions {
		numbers = append(numbers, &r.Extensions[i].Objects)
	}
	for i := range r.Prefixes {
		p := &r.Prefixes[i]
		numbers = append(numbers, &p.Objects, &p.Bytes, &p.Noncurrent.Objects, &p.Folded.Prefixes, &p.Folded.Bytes)
	}
	for i := range r.Largest {
		numbers = append(numbers, &r.Largest[i].Size)
	}
	return numbers
}

func (d *damaged) anyShard() *stocktake.ManifestFile {
	return &d.rep.Manifest.Files[rapid.IntRange(0, len(d.records)-1).Draw(d.t, "shard")]
}

// anyRow returns the numbers of a shard and of one of its rows.
func (d *damaged) anyRow() (shard, row int) {
	shard = rapid.IntRange(0, len(d.records)-1).Draw(d.t, "shard")
	return shard, rapid.IntRange(0, len(d.records[shard])-1).Draw(d.t, "row")
}

// rewrite replaces the rows of a shard by records, and makes manifest and summary consistent
// with the stored bytes.
func (d *damaged) rewrite(i int, records []stocktake.Record) {
	m, s := &d.rep.Manifest.Files[i], &d.rep.Summary.Files[i]
	d.file = m.Key
	open := func(int) io.WriteCloser { return &object{dst: d.dst, key: m.Key} }
	shard := shards(d.t, d.rep.Format, d.rep.Columns, report.Limits{}, len(records), records, open)[0]
	m.Size, m.MD5 = shard.Size, shard.MD5
	s.Size, s.MD5, s.SHA256, s.Pieces = shard.Size, shard.MD5, shard.SHA256, nil
	d.writeDocuments()
}

// writeManifest writes the changed manifest with its checksum.
func (d *damaged) writeManifest() bool {
	d.file = directory + report.SummaryName // which does not agree
	raw := d.rep.Manifest.AppendJSON(nil)
	d.dst.Write(directory+report.ManifestName, raw)
	d.dst.Write(directory+report.ChecksumName, []byte(report.Checksum(raw)))
	return true
}

func (d *damaged) writeDocuments() {
	file := d.file
	d.writeManifest()
	d.file = file
	d.dst.Write(directory+report.SummaryName, marshal(d.t, d.rep.Summary))
}

// rewriteRollup replaces the roll-up by raw, and makes the summary consistent with it.
func (d *damaged) rewriteRollup(raw []byte) {
	d.file = directory + report.RollupName
	d.dst.Write(d.file, raw)
	d.rep.Summary.Rollup = report.DescribeRollup(raw)
	d.writeDocuments()
}

// In every format, an undamaged report verifies, and any damage is found in its place.
func TestVerifyFindsAnyDamage(t *testing.T) {
	names := slices.Sorted(maps.Keys(damages))
	for _, f := range report.Formats() {
		t.Run(f.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				damage := damages[rapid.SampledFrom(names).Draw(t, "damage")]
				versions := rapid.Bool().Draw(t, "versions")
				records := membucket.RandomRecords(t, 20, versions)
				if len(records) == 0 {
					t.Skip("no records")
				}
				rows := rapid.IntRange(1, 9).Draw(t, "rows of a shard")
				dst := membucket.New(nil, "reports").Bucket("reports")
				rep := writeAs(t, f, dst, report.Limits{Rows: int64(rows)}, allColumns, records)
				if v := verify(t, dst); !v.OK || len(v.Unchecked) > 0 {
					t.Fatalf("before the damage: %+v", v)
				}
				d := &damaged{t: t, dst: dst, rep: rep, records: slices.Collect(slices.Chunk(records, rows))}
				if !damage(d) {
					t.Skip("nothing to damage")
				}
				v := verify(t, dst)
				found := slices.ContainsFunc(v.Findings, func(f report.Finding) bool {
					return (d.file == "" || f.File == d.file) && (d.row == 0 || f.Row == d.row)
				})
				if v.OK || !found {
					t.Errorf("found %v, want file %q, row %d", v.Findings, d.file, d.row)
				}
			})
		})
	}
}

// Hashes alone detect changed bytes, and only those.
func TestVerifyHashes(t *testing.T) {
	dst := membucket.New(nil, "reports").Bucket("reports")
	rep := write(t, dst, report.Limits{Rows: 100}, tenColumns, membucket.UniformRecords(1000))
	told := int64(-1) // the report is smaller than a step of the progress
	check := func() *report.Verification {
		v, err := report.Verify(t.Context(), dst, rep.Key, report.VerifyOptions{Hashes: true, Progress: func(n int64) { told = n }})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if v := check(); !v.OK || v.Rows != 1000 || v.Stored == 0 || len(v.Unchecked) != 1 {
		t.Errorf("%+v", v)
	}
	key := rep.Manifest.Files[3].Key
	raw := slices.Clone(body(t, dst, key))
	raw[len(raw)/2] ^= 1
	dst.Write(key, raw)
	var got []report.Check
	for _, f := range check().Findings {
		if f.File != key {
			t.Errorf("finding %v", f)
		}
		got = append(got, f.Check)
	}
	if want := []report.Check{report.CheckMD5, report.CheckSHA256}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if err := dst.Remove(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if f := check().Findings; len(f) != 1 || f[0].Check != report.CheckMissing {
		t.Errorf("found %v", f)
	}
	if told != -1 {
		t.Errorf("told of %d bytes", told)
	}
}

// A roll-up may be missing, of another version, or of another report.
func TestVerifyRollup(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*rollup.Rollup)
		want string // empty: nothing is wrong
	}{
		"another version": {func(r *rollup.Rollup) { r.Version = 2 }, ""},
		"another bucket":  {func(r *rollup.Rollup) { r.Bucket = "videos" }, `bucket "videos", the report says "photos"`},
		"another run":     {func(r *rollup.Rollup) { r.Run = "x" }, `run "x", the report says "run-1"`},
		"another total":   {func(r *rollup.Rollup) { r.Bytes++ }, "the total is "},
		"a prefix":        {func(r *rollup.Rollup) { r.Prefixes[0].Objects-- }, `prefix "" is {"objects":999,`},
		"no largest":      {func(r *rollup.Rollup) { r.Largest = nil }, "is missing; the rows add up to"},
		"nothing":         {func(r *rollup.Rollup) { *r = rollup.Rollup{} }, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			dst := membucket.New(nil, "reports").Bucket("reports")
			rep := write(t, dst, report.Limits{Rows: 100}, tenColumns, membucket.UniformRecords(1000))
			sums, err := rep.ReadRollup(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.edit(sums)
			raw := marshal(t, sums)
			dst.Write(directory+report.RollupName, raw)
			rep.Summary.Rollup = report.DescribeRollup(raw)
			about, err := json.Marshal(rep.Summary)
			if err != nil {
				t.Fatal(err)
			}
			dst.Write(directory+report.SummaryName, about)
			v := verify(t, dst)
			if name == "nothing" || name == "another version" {
				if v.OK && len(v.Unchecked) != 1 {
					t.Errorf("%+v", v)
				}
				return
			}
			if got := fmt.Sprint(v.Findings); !strings.Contains(got, c.want) {
				t.Errorf("found %s, want %q", got, c.want)
			}
		})
	}
}
