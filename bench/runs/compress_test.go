package runs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		rows string
		want []string
	}{
		{"", []string{"", ""}},
		{"a\n", []string{"a\n", ""}},
		{"a\nb\n", []string{"a\nb\n", ""}},
		{"aaaa\nb\ncccc\nd\n", []string{"aaaa\nb\ncccc\n", "d\n"}},
	} {
		got := split([]byte(tt.rows), 2)
		var parts []string
		for _, p := range got {
			parts = append(parts, string(p))
		}
		if strings.Join(parts, "|") != strings.Join(tt.want, "|") {
			t.Errorf("split %q: %q, want %q", tt.rows, parts, tt.want)
		}
	}
}

func TestCompressor(t *testing.T) {
	rows := strings.Repeat("lake,\"a%2Fb\",\"1\"\n", 100_000)
	var shard bytes.Buffer
	z := gzip.NewWriter(&shard)
	if _, err := z.Write([]byte(rows)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var c compressed
	var k compressor
	var err error
	for range 2 {
		err = errors.Join(err, k.compress(&c, bytes.NewReader(shard.Bytes())))
	}
	if err != nil || c.took <= 0 || c.read != int64(2*len(rows)) || c.written <= 0 || c.written > int64(len(rows)) {
		t.Errorf("%+v of %d bytes, error %v", c, 2*len(rows), err)
	}
	if err := k.compress(&c, strings.NewReader("no gzip")); err == nil {
		t.Error("no error for bytes that are not a shard")
	}
}
