package main

// storeCmd is `stocktake store`.
type storeCmd struct {
	Audit  storeAudit  `cmd:"" help:"Check that index and files of a stopped server's store agree. Exit code 1 if anything is wrong."`
	Check  storeCheck  `cmd:"" help:"Try what a store of the settings file can do: list, write, read, delete. Exit code 1 if runs cannot use it."`
	List   storeList   `cmd:"" aliases:"ls" help:"List the stores of the settings file."`
	Backup storeBackup `cmd:"" help:"Have a running server make a backup of its whole data folder."`
	Repair storeRepair `cmd:"" help:"Replace the damaged index of a stopped server by what can be read of it and of its checkpoints."`
	Scrub  storeScrub  `cmd:"" help:"Read all stored bytes, of a running server or a stopped one, and compare them with their checksums. Exit code 1 if any is damaged."`
}
