package sqlite

import (
	"context"

	"github.com/stocktake/stocktake/internal/catalog/relational"
)

// Rows implements [relational.Database].
func (d *database) Rows(ctx context.Context, text string, each func(relational.Scanner) error, args ...any) error {
	return d.read.rows(ctx, text, each, args)
}

// Change implements [relational.Database].
func (d *database) Change(ctx context.Context, do func(context.Context, relational.Tx) error) error {
	return d.write.now(ctx, func(ctx context.Context, t *tx) error { return do(ctx, t) })
}

// ChangeLazily implements [relational.Database].
func (d *database) ChangeLazily(ctx context.Context, do func(context.Context, relational.Tx) error) error {
	return d.write.later(ctx, func(ctx context.Context, t *tx) error { return do(ctx, t) })
}

// Explain implements [relational.Database].
func (d *database) Explain(err error) error { return damaged(err) }
