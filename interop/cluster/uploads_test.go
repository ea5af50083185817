package cluster_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/keygen"
)

// farRows is how many objects are in the bucket far. A plan for a worker with one
// place has four slices at most, so a shard of the largest is longer than a part of an
// upload, however even they are.
const farRows = 5_000_000

// A process is killed during the upload of a shard in parts. The process that repeats the run
// aborts this upload, and no upload of others.
func TestKilledUpload(t *testing.T) {
	t.Parallel()
	objects, err := keygen.New("hashed", farRows)
	if err != nil {
		t.Fatal(err)
	}
	far := httptest.NewServer(&farstore.Store{Bucket: objects})
	t.Cleanup(far.Close)
	l := startLake(t, "")
	shared := migrated(t, server)
	for name, address := range map[string]string{"alone": "", "shared": shared} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, server, shared, l, "reports-"+name)
			w.far = far.URL
			store := newStoreProxy(t, l.endpoint)
			h := store.holdRequest(t, func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "2" })
			victim := w.startAt("victim", address, store.URL, "--slices", "1")
			w.put(victim, "far", "all")
			w.until("the second part of a shard", func() bool {
				select {
				case <-h.reached:
					return true
				default:
					return false
				}
			})
			victim.Kill()
			h.release()
			api := s3.New(s3.Options{
				BaseEndpoint: &l.endpoint, Region: "us-east-1", UsePathStyle: true,
				Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
			})
			foreign := "inv/far/all/data/of-another-program"
			if _, err := api.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.reports, Key: &foreign}); err != nil {
				t.Fatal(err)
			}
			if left := w.uploads(api); len(left) < 2 || !strings.HasSuffix(left[0], ".csv.gz") {
				t.Fatalf("the killed process has left the uploads %q", left)
			}
			next := victim
			if address == "" {
				if err := victim.start(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				next = w.startAt("next", address, l.endpoint, "--slices", "1")
			}
			var runs []stocktake.Run
			w.until("the end of the run", func() bool {
				runs = w.runs(next, "far", "all")
				return len(runs) > 0 && runs[0].State.Ended()
			})
			if len(runs) != 1 || runs[0].State != stocktake.Succeeded || runs[0].Listed != farRows {
				t.Errorf("%+v", runs)
			}
			if left := w.uploads(api); len(left) != 1 || left[0] != foreign {
				t.Errorf("left are the uploads %q, want %q", left, foreign)
			}
			next.stopped()
		})
	}
}

// uploads returns the keys of the unfinished uploads in the bucket of reports.
func (w *world) uploads(api *s3.Client) (keys []string) {
	w.t.Helper()
	out, err := api.ListMultipartUploads(w.t.Context(), &s3.ListMultipartUploadsInput{Bucket: &w.reports})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range out.Uploads {
		keys = append(keys, aws.ToString(u.Key))
	}
	return keys
}
