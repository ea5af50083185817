package report

// SetPartRows sets how many rows a part of a comparison has, until restore is
// called.
func SetPartRows(n int64) (restore func()) {
	old := partRows
	partRows = n
	return func() { partRows = old }
}
