package store_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
)

func ExampleStore() {
	ctx := context.Background()
	by := object.Origin{Principal: "1"} // usually of a request
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	s, err := store.Open(ctx, dir, store.Options{})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	if err := s.CreateBucket(ctx, by, object.Bucket{Name: "photos", Owner: "1", ACL: stocktake.Private}, false); err != nil {
		panic(err)
	}
	for _, key := range []string{"cat.jpg", "2026/dog.jpg"} {
		if _, err := s.PutObject(ctx, by, object.Put{Bucket: "photos", Key: key, Size: -1}, strings.NewReader("a picture of "+key)); err != nil {
			panic(err)
		}
	}

	// A snapshot does not see what comes after it.
	snapshot, err := s.Source().Snapshot(ctx, "photos")
	if err != nil {
		panic(err)
	}
	defer snapshot.Close()
	if _, err := s.Delete(ctx, by, object.Version{Bucket: "photos", Key: "cat.jpg"}); err != nil {
		panic(err)
	}
	err = snapshot.Scan(ctx, engine.Segment{}, false, func(batch []stocktake.Record) error {
		for _, r := range batch {
			fmt.Printf("%s, %d bytes\n", r.Key, r.Size)
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// 2026/dog.jpg, 25 bytes
	// cat.jpg, 20 bytes
}
