package ram

import "github.com/stocktake/stocktake/internal/securefile"

// FailReplace makes every write fail with err; nil: no more.
func (d *Directory) FailReplace(err error) {
	d.doc.Storage.(*securefile.File).Replace = nil
	if err != nil {
		d.doc.Storage.(*securefile.File).Replace = func(string, []byte) error { return err }
	}
}

// Match is match, and the work that it took in bytes compared.
func Match(pattern, s string) (matches bool, work int) {
	b := budget{maxWork}
	matches = b.match(pattern, s)
	return matches, maxWork - b.left
}
