package farstore_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/keygen"
	"github.com/stocktake/stocktake/internal/listpage"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/s3bucket"
	"github.com/stocktake/stocktake/report"
)

// Clients of ListObjects request the keys after the last one.
func TestListObjects(t *testing.T) {
	b, err := keygen.New("nested", 2500)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&farstore.Store{Bucket: b})
	defer server.Close()
	rows, marker := int64(0), ""
	for more := true; more; {
		resp, err := http.Get(server.URL + "/far?marker=" + url.QueryEscape(marker))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var page listpage.Page
		if err := errors.Join(err, page.Parse(body)); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			if want := b.AppendKey(nil, rows); string(r.Key) != string(want) {
				t.Fatalf("row %d is %q, want %q", rows, r.Key, want)
			}
			rows, marker = rows+1, string(r.Key)
		}
		more = page.Truncated
	}
	if rows != b.Rows {
		t.Errorf("%d rows of %d", rows, b.Rows)
	}
}

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
			if s := far.Stats(); s.MaxInFlight > 8 || s.Pages < 20 {
				t.Errorf("%+v", s)
			}
		})
	}
}
