package report

// SetPartRows sets how many rows a part of a comparison has, until restore is
// called.
func SetPartRows(n int64) (restore func()) {
	old := partRows
	partRows = n
	return func() { partRows = old }
}

// SetSorting sets how many bytes of records are sorted at once, and how many runs
// are merged at once, until restore is called.
func SetSorting(memory, fanIn int) (restore func()) {
	oldMemory, oldFanIn := sortMemory, sortFanIn
	sortMemory, sortFanIn = memory, fanIn
	return func() { sortMemory, sortFanIn = oldMemory, oldFanIn }
}

// SetWaiting sets how many versions of one key may wait in a comparison, until restore is called.
func SetWaiting(n int) (restore func()) {
	old := maxWaiting
	maxWaiting = n
	return func() { maxWaiting = old }
}
