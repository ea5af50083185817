package remote_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/farstore"
	"github.com/stocktake/stocktake/internal/keygen"
	"github.com/stocktake/stocktake/internal/remote"
)

// zipped returns content as a gzip file.
func zipped(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is valid
	w.Write(content)                                // a buffer takes everything
	w.Close()
	return b.Bytes()
}

// compressing is a service that compresses its answers, as MinIO does.
func compressing(t *testing.T, healthy wire, edit func(n int, body []byte) []byte) wire {
	n := 0
	return func(req *http.Request) (*http.Response, error) {
		resp, err := healthy(req)
		if err != nil || req.Header.Get("Accept-Encoding") != "gzip" {
			return resp, err
		}
		if strings.Contains(req.Header.Get("Authorization"), "accept-encoding") {
			t.Error("the header that proxies change is signed")
		}
		body, err := io.ReadAll(resp.Body)
		body = zipped(body)
		if edit != nil {
			body = edit(n, body)
		}
		n++
		resp.Header.Set("Content-Encoding", "gzip")
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, err
	}
}

func TestCompressedPages(t *testing.T) {
	keys := manyKeys()
	for name, tt := range map[string]struct {
		edit  func(n int, body []byte) []byte
		pages int // that are requested
	}{
		"whole":     {nil, 20},
		"truncated": {func(n int, body []byte) []byte { return body[:len(body)-10*(n%2)] }, 39},
		"not gzip": {func(n int, body []byte) []byte {
			if n == 3 {
				return []byte("<ListBucketResult/>")
			}
			return body
		}, 21},
	} {
		pages := 0
		service := compressing(t, func(req *http.Request) (*http.Response, error) {
			if !req.URL.Query().Has("versioning") {
				pages++
			}
			return listingOf(keys)(req)
		}, tt.edit)
		got, err := scanKeys(t, open(t, "s3", remote.Options{Transport: service}))
		if err != nil || !slices.Equal(got, keys) {
			t.Errorf("%s: %d keys, %v", name, len(got), err)
		}
		if pages != tt.pages {
			t.Errorf("%s: %d pages are requested, want %d", name, pages, tt.pages)
		}
	}
}

// The reason of a refusal is read from a compressed answer too.
func TestCompressedRefusal(t *testing.T) {
	service := compressing(t, func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Has("versioning") {
			return answer(200, "<VersioningConfiguration/>"), nil
		}
		return answer(403, "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"), nil
	}, nil)
	if _, err := scanKeys(t, open(t, "s3", remote.Options{Transport: service})); err == nil || !strings.Contains(err.Error(), "not you") {
		t.Error(err)
	}
}

// BenchmarkPages lists over HTTP, from a service that compresses pages and from one
// that does not.
func BenchmarkPages(b *testing.B) {
	const rows = 20_000
	bucket, err := keygen.New("dated", rows)
	if err != nil {
		b.Fatal(err)
	}
	far := &farstore.Store{Bucket: bucket}
	pages := map[string][2][]byte{} // by the query: plain and compressed
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.RawQuery]
		if !ok {
			rec := httptest.NewRecorder()
			far.ServeHTTP(rec, r)
			page = [2][]byte{rec.Body.Bytes(), zipped(rec.Body.Bytes())}
			pages[r.URL.RawQuery] = page
		}
		body := page[0]
		if r.Header.Get("Accept-Encoding") == "gzip" && r.Header.Get("Zip") != "never" {
			w.Header().Set("Content-Encoding", "gzip")
			body = page[1]
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body) // the client is in this process
	}))
	defer server.Close()
	for _, name := range []string{"gzip", "plain"} {
		b.Run(name, func(b *testing.B) {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			s, err := kinds["s3"](remote.Options{
				Endpoint: server.URL, Credentials: remote.Static(key), Transport: wire(func(req *http.Request) (*http.Response, error) {
					if name == "plain" {
						req = req.Clone(req.Context())
						req.Header.Set("Zip", "never")
					}
					return transport.RoundTrip(req)
				}),
			})
			if err != nil {
				b.Fatal(err)
			}
			snap, err := s.Source().Snapshot(b.Context(), "bucket")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = 0
				err := snap.Scan(b.Context(), engine.Segment{}, false, func(batch []stocktake.Record) error {
					n += len(batch)
					return nil
				})
				if err != nil || n != rows {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "objects/s")
		})
	}
}
