package kms

import "github.com/stocktake/stocktake/internal/securefile"

// FailReplace makes every write fail with err.
func (k *Keys) FailReplace(err error) {
	k.doc.Storage.(*securefile.File).Replace = func(string, []byte) error { return err }
}
