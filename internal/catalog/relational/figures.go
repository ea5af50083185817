package relational

import (
	"context"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

var _ inventory.FigureCatalog = (*Catalog)(nil)

// failing reports whether the configuration c is failing.
const failing = `coalesce((SELECT r.state FROM runs r
	WHERE r.bucket = c.bucket AND r.configuration = c.id AND r.kind = 'full' AND r.state IN ('succeeded', 'failed')
	ORDER BY r.seq DESC LIMIT 1), '') = 'failed'`

const (
	countUnfinished = `SELECT state, kind, count(*), count(CASE WHEN late = 1 THEN 1 END) FROM runs WHERE ended = 0 GROUP BY state, kind`
	countScheduled  = `SELECT count(*) FROM configurations WHERE wake > 0`
	countFailing    = `SELECT count(*) FROM configurations c WHERE ` + failing

	selectOldestWindow = `SELECT coalesce(min(w.window_start), 0) FROM windows w
	JOIN configurations c ON c.bucket = w.bucket AND c.id = w.configuration WHERE c.suspended = 0`

	selectFigures = `SELECT c.bucket, c.document, c.created, c.due, s.failing,
	coalesce(f.started, 0), coalesce(f.ended, 0), coalesce(f.matched, 0), coalesce(f.bytes, 0),
	coalesce((SELECT r.ended FROM runs r WHERE r.bucket = c.bucket AND r.configuration = c.id AND r.kind = 'incremental'
	AND r.state = 'succeeded' ORDER BY r.seq DESC LIMIT 1), 0),
	coalesce((SELECT w.window_start FROM windows w WHERE w.bucket = c.bucket AND w.configuration = c.id AND c.suspended = 0), 0)
	FROM (SELECT c.bucket, c.id, ` + failing + ` AS failing FROM configurations c ORDER BY failing DESC, c.bucket, c.id LIMIT $1 + 0) s
	JOIN configurations c ON c.bucket = s.bucket AND c.id = s.id
	LEFT JOIN runs f ON f.bucket = c.bucket AND f.configuration = c.id AND f.seq =
	(SELECT r.seq FROM runs r WHERE r.bucket = c.bucket AND r.configuration = c.id AND r.kind = 'full'
	AND r.state = 'succeeded' ORDER BY r.seq DESC LIMIT 1)
	ORDER BY s.failing DESC, c.bucket, c.id`
)

// CountUnfinished implements [inventory.FigureCatalog].
func (c *Catalog) CountUnfinished(ctx context.Context) (map[inventory.UnfinishedKey]inventory.UnfinishedCount, error) {
	counts := map[inventory.UnfinishedKey]inventory.UnfinishedCount{}
	err := c.db.Rows(ctx, countUnfinished, func(scan Scanner) error {
		var key inventory.UnfinishedKey
		var n inventory.UnfinishedCount
		if err := scan(&key.State, &key.Kind, &n.Runs, &n.Late); err != nil {
			return err
		}
		counts[key] = n
		return nil
	})
	return counts, c.wrap("count runs", err)
}

// Figures implements [inventory.FigureCatalog].
func (c *Catalog) Figures(ctx context.Context, max int) (f inventory.Figures, err error) {
	for _, q := range []struct {
		text string
		n    *int64
	}{{selectConfigurationsSum, &f.Configurations}, {countScheduled, &f.Scheduled}, {countFailing, &f.Failing}} {
		if *q.n, err = c.number(ctx, q.text); err != nil {
			return f, c.wrap("count configurations", err)
		}
	}
	oldest, err := c.number(ctx, selectOldestWindow)
	if err != nil {
		return f, c.wrap("read the oldest window", err)
	}
	f.Window = instant(oldest)
	if max <= 0 {
		return f, nil
	}
	err = c.db.Rows(ctx, selectFigures, func(scan Scanner) error {
		figure, err := c.scanFigure(scan)
		f.Shown = append(f.Shown, figure)
		return err
	}, max)
	return f, c.wrap("describe configurations", err)
}

func (c *Catalog) scanFigure(scan Scanner) (f inventory.Figure, err error) {
	var row entryRow
	var full stocktake.Run
	var started, ended, incremental, window int64
	if err := scan(&f.Bucket, &row.document, &row.created, &row.due, &f.Failing, &started, &ended, &full.Matched, &full.Bytes, &incremental, &window); err != nil {
		return f, err
	}
	e, err := c.entry(&row)
	if err != nil {
		return f, err
	}
	f.Configuration, f.Frequency, f.Created, f.Due = e.Configuration.ID, e.Configuration.Schedule.Frequency, e.Created, e.Due
	if ended > 0 {
		full.Started, full.Ended = instant(started), instant(ended)
		f.Full = &full
	}
	f.Incremental, f.Window = instant(incremental), instant(window)
	return f, nil
}
