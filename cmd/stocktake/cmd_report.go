package main

// reportCmd is `stocktake report`.
type reportCmd struct {
	Ls     reportLs     `cmd:"" help:"List the reports below a place."`
	Show   reportShow   `cmd:"" help:"Show a report: manifest, first rows, totals, largest prefixes."`
	Verify reportVerify `cmd:"" help:"Check every file of a report against its manifest and summary; exit code 1 if anything is wrong."`
}
