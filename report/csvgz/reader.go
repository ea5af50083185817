package csvgz

import (
	"context"
	"fmt"
	"io"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inflate"
	"github.com/stocktake/stocktake/report/csvtext"
	"github.com/stocktake/stocktake/report/format"
)

// A reader reads shards, those of this package and those of OSS. It is a
// [format.TextReader].
type reader struct {
	csvtext.Rows
	file io.ReadCloser   // nil: no file is open
	text *inflate.Reader // of file, decompressed
}

func newReader(columns []stocktake.Field) *reader {
	return &reader{Rows: csvtext.NewRows(columns), text: new(inflate.Reader)}
}

// Open implements [format.Reader]. A shard that is read from its beginning may have
// several gzip members, whose checksums are verified. The checksum of a shard that
// is read from a later piece cannot be verified.
func (r *reader) Open(ctx context.Context, f format.File, at format.Place) error {
	if err := r.Close(); err != nil {
		return err
	}
	if at.Offset < 0 || at.Row < 0 {
		return fmt.Errorf("csvgz: no piece begins at byte %d, row %d", at.Offset, at.Row)
	}
	file, err := f.Open(ctx, at.Offset, -1)
	if err != nil {
		return err
	}
	r.file = file
	r.Begin(r.text, at.Row)
	if at.Offset == 0 {
		r.text.ResetGzip(file)
	} else {
		r.text.ResetRaw(file)
	}
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
