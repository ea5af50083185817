package request_test

import (
	"bufio"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossapi/request"
)

// arrive returns a request as net/http parses it.
func arrive(t testing.TB, target, host string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")))
	if err != nil {
		t.Skip(err) // net/http answers that by itself
	}
	return r
}

func TestResolve(t *testing.T) {
	hosts := []string{"oss.example.com", "Deep.OSS.example.com"}
	cnames := map[string]string{"www.photos.example": "photos"}
	for _, tt := range []struct {
		target, host             string
		bucket, key, alternative string
		err                      error
	}{
		// path style: base host, IP, localhost, unknown names
		{"/", "oss.example.com", "", "", "", nil},
		{"/photos", "127.0.0.1:9000", "photos", "", "", nil},
		{"/photos/", "[::1]:9000", "photos", "", "", nil},
		{"/photos/a/b", "localhost:9000", "photos", "a/b", "", nil},
		{"/photos/a", "storage.internal", "photos", "a", "", nil},
		{"/photos/a", "OSS.EXAMPLE.COM.", "photos", "a", "", nil},
		{"/photos/a", "oss-cn-hangzhou.aliyuncs.com", "photos", "a", "", nil},
		{"/photos/a", "aliyuncs.com", "photos", "a", "", nil},
		{"http://oss.example.com/photos/a", "oss.example.com", "photos", "a", "", nil},

		// the bucket in the host
		{"/a/b?acl", "photos.oss.example.com:80", "photos", "a/b", "", nil},
		{"/a", "photos.deep.oss.example.com", "photos", "a", "", nil},
		{"/a", "photos.oss-cn-hangzhou.aliyuncs.com", "photos", "a", "", nil},
		{"/a", "photos.oss-us-west-1-internal.aliyuncs.com", "photos", "a", "", nil},
		{"/", "photos.oss-cn-hangzhou.aliyuncs.com", "photos", "", "", nil},
		{"/photos/a", "photos.oss-cn-hangzhou.aliyuncs.com", "photos", "photos/a", "a", nil},
		{"/photos", "photos.oss-cn-hangzhou.aliyuncs.com", "photos", "photos", "", nil},
		{"/a/b", "WWW.photos.example", "photos", "a/b", "", nil},

		// the path is decoded once and never normalised
		{"/photos/a%2Fb", "127.0.0.1", "photos", "a/b", "", nil},
		{"/photos/a%252Fb", "127.0.0.1", "photos", "a%2Fb", "", nil},
		{"/photos/a+b%20c%2B", "127.0.0.1", "photos", "a b c+", "", nil},
		{"/photos/a//b/./../c/", "127.0.0.1", "photos", "a//b/./../c/", "", nil},
		{"/photos/..", "127.0.0.1", "photos", "..", "", nil},
		{"/../photos", "photos.oss.example.com", "photos", "../photos", "", nil},
		{"/photos/%E7%8C%AB%0A", "127.0.0.1", "photos", "猫\n", "", nil},
		{"/photos/;x=1,2'(a)", "127.0.0.1", "photos", ";x=1,2'(a)", "", nil},
		{"/photos/a%3Fb%23c", "127.0.0.1", "photos", "a?b#c", "", nil},

		// hostile names
		{"//photos/a", "127.0.0.1", "", "", "", request.ErrInvalidBucketName},
		{"/%2e%2e/a", "127.0.0.1", "", "", "", request.ErrInvalidBucketName},
		{"/Photos/a", "127.0.0.1", "", "", "", request.ErrInvalidBucketName},
		{"/ph%2Fotos/a", "127.0.0.1", "", "", "", request.ErrInvalidBucketName},
		{"/p/a", "127.0.0.1", "", "", "", request.ErrInvalidBucketName},
		{"/a", "a.b.oss.example.com", "", "", "", request.ErrInvalidBucketName},
		{"/a", ".oss-cn-hangzhou.aliyuncs.com", "", "", "", request.ErrInvalidBucketName},
		{"/photos//a", "127.0.0.1", "", "", "", request.ErrInvalidObjectName},
		{"/photos/%2Fa", "127.0.0.1", "", "", "", request.ErrInvalidObjectName},
		{"/photos/%5Ca", "127.0.0.1", "", "", "", request.ErrInvalidObjectName},
		{"/photos/%FF", "127.0.0.1", "", "", "", request.ErrInvalidObjectName},
		{"/photos/" + strings.Repeat("a", 1024), "127.0.0.1", "", "", "", request.ErrInvalidObjectName},
	} {
		bucket, key, alternative, err := request.Resolve(arrive(t, tt.target, tt.host), hosts, cnames)
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%s at %s: error %v, want %v", tt.target, tt.host, err, tt.err)
			continue
		}
		if err == nil && (bucket != tt.bucket || key != tt.key || alternative != tt.alternative) {
			t.Errorf("%s at %s: %q %q %q, want %q %q %q", tt.target, tt.host, bucket, key, alternative, tt.bucket, tt.key, tt.alternative)
		}
	}
}

// FuzzResolve holds that every valid name is parsed unchanged in every style of
// address, however much of it is percent-encoded.
func FuzzResolve(f *testing.F) {
	f.Add("a/b", uint64(0))
	f.Add("..//猫 +%2F\n;?#", uint64(0xAAAA))
	f.Fuzz(func(t *testing.T, key string, raw uint64) {
		if !stocktake.ValidKey(key) {
			t.Skip()
		}
		var path strings.Builder
		for i := range len(key) {
			if c := key[i]; raw>>(i%64)&1 == 1 && strings.IndexByte("/;,=~.-_!$&'()*@:", c) >= 0 {
				path.WriteByte(c)
			} else {
				path.WriteString(strings.ReplaceAll(url.QueryEscape(string([]byte{c})), "+", "%20"))
			}
		}
		for _, at := range [][2]string{
			{"/photos/" + path.String(), "127.0.0.1:9000"},
			{"/" + path.String(), "photos.oss.example.com"},
			{"http://photos.oss.example.com/" + path.String(), "photos.oss.example.com"},
		} {
			bucket, got, _, err := request.Resolve(arrive(t, at[0], at[1]), []string{"oss.example.com"}, nil)
			if err != nil || bucket != "photos" || got != key {
				t.Errorf("%q at %s: %q %q %v, want key %q", at[0], at[1], bucket, got, err, key)
			}
		}
	})
}
