package main

// reportCmd is `stocktake report`.
type reportCmd struct {
	Ls     reportLs     `cmd:"" help:"List reports in a bucket or a folder."`
	Show   reportShow   `cmd:"" help:"Show a report: manifest, first rows, totals, largest prefixes."`
	Verify reportVerify `cmd:"" help:"Check every file of a report against its manifest and summary. Exit code 1 if anything is wrong."`
}
