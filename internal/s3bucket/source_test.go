package s3bucket

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake/internal/membucket"
)

// A marker comes before its key, is valid UTF-8, and lies under every prefix of
// the key that is shorter than it, which MinIO insists on.
func TestBefore(t *testing.T) {
	raw := rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 9), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(membucket.Keys(), raw).Draw(t, "key")
		marker := before(key)
		if marker >= key || !utf8.ValidString(marker) {
			t.Errorf("%q is not before %q", marker, key)
		}
		for i := range key {
			if prefix := key[:i]; utf8.ValidString(key) && !strings.HasPrefix(marker, prefix) {
				t.Errorf("%q is not under %q", marker, prefix)
			}
		}
	})
	for key, want := range map[string]string{
		"b": "a\U0010FFFF", "a/b": "a/a\U0010FFFF", "a\x00": "a", "\x00": "", "a\xff": "a", "\ue000": "\ud7ff\U0010FFFF",
	} {
		if got := before(key); got != want {
			t.Errorf("before %q comes %q, want %q", key, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	good := Options{Endpoint: "https://s3.lan:9000", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "k", SecretAccessKey: "s"}, nil
	})}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string]func(*Options){
		"a path":         func(o *Options) { o.Endpoint += "/bucket" },
		"a query":        func(o *Options) { o.Endpoint += "?x=1" },
		"no scheme":      func(o *Options) { o.Endpoint = "s3.lan:9000" },
		"another scheme": func(o *Options) { o.Endpoint = "ftp://s3.lan" },
		"no host":        func(o *Options) { o.Endpoint = "https://" },
		"no credentials": func(o *Options) { o.Credentials = nil },
		"a small part":   func(o *Options) { o.PartSize = 1 << 20 },
	} {
		o := good
		edit(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
