package farstore_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/keygen"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/s3bucket"
	"github.com/stocktake/stocktake/report"
)

// A report of a bucket that is listed over HTTP has its rows, each once, in order.
func TestReportOfFarBucket(t *testing.T) {
	for _, shape := range keygen.Shapes {
		t.Run(shape, func(t *testing.T) {
			b, err := keygen.New(shape, 20_000)
			if err != nil {
				t.Fatal(err)
			}
			far := &farstore.Store{Bucket: b}
			server := httptest.NewServer(far)
			defer server.Close()
			store, err := s3bucket.New(remote.Options{
				Endpoint: server.URL, Addressing: remote.PathStyle, Requests: 8,
				Credentials: remote.Static(remote.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"}),
			})
			if err != nil {
				t.Fatal(err)
			}
			dst := membucket.New(nil, "reports").Bucket("reports")
			job := engine.Job{Run: "run", Attempt: 1, Bucket: "far", Configuration: stocktake.InventoryConfiguration{
				ID: "all", IncludedObjectVersions: stocktake.AllVersions,
				OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldETag},
				Destination:    stocktake.Destination{Format: "CSV", Bucket: "reports"},
			}}
			result, err := engine.Run(t.Context(), store.Source(), dst, job, engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			rep, err := report.Open(t.Context(), dst, result.Manifest)
			if err != nil {
				t.Fatal(err)
			}
			i := int64(0)
			var want stocktake.Record
			for row, err := range rep.Rows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				b.Fill(&want, i)
				if string(row.Key) != string(want.Key) || string(row.VersionID) != string(want.VersionID) || row.Size != want.Size || !strings.EqualFold(row.ETag.String(), want.ETag.String()) {
					t.Fatalf("row %d is %q %q, want %q %q", i, row.Key, row.VersionID, want.Key, want.VersionID)
				}
				i++
			}
			if i != b.Rows {
				t.Errorf("%d rows of %d", i, b.Rows)
			}
			if s := far.Stats(); s.Most > 8 || s.Pages < 20 {
				t.Errorf("%+v", s)
			}
		})
	}
}
