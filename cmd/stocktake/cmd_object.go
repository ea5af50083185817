package main

import (
	"errors"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/transfer"
)

// objectCmd is `stocktake object`: enough to fill and inspect a bucket without
// another client.
type objectCmd struct {
	Put objectPut `cmd:"" help:"Upload files and folders."`
	Get objectGet `cmd:"" help:"Download objects."`
	Ls  objectLs  `cmd:"" aliases:"list" help:"List objects."`
	Rm  objectRm  `cmd:"" help:"Delete objects."`
	Cp  objectCp  `cmd:"" help:"Copy objects from bucket to bucket."`
}

// parseAddress reads oss://BUCKET/KEY of a command line; the key may be empty.
func parseAddress(s string) (transfer.Address, error) {
	a, err := transfer.ParseAddress(s)
	if err != nil {
		return a, usageError{err}
	}
	return a, nil
}

// explainTransfer explains what failed of a transfer.
func explainTransfer(err error) error {
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok {
		return err
	}
	if _, ok := errors.AsType[*client.CallError](e.Err); ok {
		return explainCall(e.Err, e.Doing)
	}
	return explain(e.Err, e.Doing)
}
