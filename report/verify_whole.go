package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
)

// compareShards checks the shards against each other: their order, and versions that
// appear in two of them.
func (v *verifier) compareShards(shards []*shardCheck) {
	disorder, overflow := false, false
	var before *shardCheck
	var tail []uint64
	for _, c := range shards {
		v.out.Findings = append(v.out.Findings, c.findings...)
		disorder = disorder || c.disorder
		overflow = overflow || c.repeats.overflow
		if c.repeats.started == 0 {
			continue
		}
		end := c.repeats.boundary()
		head := c.repeats.head
		if c.repeats.started == 1 {
			head = end
		}
		if before != nil {
			switch order := slices.Compare(before.last, c.first); {
			case order > 0:
				disorder = true
				if v.rep.Summary != nil {
					v.find(c.file.Key, CheckOrder, "the first key %.200q follows the greater key %.200q, the last of the previous file", c.first, before.last)
				}
			case order == 0:
				if head == nil || tail == nil {
					overflow = true
				} else if n := common(tail, head); n > 0 {
					v.find(c.file.Key, CheckDuplicate, "%d versions of key %.200q are also in an earlier file", n, c.first)
				}
				if c.repeats.started == 1 && end != nil { // the next file may continue the key
					if end = append(end, tail...); len(end) > maxBoundaryVersions {
						end = nil
					}
					slices.Sort(end)
				}
			}
		}
		before, tail = c, end
	}
	if disorder && v.rep.Summary == nil {
		v.unchecked("that each version occurs once: the rows are not in key order, and OSS does not promise that order")
	}
	if overflow {
		v.unchecked("that each version occurs once: a key has more versions than can be compared")
	}
}

// common returns how many values two sorted lists share.
func common(a, b []uint64) (n int) {
	for _, h := range b {
		if _, ok := slices.BinarySearch(a, h); ok {
			n++
		}
	}
	return n
}

// sumHashed sums up shards whose rows were not read.
func (v *verifier) sumHashed(shards []*shardCheck) {
	for _, c := range shards {
		v.out.Findings = append(v.out.Findings, c.findings...)
		v.out.Stored += c.stored
		if c.summary != nil {
			v.out.Rows += c.summary.Rows
		}
	}
	v.unchecked("rows, keys, pieces and totals: only sizes and hashes were requested")
}

// checkTotals adds up all shards and compares the totals with the summary.
func (v *verifier) checkTotals(shards []*shardCheck) {
	var all Totals
	var rows int64
	for _, c := range shards {
		all.Merge(&c.totals)
		rows += c.rows
		v.out.Stored += c.stored
	}
	hasSize := slices.Contains(v.rep.Columns, stocktake.FieldSize)
	hasClass := slices.Contains(v.rep.Columns, stocktake.FieldStorageClass)
	v.out.Rows, v.out.Bytes = rows, all.Bytes
	if hasClass {
		v.out.Classes = all.Classes()
	}
	s := v.rep.Summary
	if s == nil {
		return
	}
	bad := func(format string, args ...any) { v.find(v.rep.sibling(SummaryName), CheckTotals, format, args...) }
	if s.Matched != rows {
		bad("%d records matched, the files have %d rows", s.Matched, rows)
	}
	switch {
	case !hasSize:
		v.unchecked("bytes in total: the report has no column Size")
	case s.Bytes != all.Bytes:
		bad("%d bytes matched, the rows add up to %d", s.Bytes, all.Bytes)
	}
	if !hasClass {
		v.unchecked("totals per class: the report has no column StorageClass")
		return
	}
	said := slices.Clone(s.Classes)
	if !hasSize {
		for i := range said {
			said[i].Bytes = 0
		}
	}
	if got := all.Classes(); !slices.Equal(got, said) {
		bad("the classes are %s; the rows add up to %s", classText(said), classText(got))
	}
}

// classText formats totals by class for a finding.
func classText(totals []stocktake.ClassTotal) string {
	if len(totals) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, c := range totals {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.40s: %d of %d bytes", c.StorageClass, c.Objects, c.Bytes)
	}
	return b.String()
}
