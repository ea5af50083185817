package relational

import "time"

// Stats are counts of a catalog since it was opened.
type Stats struct {
	Changes int64         // that were asked for
	Commits int64         // transactions that were made
	Errors  int64         // transactions that failed
	Took    time.Duration // of the transactions, failed ones included
}
