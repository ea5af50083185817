package main

// storeCmd is `stocktake store`.
type storeCmd struct {
	Audit  storeAudit  `cmd:"" help:"Check that index and files of a stopped server's store agree. Exit code 1 if anything is wrong."`
	Check  storeCheck  `cmd:"" help:"Try a store of the settings file: list, write, read, delete. Exit code 1 if runs cannot use it."`
	List   storeList   `cmd:"" aliases:"ls" help:"List the stores of the settings file."`
	Backup storeBackup `cmd:"" help:"Make a running server back up its whole data folder."`
	Repair storeRepair `cmd:"" help:"Rebuild the damaged index of a stopped server from its readable parts and its checkpoints."`
	Scrub  storeScrub  `cmd:"" help:"Read all stored bytes of a running or stopped server and compare them with their checksums. Exit code 1 if any is damaged."`
}
