package csvtext

import (
	"context"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/format"
)

// A reader reads shards. It is a [format.TextReader].
type reader struct {
	Rows
	file io.ReadCloser // nil: none is open
}

func newReader(columns []stocktake.Field) *reader { return &reader{Rows: NewRows(columns)} }

// Open implements [format.Reader].
func (r *reader) Open(ctx context.Context, f format.File, at format.Place) error {
	if err := r.Close(); err != nil {
		return err
	}
	if at.Offset < 0 || at.Row < 0 {
		return fmt.Errorf("csvtext: no piece begins at byte %d, row %d", at.Offset, at.Row)
	}
	file, err := f.Open(ctx, at.Offset, -1)
	if err != nil {
		return err
	}
	r.file = file
	r.Begin(file, at.Row)
	return nil
}

// Close implements [format.Reader].
func (r *reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	r.End()
	return err
}
