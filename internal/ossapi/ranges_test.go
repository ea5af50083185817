package ossapi_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
)

func TestParseRange(t *testing.T) {
	type want struct {
		off, n  int64
		partial bool
		err     error
	}
	whole := want{0, 10, false, nil}
	for _, tt := range []struct {
		header   string
		plain    want
		standard want
	}{
		{"", whole, whole},
		{"bytes=0-9", want{0, 10, true, nil}, want{0, 10, true, nil}},
		{"bytes=2-5", want{2, 4, true, nil}, want{2, 4, true, nil}},
		{"bytes=2-2", want{2, 1, true, nil}, want{2, 1, true, nil}},
		{"bytes=2-", want{2, 8, true, nil}, want{2, 8, true, nil}},
		{"bytes=-3", want{7, 3, true, nil}, want{7, 3, true, nil}},
		{"bytes=-10", want{0, 10, true, nil}, want{0, 10, true, nil}},
		{"bytes=5-10", whole, want{5, 5, true, nil}},
		{"bytes=5-99999999999999999999", whole, want{5, 5, true, nil}},
		{"bytes=-11", whole, want{0, 10, true, nil}},
		{"bytes=10-", whole, want{err: ossapi.ErrInvalidRange}},
		{"bytes=10-12", whole, want{err: ossapi.ErrInvalidRange}},
		{"bytes=-0", whole, want{err: ossapi.ErrInvalidRange}},
		{"bytes=5-2", whole, whole},
		{"bytes=0-1,3-4", whole, whole},
		{"bytes=a-b", whole, whole},
		{"bytes=-", whole, whole},
		{"bytes=1", whole, whole},
		{"bytes= 1-2", whole, whole},
		{"bytes=+1-2", whole, whole},
		{"items=1-2", whole, whole},
	} {
		for standard, want := range map[bool]want{false: tt.plain, true: tt.standard} {
			off, n, partial, err := ossapi.ParseRange(tt.header, 10, standard)
			if !errors.Is(err, want.err) || err == nil && (off != want.off || n != want.n || partial != want.partial) {
				t.Errorf("%q, standard %v: %d %d %v %v, want %+v", tt.header, standard, off, n, partial, err, want)
			}
		}
	}
	for _, header := range []string{"bytes=0-", "bytes=0-0", "bytes=-1"} {
		if off, n, partial, err := ossapi.ParseRange(header, 0, false); off != 0 || n != 0 || partial || err != nil {
			t.Errorf("%q of nothing: %d %d %v %v", header, off, n, partial, err)
		}
		if _, _, _, err := ossapi.ParseRange(header, 0, true); !errors.Is(err, ossapi.ErrInvalidRange) {
			t.Errorf("%q of nothing, standard: %v", header, err)
		}
	}
}

// FuzzParseRange holds that a range is always within the object, and that it is
// partial or all of it.
func FuzzParseRange(f *testing.F) {
	f.Add("bytes=1-2", int64(3), true)
	f.Fuzz(func(t *testing.T, header string, size int64, standard bool) {
		if size < 0 {
			t.Skip()
		}
		off, n, partial, err := ossapi.ParseRange(header, size, standard)
		if err != nil {
			if !standard {
				t.Fatalf("%q of %d: %v", header, size, err)
			}
			return
		}
		if off < 0 || n < 0 || off+n > size || partial && n == 0 || !partial && (off != 0 || n != size) {
			t.Errorf("%q of %d: %d %d %v", header, size, off, n, partial)
		}
	})
}

func TestConditions(t *testing.T) {
	modified := time.Date(2026, 1, 5, 16, 0, 0, 987e6, time.UTC)
	at := func(d time.Duration) string { return modified.Add(d).Format(http.TimeFormat) }
	for _, tt := range []struct {
		headers map[string]string
		want    error
	}{
		{nil, nil},
		{map[string]string{"If-Match": `"ABCD"`}, nil},
		{map[string]string{"If-Match": `abcd`}, nil},
		{map[string]string{"If-Match": `"X", "ABCD"`}, nil},
		{map[string]string{"If-Match": `*`}, nil},
		{map[string]string{"If-Match": `"X"`}, object.ErrPrecondition},
		{map[string]string{"If-None-Match": `"ABCD"`}, ossapi.ErrNotModified},
		{map[string]string{"If-None-Match": `W/"ABCD"`}, ossapi.ErrNotModified},
		{map[string]string{"If-None-Match": `"X"`}, nil},
		{map[string]string{"If-Modified-Since": at(0)}, ossapi.ErrNotModified},
		{map[string]string{"If-Modified-Since": at(time.Hour)}, ossapi.ErrNotModified},
		{map[string]string{"If-Modified-Since": at(-time.Second)}, nil},
		{map[string]string{"If-Modified-Since": "yesterday"}, nil},
		{map[string]string{"If-Unmodified-Since": at(0)}, nil},
		{map[string]string{"If-Unmodified-Since": at(-time.Second)}, object.ErrPrecondition},
		{map[string]string{"If-Unmodified-Since": "yesterday"}, nil},
		{map[string]string{"If-None-Match": `"ABCD"`, "If-Match": `"X"`}, object.ErrPrecondition},
	} {
		h := http.Header{}
		for name, value := range tt.headers {
			h.Set(name, value)
		}
		if err := ossapi.CheckCondition(h, "ABCD", modified); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%v: %v, want %v", tt.headers, err, tt.want)
		}
	}
}
