// Package inventory is the service: it keeps configurations, knows when they are
// due, makes their runs with a fair share for each bucket, and reports their
// results.
//
// Everything it knows is in a [Catalog]; in memory it has only the runs that
// wait or are under way. So an idle service costs nothing, whatever the number
// of configurations: one timer is set for the earliest of them.
//
// A run's states, each written to the catalog before anything follows from it,
// and the first and the last of them durable then:
//
//	            +--------------- crash, shutdown: attempt + 1 ---------------+
//	            v                                                            |
//	put, due,  queued --> scanning --> publishing --> succeeded              |
//	run now     |            |  +----------|-------------------------------->+
//	            |            +-----------> +--------> failed, with a reason
//	            +------------+-----------> +--------> cancelled
//
// and skipped, the state of a run that fell due while another was under way.
package inventory
