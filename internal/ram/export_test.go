package ram

import "github.com/stocktake/stocktake/internal/securefile"

// LookNow lets d look at its files with the next call, as it does once a
// second.
func (d *Directory) LookNow() { d.watch.LookNow() }

// FailReplace makes every write fail with err; nil: no more.
func (d *Directory) FailReplace(err error) {
	d.replace = securefile.Replace
	if err != nil {
		d.replace = func(string, []byte) error { return err }
	}
}

// Match is match, and the work that it took in bytes compared.
func Match(pattern, s string) (matches bool, work int) {
	b := budget{maxWork}
	matches = b.match(pattern, s)
	return matches, maxWork - b.left
}
