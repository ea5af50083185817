package stocktake_test

import (
	"fmt"

	"github.com/stocktake/stocktake"
)

func ExampleMatcher_Match() {
	big := stocktake.NewMatcher(stocktake.Filter{Prefix: "photos/", LowerSizeBound: 1 << 20}, true)

	for _, r := range []stocktake.Record{
		{Key: []byte("photos/cat.jpg"), Size: 3 << 20, IsLatest: true},
		{Key: []byte("photos/cat.jpg"), Size: 4 << 20}, // an older version
		{Key: []byte("photos/cat.thumb.jpg"), Size: 9 << 10, IsLatest: true},
		{Key: []byte("videos/cat.mp4"), Size: 80 << 20, IsLatest: true},
	} {
		fmt.Println(string(r.Key), big.Match(&r))
	}
	// Output:
	// photos/cat.jpg true
	// photos/cat.jpg false
	// photos/cat.thumb.jpg false
	// videos/cat.mp4 false
}

func ExampleManifest_AppendJSON() {
	m := stocktake.Manifest{
		CreationTimestamp: 1767628800, SourceBucket: "photos", DestinationBucket: "reports",
		FileFormat: stocktake.FormatCSV, FileSchema: "Bucket, Key, Size", Version: stocktake.ManifestVersion,
	}
	fmt.Println(string(m.AppendJSON(nil)))
	// Output: {"creationTimestamp":"1767628800","destinationBucket":"reports","fileFormat":"CSV","fileSchema":"Bucket, Key, Size","files":[],"sourceBucket":"photos","version":"2019-09-01"}
}
