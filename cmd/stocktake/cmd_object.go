package main

// objectCmd is `stocktake object`: enough to fill and inspect a bucket without
// another client.
type objectCmd struct {
	Put objectPut `cmd:"" help:"Upload files and folders."`
	Get objectGet `cmd:"" help:"Download objects."`
	Ls  objectLs  `cmd:"" aliases:"list" help:"List objects."`
	Rm  objectRm  `cmd:"" help:"Delete objects."`
	Cp  objectCp  `cmd:"" help:"Copy objects from bucket to bucket."`
}
