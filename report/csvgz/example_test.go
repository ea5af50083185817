package csvgz_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/csvgz"
)

func ExampleEncoder() {
	columns := []stocktake.Field{
		stocktake.FieldBucket, stocktake.FieldKey, stocktake.FieldSize, stocktake.FieldLastModifiedDate,
	}
	enc, err := csvgz.New("photos", columns)
	if err != nil {
		fmt.Println(err)
		return
	}

	join, err := csvgz.Format.NewJoiner("photos", columns)
	if err != nil {
		fmt.Println(err)
		return
	}

	var shard bytes.Buffer
	if err := join.Begin(&shard); err != nil {
		fmt.Println(err)
		return
	}
	enc.Reset(&shard)
	_, err = enc.Encode([]stocktake.Record{
		{Key: []byte("2026/01/a b.jpg"), Size: 102400, LastModified: 1767582245},
		{Key: []byte("2026/01/c.jpg"), Size: 7, LastModified: 1767582246},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	piece, err := enc.Close()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := errors.Join(join.Add(piece), join.End()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(piece.Rows, "rows of", piece.Size, "bytes")

	rows, err := gzip.NewReader(&shard)
	if err != nil {
		fmt.Println(err)
		return
	}
	io.Copy(os.Stdout, rows)
	// Output:
	// 2 rows of 117 bytes
	// photos,"2026%2F01%2Fa%20b.jpg","102400","2026-01-05T03-04-05Z"
	// photos,"2026%2F01%2Fc.jpg","7","2026-01-05T03-04-06Z"
}
