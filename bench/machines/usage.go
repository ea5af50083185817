package machines

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stocktake/stocktake/bench/internal/farserver"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// A clusterLoad is the total load of the processes of machines and of the database
// until now.
type clusterLoad struct {
	at                        time.Time
	servers, far, reports, pg time.Duration // processor time
	perServer                 []time.Duration
	pages                     int64 // of listings
	statements, transactions  int64
	statementTime             time.Duration
	wal, size                 int64 // bytes
	connections               int64
}

// countersQuery reads the counters of the server and of its database. Those of this
// process are a handful.
const countersQuery = `SELECT
	(SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements),
	(SELECT coalesce(sum(total_exec_time), 0)::float8 FROM pg_stat_statements),
	(SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()),
	(pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
	pg_database_size(current_database()),
	(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stocktake')`

// load reads all counters.
func (m *machines) load(ctx context.Context) (l clusterLoad, err error) {
	l.at = time.Now()
	for i, s := range m.servers {
		if slices.Contains(m.dead, i) {
			continue // its time is not counted any more
		}
		u, err := measure.Of(s.PID())
		if err != nil {
			return l, err
		}
		l.servers += u.CPU
		l.perServer = append(l.perServer, u.CPU)
	}
	for pid, to := range map[int]*time.Duration{m.far.Cmd.Process.Pid: &l.far, m.reports.PID(): &l.reports} {
		u, err := measure.Of(pid)
		if err != nil {
			return l, err
		}
		*to = u.CPU
	}
	pid, err := m.pg.PID()
	if err != nil {
		return l, err
	}
	if l.pg, err = measure.FamilyCPU(pid); err != nil {
		return l, err
	}
	if l.pages, _, err = farserver.Stats(ctx, m.far.URL); err != nil {
		return l, err
	}
	var ms float64
	err = m.db.QueryRow(ctx, countersQuery).Scan(&l.statements, &ms, &l.transactions, &l.wal, &l.size, &l.connections)
	l.statementTime = time.Duration(ms * float64(time.Millisecond))
	return l, err
}

// since returns the difference of l and before.
func (l clusterLoad) since(before clusterLoad) clusterLoad {
	d := clusterLoad{
		at: l.at, servers: l.servers - before.servers, far: l.far - before.far, reports: l.reports - before.reports, pg: l.pg - before.pg,
		pages: l.pages - before.pages, statements: l.statements - before.statements, transactions: l.transactions - before.transactions,
		statementTime: l.statementTime - before.statementTime, wal: l.wal - before.wal, size: l.size - before.size, connections: l.connections,
	}
	for i := range min(len(l.perServer), len(before.perServer)) {
		d.perServer = append(d.perServer, l.perServer[i]-before.perServer[i])
	}
	return d
}

// cpu returns the processor time of all processes.
func (l *clusterLoad) cpu() time.Duration { return l.servers + l.far + l.reports + l.pg }

// busy returns the share of the processors that all processes used during took.
func (l *clusterLoad) busy(took time.Duration, cpus int) measure.Figure {
	return measure.Figure{Value: 100 * l.cpu().Seconds() / (took.Seconds() * float64(cpus)), Unit: "%-of-processors"}
}

// statementsText returns the statements that took most, for people.
func statementsText(ctx context.Context, db *pgxpool.Pool, most int) (text string, err error) {
	rows, err := db.Query(ctx, `SELECT calls, total_exec_time, rows, regexp_replace(left(query, 110), '\s+', ' ', 'g')
		FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT $1`, most)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	text = fmt.Sprintf("%9s %9s %9s  statement\n", "calls", "ms", "rows")
	for rows.Next() {
		var calls, n int64
		var ms float64
		var query string
		if err := rows.Scan(&calls, &ms, &n, &query); err != nil {
			return "", err
		}
		text += fmt.Sprintf("%9d %9.0f %9d  %s\n", calls, ms, n, query)
	}
	return text, rows.Err()
}
