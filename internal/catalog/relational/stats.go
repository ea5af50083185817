package relational

import "time"

// Stats are counts of a catalog since it was opened.
type Stats struct {
	Changes int64         // requested changes
	Commits int64         // committed transactions
	Errors  int64         // failed transactions
	Took    time.Duration // of all transactions, including failed ones
}
