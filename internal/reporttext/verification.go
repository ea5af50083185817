package reporttext

import (
	"fmt"
	"io"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/report"
)

// PrintVerification prints the result of a verification.
func PrintVerification(w io.Writer, v *report.Verification) {
	if v.OK {
		terminal.Printf(w, "verified: %s, %s, %s stored; nothing is wrong\n", human.Many(int64(v.Files), "file"), human.Many(v.Rows, "row"), human.Size(v.Stored))
	}
	for _, f := range v.Findings {
		where := f.File
		if f.Row > 0 {
			where += fmt.Sprintf(" row %d", f.Row)
		}
		terminal.Printf(w, "WRONG  %s: %s: %s", human.Printable(where), human.Printable(string(f.Check)), human.Printable(f.Detail))
		if f.Count > 1 {
			terminal.Printf(w, " (and %d more)", f.Count-1)
		}
		terminal.Println(w)
	}
	for _, u := range v.Unchecked {
		terminal.Printf(w, "not checked: %s\n", human.Printable(u))
	}
}
