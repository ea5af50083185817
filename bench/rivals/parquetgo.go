package rivals

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/bench/internal/experiment"
)

// A parquetGoRow is a row as the plain writer of parquet-go takes it, with the
// columns of formatColumns and dictionaries where ours have them.
type parquetGoRow struct {
	Bucket           string `parquet:"bucket,dict"`
	Key              string `parquet:"key,delta"`
	Size             int64  `parquet:"size,delta"`
	LastModifiedDate int64  `parquet:"last_modified_date,delta,timestamp(millisecond)"`
	ETag             string `parquet:"e_tag"`
	StorageClass     string `parquet:"storage_class,dict"`
	Multipart        bool   `parquet:"is_multipart_uploaded"`
	Encrypted        bool   `parquet:"encryption_status"`
	ACL              string `parquet:"object_acl,dict"`
	TaggingCount     int64  `parquet:"tagging_count,delta"`
	Type             string `parquet:"object_type,dict"`
	CRC64            string `parquet:"crc64"`
}

func parquetGoRowOf(r *stocktake.Record) parquetGoRow {
	return parquetGoRow{
		Bucket: "lake-production", Key: string(r.Key), Size: r.Size, LastModifiedDate: r.LastModified * 1000, ETag: r.ETag.String(),
		StorageClass: r.StorageClass.String(), Multipart: r.Multipart, Encrypted: r.Encrypted, ACL: r.ACL.String(),
		TaggingCount: int64(r.TaggingCount), Type: r.Type.String(), CRC64: fmt.Sprint(r.CRC64),
	}
}

// parquetGo are the entrants of parquet-go's generic writer, each with as many
// goroutines as ours, which write a file each. Their rows are ready, too.
func (b *formatsBench) parquetGo(ours *experiment.Entrant) (entrants []*experiment.Entrant) {
	rows := make([]parquetGoRow, len(b.records))
	for i := range b.records {
		rows[i] = parquetGoRowOf(&b.records[i])
	}
	for _, c := range []struct {
		name  string
		codec compress.Codec
	}{{"zstd", &parquet.Zstd}, {"snappy", &parquet.Snappy}} {
		entrants = append(entrants, &experiment.Entrant{
			Name: "parquet-go/" + c.name, Ours: []*experiment.Entrant{ours},
			Says: fmt.Sprintf("parquet-go v0.32.0, GenericWriter, %s, %d goroutines", c.name, b.workers),
			Once: func(context.Context) (experiment.Execution, error) { return b.writeParquetGo(rows, c.codec) },
		})
	}
	return entrants
}

func (b *formatsBench) writeParquetGo(rows []parquetGoRow, codec compress.Codec) (experiment.Execution, error) {
	return timeParts(filepath.Join(b.Work, "parquet-go"), rows, b.workers, func(name string, part []parquetGoRow) error {
		return writeParquetGoFile(name, part, codec)
	})
}

func writeParquetGoFile(name string, rows []parquetGoRow, codec compress.Codec) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := parquet.NewGenericWriter[parquetGoRow](f, parquet.Compression(codec), parquet.MaxRowsPerRowGroup(1<<17))
	for part := range slices.Chunk(rows, 1<<14) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}
