package reporttext

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
)

// Neither totals nor findings contain anything that controls a terminal.
func TestSummaryIsPrintable(t *testing.T) {
	hostile := "\x1b[2J\x1b]0;title\a\x9b31m\u202e\r\n\t\xff"
	b := rollup.New(rollup.Options{Start: time.Now()})
	b.Add([]stocktake.Record{{Key: []byte(hostile + "/" + hostile + ".\x1bc"), Size: 1, LastModified: 1}})
	sums := b.Part()
	sums.Seal()
	sums.Classes[0].StorageClass = hostile // as an untrusted file may say
	sums.Largest[0].StorageClass = hostile
	sums.Extensions[0].Extension = hostile
	var out strings.Builder
	c := SummaryOptions{Depth: 1, Top: 10, Order: "bytes"}
	if err := PrintSummary(&out, sums, Groups(sums, c), c); err != nil {
		t.Fatal(err)
	}
	PrintVerification(&out, &report.Verification{
		Findings:  []report.Finding{{File: hostile, Check: report.Check(hostile), Row: 1, Detail: hostile}},
		Unchecked: []string{hostile},
	})
	for line := range strings.Lines(out.String()) {
		if i := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q", line)
		}
	}
	if !strings.Contains(out.String(), `\x1b[2J`) {
		t.Errorf("the prefix is not shown:\n%s", out.String())
	}
}
