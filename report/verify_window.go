package report

import (
	"github.com/stocktake/stocktake"
)

// CheckSequence is made of incremental reports alone: sequence numbers ascend, and
// changes lie in the window.
const CheckSequence Check = "sequence"

// checkSequence checks the place of a change in the window. Files of OSS have no defined
// order, so only rows of one file are compared, unless the report has a summary.
func (c *shardCheck) checkSequence(row *Row, n int64) {
	m, ch := &c.rep.Manifest, &row.Change
	if c.rep.Has(stocktake.FieldRecordTimestamp) && (ch.Time < m.StartTimestamp*1000 || ch.Time >= m.EndTimestamp*1000) {
		c.find(CheckSequence, n, "RecordTimestamp is outside the window")
	}
	if !c.rep.Has(stocktake.FieldSequenceNumber) {
		return
	}
	if ch.Sequence <= c.sequence && c.rows > 1 {
		c.find(CheckSequence, n, "SequenceNumber %d follows the greater number %d", ch.Sequence, c.sequence)
	}
	if c.rows == 1 {
		c.firstSequence = ch.Sequence
	}
	c.sequence = ch.Sequence
	if s := c.rep.Summary; s != nil && s.Window != nil && (ch.Sequence <= s.Window.After.Sequence || ch.Sequence > s.Window.Until.Sequence) {
		c.find(CheckSequence, n, "SequenceNumber %d is outside %d to %d, the range in the summary", ch.Sequence, s.Window.After.Sequence+1, s.Window.Until.Sequence)
	}
}

// compareWindowFiles checks the files of an incremental report against each other and
// against the summary.
func (v *verifier) compareWindowFiles(shards []*shardCheck) {
	last := uint64(0)
	for _, c := range shards {
		v.out.Findings = append(v.out.Findings, c.findings...)
		v.out.Stored += c.stored
		v.out.Rows += c.rows
		if v.rep.Summary != nil && c.rows > 0 && v.rep.Has(stocktake.FieldSequenceNumber) {
			if c.firstSequence <= last {
				v.find(c.file.Key, CheckSequence, "the first SequenceNumber %d follows %d, the last of the previous file", c.firstSequence, last)
			}
			last = c.sequence
		}
	}
	switch s := v.rep.Summary; {
	case s == nil && len(shards) > 1:
		v.unchecked("that no change is in two files: OSS does not promise an order of files")
	case s != nil && s.Matched != v.out.Rows:
		v.find(v.rep.sibling(SummaryName), CheckTotals, "%d records matched, the files have %d rows", s.Matched, v.out.Rows)
	}
}

// compareWindow compares the summary with the manifest.
func (v *verifier) compareWindow(bad func(format string, args ...any)) {
	m, s := &v.rep.Manifest, v.rep.Summary
	if s.Window == nil {
		bad("it does not say which changes the window has")
		return
	}
	if s.Start.Unix() != m.StartTimestamp || s.End.Unix() != m.EndTimestamp {
		bad("from %s to %s, the manifest says %d to %d", timeText(s.Start), timeText(s.End), m.StartTimestamp, m.EndTimestamp)
	}
	if s.Window.Until.Sequence < s.Window.After.Sequence {
		bad("changes after %d up to %d", s.Window.After.Sequence, s.Window.Until.Sequence)
	}
}
