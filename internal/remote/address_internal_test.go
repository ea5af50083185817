package remote

import (
	"net/url"
	"testing"
)

func TestAddressOfBucket(t *testing.T) {
	for _, tt := range []struct {
		endpoint   string
		addressing Addressing
		bucket     string
		want       string
	}{
		{"https://s3.lan:9000", PathStyle, "a.b.c", "https://s3.lan:9000/a.b.c/x%20y"},
		{"https://s3.lan:9000", VirtualHosted, "abc", "https://abc.s3.lan:9000/x%20y"},
		{"https://s3.lan:9000", VirtualHosted, "a.b.c", "https://s3.lan:9000/a.b.c/x%20y"},
		{"http://s3.lan:9000", VirtualHosted, "a.b.c", "http://a.b.c.s3.lan:9000/x%20y"},
		{"http://s3.lan:9000", VirtualHosted, "a_b", "http://s3.lan:9000/a_b/x%20y"},
	} {
		endpoint, err := url.Parse(tt.endpoint)
		if err != nil {
			t.Fatal(err)
		}
		w := &Connection{endpoint: endpoint, addressing: tt.addressing}
		u := w.object(tt.bucket, "x y")
		if u.String() != tt.want || w.Bucket(u) != tt.bucket || w.Bucket(w.url(tt.bucket)) != tt.bucket {
			t.Errorf("%s: %s names %q", tt.want, u, w.Bucket(u))
		}
	}
}
