package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
)

// Consecutive scans reuse the memory of one page; concurrent scans do not share it.
func TestScansReusePages(t *testing.T) {
	page := `<ListBucketResult><IsTruncated>false</IsTruncated>` + strings.Repeat(" ", 1<<20) +
		`<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-01-05T16:00:01Z</LastModified></Contents></ListBucketResult>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, page, r.URL.Query().Get("prefix"))
	}))
	defer server.Close()
	endpoint, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Transport: http.DefaultTransport, Credentials: Static(Credentials{}), Requests: 1, PageSize: 1000, Silence: time.Minute, Addressing: PathStyle}
	unsigned := func(*http.Request, string, Credentials, time.Time) error { return nil }
	sn := &snapshot{s: &Store{conn: NewConnection(o, endpoint, unsigned), pageSize: "1000"}, bucket: "b"}
	scan := func(ctx context.Context, prefix string, inside func() error) error {
		return sn.Pages(ctx, engine.Segment{Prefix: prefix}, false, func(batch []stocktake.Record, _ bool) error {
			if err := inside(); err != nil {
				return err
			}
			if got := string(batch[0].Key); got != prefix {
				return fmt.Errorf("the key is %q, want %q", got, prefix)
			}
			return nil
		})
	}
	none := func() error { return nil }
	for range 5 {
		if err := scan(t.Context(), "outer", func() error { return errors.Join(scan(t.Context(), "inner", none), scan(t.Context(), "later", none)) }); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(sn.buffers.idle); n != 2 {
		t.Errorf("the memory of %d pages is kept, of 2 that were scanned at once", n)
	}
}
