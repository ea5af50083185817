package server_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/report/rollup"
	"github.com/stocktake/stocktake/stocktaketest"
)

// ofClasses is an S3 service with one bucket, which has an object of each class. Each key
// begins with the class.
func ofClasses(classes ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch q := r.URL.Query(); {
		case q.Has("versioning"):
			io.WriteString(w, "<VersioningConfiguration/>")
		case q.Has("list-type"):
			rows := ""
			for _, c := range slices.Sorted(slices.Values(classes)) {
				key := c + "/object"
				if strings.HasPrefix(key, q.Get("prefix")) && key > q.Get("start-after") {
					rows += "<Contents><Key>" + key + "</Key><LastModified>2026-01-05T16:00:01.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size><StorageClass>" + c + "</StorageClass></Contents>"
				}
			}
			fmt.Fprint(w, "<ListBucketResult><IsTruncated>false</IsTruncated>", rows, "</ListBucketResult>")
		}
	}
}

// The classes of an S3 store keep their names in filter, rows, summary and roll-up, in each
// format. The embedded store refuses them.
func TestClassesOfS3(t *testing.T) {
	far := httptest.NewServer(ofClasses("STANDARD", "GLACIER_IR", "ONEZONE_IA", "DEEP_ARCHIVE", "COLD.of-ours"))
	t.Cleanup(far.Close)
	settings := foreign.Settings{
		Name: "lake", Kind: foreign.S3, Endpoint: far.URL, Credentials: lake(t, &stocktaketest.Server{AccessKeyID: "k", AccessKeySecret: "s"}).Credentials,
		Roles: []foreign.RoleCredentials{{Role: "*"}}, Buckets: []string{"lake"},
	}
	near := stocktaketest.New(t, stocktaketest.WithBuckets("reports", "photos"), withStores(settings))
	here, err := foreign.Open(lake(t, near), nil)
	if err != nil {
		t.Fatal(err)
	}
	reports := here.Default().Destination("reports")
	for i, tt := range []struct {
		filter string
		want   []string
	}{
		{"", []string{"STANDARD", "ONEZONE_IA", "GLACIER_IR", "DEEP_ARCHIVE", "COLD.of-ours"}},
		{"IA,STANDARD", []string{"STANDARD", "ONEZONE_IA", "GLACIER_IR"}},
		{"GLACIER_IR,DeepColdArchive", []string{"GLACIER_IR", "DEEP_ARCHIVE"}},
	} {
		for _, format := range []string{stocktake.FormatCSV, stocktake.FormatParquet} {
			cfg := configuration(near, fmt.Sprint(format, i), "reports")
			cfg.Destination.Format = format
			cfg.OptionalFields = append(cfg.OptionalFields, stocktake.FieldStorageClass)
			if !cfg.Filter.SetStorageClasses(tt.filter) {
				t.Fatal(tt.filter)
			}
			run := firstRun(t, near, "lake", cfg)
			if run.State != stocktake.Succeeded {
				t.Fatalf("%+v", run)
			}
			v, err := report.Verify(t.Context(), reports, run.Manifest, report.VerifyOptions{})
			if err != nil || !v.OK {
				t.Errorf("verified %+v, %v", v, err)
			}
			r, err := report.Open(t.Context(), reports, run.Manifest)
			if err != nil {
				t.Fatal(err)
			}
			sums, err := r.ReadRollup(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var rows, inSummary, inRollup []string
			for row, err := range r.Rows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, row.StorageClass.String())
				if !strings.HasPrefix(string(row.Key), row.StorageClass.String()) {
					t.Errorf("%s: %s has class %s", format, row.Key, row.StorageClass)
				}
			}
			for _, c := range r.Summary.Classes {
				inSummary = append(inSummary, c.StorageClass)
			}
			for _, c := range sums.Classes {
				inRollup = append(inRollup, c.StorageClass)
				if c.Count != (rollup.Count{Objects: 1, Bytes: 7}) {
					t.Errorf("%+v", c)
				}
			}
			if slices.Sort(rows); !slices.Equal(rows, slices.Sorted(slices.Values(tt.want))) || !slices.Equal(inSummary, tt.want) || !slices.Equal(inRollup, tt.want) {
				t.Errorf("%s of %q: rows %q, summary %q, roll-up %q", format, tt.filter, rows, inSummary, inRollup)
			}
			if read, err := near.Inventories().Get(t.Context(), "lake", cfg.ID); err != nil || len(read.Filter.StorageClass) != len(cfg.Filter.StorageClass) {
				t.Errorf("read back: %+v, %v", read.Filter, err)
			}
		}
	}
	cfg := configuration(near, "daily", "reports")
	cfg.Filter.SetStorageClasses("STANDARD")
	err = near.Inventories().Put(t.Context(), "photos", cfg)
	if e, ok := errors.AsType[*oss.ServiceError](err); !ok || e.EC != "0020-00000026" {
		t.Errorf("a bucket of the embedded store with a class of S3: %v", err)
	}
}

// The destination of a configuration may be a bucket of an S3 store whose name only S3 allows.
// The embedded store cannot have such buckets.
func TestDestinationWithDots(t *testing.T) {
	var mu sync.Mutex
	files := map[string][]byte{}
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		content, found := files[r.URL.Path]
		switch {
		case r.Method == http.MethodPut:
			content, _ = io.ReadAll(r.Body)
			files[r.URL.Path] = content
		case r.URL.Query().Has("list-type"):
			io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
		case found:
			w.Write(content)
		case r.URL.Path != "/reports.v2":
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
		}
	}))
	t.Cleanup(far.Close)
	settings := foreign.Settings{
		Name: "lake", Kind: foreign.S3, Endpoint: far.URL, Credentials: lake(t, &stocktaketest.Server{AccessKeyID: "k", AccessKeySecret: "s"}).Credentials,
		Roles: []foreign.RoleCredentials{{Role: "*"}}, Buckets: []string{"reports.*"},
	}
	near := stocktaketest.New(t, stocktaketest.WithBuckets("photos"), withStores(settings))
	put(t, near, "photos", "a")
	if run := firstRun(t, near, "photos", configuration(near, "daily", "reports.v2")); run.State != stocktake.Succeeded || files["/reports.v2/"+run.Manifest] == nil {
		t.Errorf("%d files, %+v", len(files), run)
	}
	err := near.Inventories().Put(t.Context(), "photos", configuration(near, "other", "no.such"))
	if e, ok := errors.AsType[*oss.ServiceError](err); !ok || e.EC != "0020-00000032" {
		t.Errorf("a destination that no store claims: %v", err)
	}
}
