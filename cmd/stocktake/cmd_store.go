package main

// storeCmd is `stocktake store`.
type storeCmd struct {
	Audit storeAudit `cmd:"" help:"Check the store of a server that is not running: that index and files agree; exit code 1 if anything is wrong."`
}
