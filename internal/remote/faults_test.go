package remote_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/remote"
)

// listingOf is a service with a bucket of keys, which it lists by pages of 10.
func listingOf(keys []string) wire {
	return func(req *http.Request) (*http.Response, error) {
		q := req.URL.Query()
		if q.Has("versioning") {
			return answer(200, "<VersioningConfiguration/>"), nil
		}
		after := q.Get("start-after")
		i, found := slices.BinarySearch(keys, after)
		if found {
			i++
		}
		return answer(200, page(keys[i:], after)), nil
	}
}

func page(keys []string, after string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>%v</IsTruncated>", len(keys) > 10)
	if after != "" {
		fmt.Fprintf(&b, "<StartAfter>%s</StartAfter>", url.QueryEscape(after))
	}
	for _, key := range keys[:min(10, len(keys))] {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><LastModified>2026-01-05T16:00:00Z</LastModified><Size>1</Size></Contents>", key)
	}
	return b.String() + "</ListBucketResult>"
}

func manyKeys() (keys []string) {
	for i := range 200 {
		keys = append(keys, fmt.Sprintf("k%03d", i))
	}
	return keys
}

// faults are faults in the answers of a healthy service.
var faults = map[string]func(healthy wire, req *http.Request) (*http.Response, error){
	"refused": func(wire, *http.Request) (*http.Response, error) {
		return answer(503, "<Error><Code>SlowDown</Code></Error>"), nil
	},
	"an error":      func(wire, *http.Request) (*http.Response, error) { return answer(500, ""), nil },
	"not connected": func(wire, *http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
	"silent": func(_ wire, req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	},
	"cut off": func(healthy wire, req *http.Request) (*http.Response, error) {
		return edited(healthy, req, func(body string) string { return body[:len(body)/2] })
	},
	"torn": func(healthy wire, req *http.Request) (*http.Response, error) {
		resp, err := healthy(req)
		resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 100), iotest.ErrReader(errors.New("connection reset"))))
		return resp, err
	},
	"backwards": func(healthy wire, req *http.Request) (*http.Response, error) {
		return edited(healthy, req, func(body string) string { return strings.Replace(body, "<Key>k", "<Key>z", 1) })
	},
	// The answers of a proxy that mixes requests up.
	"the first page": func(healthy wire, req *http.Request) (*http.Response, error) { return healthy(asked(req, "")) },
	"a page from behind": func(healthy wire, req *http.Request) (*http.Response, error) {
		return healthy(asked(req, "k150"))
	},
	"the last page": func(healthy wire, req *http.Request) (*http.Response, error) { return healthy(asked(req, "k195")) },
}

// asked returns the request for another page.
func asked(req *http.Request, after string) *http.Request {
	other := req.Clone(req.Context())
	q := other.URL.Query()
	q.Set("start-after", after)
	other.URL.RawQuery = q.Encode()
	return other
}

func edited(healthy wire, req *http.Request, edit func(string) string) (*http.Response, error) {
	resp, err := healthy(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(strings.NewReader(edit(string(body))))
	return resp, err
}

func scanKeys(t *testing.T, s *remote.Store) (keys []string, err error) {
	t.Helper()
	snap, err := s.Source().Snapshot(t.Context(), "bucket")
	if err != nil {
		return nil, err
	}
	err = snap.Scan(t.Context(), engine.Segment{}, false, func(batch []stocktake.Record) error {
		for i := range batch {
			keys = append(keys, string(batch[i].Key))
		}
		return nil
	})
	return keys, err
}

// Temporary faults do no harm; permanent ones fail the scan. A scan never ends
// without an error and without all keys.
func TestFaults(t *testing.T) {
	want, healthy := manyKeys(), listingOf(manyKeys())
	for name, fault := range faults {
		for _, share := range []float64{0.2, 1} {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(4, uint64(len(name))))
				s := open(t, "s3", remote.Options{WrapTransport: retried, Transport: wire(func(req *http.Request) (*http.Response, error) {
					if req.URL.Query().Get("start-after") != "" && rng.Float64() < share { // the first page is always good
						return fault(healthy, req)
					}
					return healthy(req)
				})})
				got, err := scanKeys(t, s)
				switch {
				case share < 1 && (err != nil || !slices.Equal(got, want)):
					t.Errorf("%s at times: %d of %d keys, %v", name, len(got), len(want), err)
				case share == 1 && err == nil:
					t.Errorf("%s always: %d of %d keys and no error", name, len(got), len(want))
				}
			})
		}
	}
}

// Credentials that expire during a listing fail it, and the error says so.
func TestExpiredCredentials(t *testing.T) {
	healthy := listingOf(manyKeys())
	for _, code := range []string{"ExpiredToken", "SecurityTokenExpired"} {
		s := open(t, "s3", remote.Options{WrapTransport: retried, Transport: wire(func(req *http.Request) (*http.Response, error) {
			if req.URL.Query().Get("start-after") > "k100" {
				return answer(403, "<Error><Code>"+code+"</Code><Message>The provided token has expired.</Message></Error>"), nil
			}
			return healthy(req)
		})})
		if _, err := scanKeys(t, s); !errors.Is(err, stocktake.ErrAccessDenied) || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v", code, err)
		}
	}
}
