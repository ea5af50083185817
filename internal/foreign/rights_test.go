package foreign_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/foreign"
)

// A request that a store denies fails with the name of the missing right.
func TestErrorsNameTheMissingRight(t *testing.T) {
	for _, kind := range []foreign.Kind{foreign.S3, foreign.OSS} {
		list := map[foreign.Kind]string{foreign.S3: "s3:ListBucket", foreign.OSS: "oss:ListObjects"}[kind]
		for right, denies := range map[string]func(r *http.Request) bool{
			list:                        func(r *http.Request) bool { return r.URL.Query().Has("list-type") },
			string(kind) + ":PutObject": func(r *http.Request) bool { return r.Method == http.MethodPut },
			string(kind) + ":GetObject": func(r *http.Request) bool {
				return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "stocktake-check")
			},
			string(kind) + ":DeleteObject": func(r *http.Request) bool { return r.Method == http.MethodDelete },
		} {
			far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch q := r.URL.Query(); {
				case denies(r):
					w.WriteHeader(http.StatusForbidden)
					io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
				case q.Has("versioning"):
					io.WriteString(w, "<VersioningConfiguration/>")
				case q.Has("list-type"):
					io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
				}
			}))
			t.Cleanup(far.Close)
			t.Setenv("LAKE_ACCESS_KEY_ID", "k")
			t.Setenv("LAKE_ACCESS_KEY_SECRET", "s")
			st, err := foreign.Open(foreign.Settings{
				Name: "lake", Kind: kind, Endpoint: far.URL, Region: "cn-hangzhou", Credentials: foreign.Env("LAKE"), Buckets: []string{"*"},
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			trial, err := foreign.Try(t.Context(), st.Direct(), "lake", foreign.TrialOptions{})
			if err != nil || !strings.Contains(fmt.Sprint(trial.Steps), "lack the right "+right) {
				t.Errorf("%s: %+v, %v", right, trial, err)
			}
		}
	}
}
