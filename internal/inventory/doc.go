// Package inventory is the inventory service: it keeps configurations, makes their runs when they
// are due, with a fair share for each bucket, and records the results.
//
// Its whole state is in a [Catalog]; in memory it has only the runs that wait or are in progress.
// An idle service costs nothing, whatever the number of configurations: one timer is set for the
// earliest of them.
//
// The states of a run follow. Each is written to the catalog before it takes effect; the first and
// the last are durable then:
//
//	            +--------------- crash, shutdown: attempt + 1 ---------------+
//	            v                                                            |
//	put, due,  queued --> scanning --> publishing --> succeeded              |
//	run now     |            |  +----------|-------------------------------->+
//	            |            +-----------> +--------> failed, with a reason
//	            +------------+-----------> +--------> cancelled
//
// and skipped, the state of a run that fell due while another was in progress.
package inventory
