package listpage

import (
	"bytes"
	"net/url"
	"testing"
)

// FuzzUnescape: keys are decoded as net/url decodes queries.
func FuzzUnescape(f *testing.F) {
	for _, key := range []string{"", "a/b", "a+b%2Bc%20d", "%", "%a", "a%zz", "%E4%b8%AD+", "+%", "%00%ff", "a%2", "%%30"} {
		f.Add([]byte(key))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		want, err := url.QueryUnescape(string(key))
		got, ok := unescape(bytes.Clone(key))
		if ok != (err == nil) || ok && string(got) != want {
			t.Errorf("%q is %q, %v; net/url returns %q, %v", key, got, ok, want, err)
		}
	})
}

func BenchmarkUnescape(b *testing.B) {
	for name, key := range map[string]string{
		"plain": "users/alice/albums/2026/picture-000123.jpg",
		"space": "users/alice+smith/albums/2026+summer/picture-000123.jpg",
		"utf8":  url.QueryEscape("照片/二〇二六年/夏天的海边/第一百二十三张.jpg"),
	} {
		b.Run(name, func(b *testing.B) {
			work := make([]byte, len(key))
			b.ReportAllocs()
			for b.Loop() {
				copy(work, key)
				if _, ok := unescape(work); !ok {
					b.Fatal(key)
				}
			}
		})
	}
}
