package postform_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/ossapi/postform"
)

// form returns a form of fields, each "name=value", and then of a file.
func form(t testing.TB, fields ...string) (http.Header, *bytes.Buffer) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", "cat.jpg")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(file, "meow")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return http.Header{"Content-Type": {w.FormDataContentType()}}, &body
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		least, most int64
		err         error
	}{{0, 4, nil}, {4, 100, nil}, {5, 100, postform.ErrTooSmall}, {0, 3, postform.ErrTooLarge}} {
		f, err := postform.Read(form(t, "Key=a/${filename}", "x-oss-meta-a=b", "Cache-Control=no-cache"))
		if err != nil {
			t.Fatal(err)
		}
		if f.Field("key") != "a/${filename}" || f.Filename != "cat.jpg" {
			t.Errorf("key %q of file %q", f.Field("key"), f.Filename)
		}
		if h := f.Header(); h.Get("X-Oss-Meta-A") != "b" || h.Get("Cache-Control") != "no-cache" || h.Get("Key") != "" {
			t.Errorf("headers %v", h)
		}
		data, err := io.ReadAll(f.File(tt.least, tt.most))
		if !errors.Is(err, tt.err) || err == nil && string(data) != "meow" {
			t.Errorf("from %d to %d bytes: %q, %v, want %v", tt.least, tt.most, data, err, tt.err)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	many := func(n int, value string) (fields []string) {
		for i := range n {
			fields = append(fields, fmt.Sprintf("f%d=%s", i, value))
		}
		return fields
	}
	for name, tt := range map[string]struct {
		fields []string
		err    error
	}{
		"the most fields":     {many(100, "x"), nil},
		"one more":            {many(101, "x"), postform.ErrTooLong},
		"a long field":        {[]string{"a=" + strings.Repeat("x", 8<<10)}, nil},
		"a longer one":        {[]string{"a=" + strings.Repeat("x", 8<<10+1)}, postform.ErrTooLong},
		"a long policy":       {[]string{"policy=" + strings.Repeat("x", 64<<10)}, nil},
		"a longer policy":     {[]string{"policy=" + strings.Repeat("x", 64<<10+1)}, postform.ErrTooLong},
		"all fields together": {many(40, strings.Repeat("x", 8<<10)), postform.ErrTooLong},
		"a field twice":       {[]string{"a=1", "A=2"}, postform.ErrForm},
	} {
		if _, err := postform.Read(form(t, tt.fields...)); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", name, err, tt.err)
		}
	}
	h, body := form(t)
	if _, err := postform.Read(http.Header{"Content-Type": {"text/plain"}}, body); !errors.Is(err, postform.ErrForm) {
		t.Errorf("not a form: %v", err)
	}
	if _, err := postform.Read(h, strings.NewReader("--x")); !errors.Is(err, postform.ErrForm) {
		t.Errorf("cut off: %v", err)
	}
}

func TestPolicy(t *testing.T) {
	now := time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)
	fields := map[string]string{"bucket": "photos", "key": "2026/cat.jpg", "content-type": "image/jpeg"}
	for name, tt := range map[string]struct {
		conditions string
		err        error
	}{
		"none":                 {``, nil},
		"equal":                {`{"bucket":"photos"},["eq","$Key","2026/cat.jpg"]`, nil},
		"not equal":            {`{"bucket":"logs"}`, postform.ErrDenied},
		"prefix":               {`["starts-with","$key","2026/"]`, nil},
		"another prefix":       {`["starts-with","$key","2025/"]`, postform.ErrDenied},
		"one of":               {`["in","$content-type",["image/png","image/jpeg"]]`, nil},
		"none of":              {`["not-in","$content-type",["image/jpeg"]]`, postform.ErrDenied},
		"an unknown operator":  {`["ends-with","$key",".jpg"]`, postform.ErrPolicy},
		"no dollar":            {`["eq","key","x"]`, postform.ErrPolicy},
		"another type":         {`["in","$key","x"]`, postform.ErrPolicy},
		"sizes":                {`["content-length-range",1,10]`, nil},
		"sizes backwards":      {`["content-length-range",10,1]`, postform.ErrPolicy},
		"negative":             {`["content-length-range",-1,1]`, postform.ErrPolicy},
		"too many conditions":  {strings.Repeat(`{"a":"b"},`, 100) + `{"a":"b"}`, postform.ErrPolicy},
		"neither list or map":  {`7`, postform.ErrPolicy},
		"a list that is short": {`["eq","$key"]`, postform.ErrPolicy},
	} {
		text := base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2026-01-05T17:00:00.000Z","conditions":[` + tt.conditions + `]}`))
		p, err := postform.ParsePolicy(text)
		if err == nil {
			err = p.Check(now, func(name string) string { return fields[name] })
			if late := p.Check(now.Add(time.Hour), func(name string) string { return fields[name] }); !errors.Is(late, postform.ErrDenied) {
				t.Errorf("%s, after it has expired: %v", name, late)
			}
		}
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", name, err, tt.err)
		}
		if name == "sizes" && (p.Least != 1 || p.Most != 10) {
			t.Errorf("%s: %d to %d", name, p.Least, p.Most)
		}
	}
	for _, text := range []string{"", "*", base64.StdEncoding.EncodeToString([]byte(`{}`)), base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2026-01-05T17:00:00Z"}`))} {
		if _, err := postform.ParsePolicy(text); !errors.Is(err, postform.ErrPolicy) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
