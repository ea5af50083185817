package client_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/client"
)

// endless writes until the reader has had enough, or more than any bound.
func endless(w io.Writer) {
	for block := []byte(strings.Repeat("a", 1<<20)); ; {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// Answers without end are read to a bound, whoever reads them and however they
// are packed.
func TestAnswersAreBounded(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"success": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Etag", `"a"`); endless(w) },
		"error":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); endless(w) },
		"packed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			endless(z)
		},
		"header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Oss-Err", strings.Repeat("a", 9<<20))
			w.WriteHeader(403)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			safe := func(c *oss.Config) { c.WithHttpClient(client.NewHTTPClient()) }
			c := clientOf(server.URL, safe)
			calls := map[string]error{}
			_, calls["get"] = c.Get(t.Context(), "photos", "daily")
			for _, err := range c.List(t.Context(), "photos") {
				calls["list"] = err
			}
			a := &client.Admin{Endpoint: server.URL, Region: "cn-hangzhou", AccessKeyID: "id", AccessKeySecret: "secret"}
			_, calls["clock"] = a.Now(t.Context())
			cfg := oss.LoadDefaultConfig().WithRegion("cn-hangzhou").WithCredentialsProvider(credentials.NewAnonymousCredentialsProvider()).WithEndpoint(server.URL).WithRetryMaxAttempts(1).WithUsePathStyle(true)
			safe(cfg)
			_, calls["listing"] = oss.NewClient(cfg).ListObjectsV2(t.Context(), &oss.ListObjectsV2Request{Bucket: oss.Ptr("photos")})
			for call, err := range calls {
				if err == nil || name != "header" && !errors.Is(err, client.ErrAnswerTooLong) && !strings.Contains(err.Error(), client.ErrAnswerTooLong.Error()) {
					t.Errorf("%s: %v", call, err)
				}
			}
			if len(calls) != 4 {
				t.Errorf("%d calls", len(calls))
			}
		})
	}
}

// The content of an object may be larger than any other answer.
func TestContentIsNotBounded(t *testing.T) {
	const size = 20 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(w, zeros{}, size)
	}))
	defer server.Close()
	cfg := oss.LoadDefaultConfig().WithRegion("cn-hangzhou").WithCredentialsProvider(credentials.NewAnonymousCredentialsProvider()).WithEndpoint(server.URL).WithUsePathStyle(true).WithHttpClient(client.NewHTTPClient())
	r, err := oss.NewClient(cfg).GetObject(t.Context(), &oss.GetObjectRequest{Bucket: oss.Ptr("photos"), Key: oss.Ptr("cat")})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A signed request goes to the server that it was signed for and to no other.
func TestRedirectsAreNotFollowed(t *testing.T) {
	led := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { led = true }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(other.URL, status))
		_, err := clientOf(server.URL, func(c *oss.Config) { c.WithHttpClient(client.NewHTTPClient()) }).Get(t.Context(), "photos", "daily")
		a := &client.Admin{Endpoint: server.URL, Region: "cn-hangzhou", AccessKeyID: "id", AccessKeySecret: "secret"}
		_, adminErr := a.Now(t.Context())
		if err == nil || adminErr == nil || led {
			t.Errorf("%d: %v, %v; led elsewhere: %v", status, err, adminErr, led)
		}
		server.Close()
	}
}
