package listpage

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
)

// same checks that both parsers return the same for body. The fast one may leave
// the page to the other.
func same(t interface{ Errorf(string, ...any) }, body []byte) {
	var known, any Page
	encoded, ok, err := known.parseKnown(bytes.Clone(body))
	if !ok && err == nil {
		return
	}
	anyEncoded, anyErr := any.parseAny(bytes.Clone(body))
	if (err == nil) != (anyErr == nil) || err == nil && (encoded != anyEncoded || show(&known) != show(&any)) {
		t.Errorf("the fast parser returns %v, encoded %v\n%s\nthe other %v, encoded %v\n%s\nof %q",
			err, encoded, show(&known), anyErr, anyEncoded, show(&any), body)
	}
	if err == nil && fmt.Sprint(known.millis) != fmt.Sprint(any.millis) {
		t.Errorf("milliseconds %v and %v of %q", known.millis, any.millis, body)
	}
}

// FuzzPage: on any input the fast parser returns what the general one does, or
// leaves the page to it; and no input panics.
func FuzzPage(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.xml"))
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>&#x1;&lt;</Key><Size>1</Size><LastModified>2026-01-05T16:00:01.5Z</LastModified></Contents></ListBucketResult>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		same(t, body)
		var p Page
		if err := p.Parse(body); err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrOrder) {
			t.Errorf("error %v", err)
		}
	})
}

// Both parsers treat pages that are damaged in a few places alike.
func TestDamagedPages(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join("testdata", "*.xml"))
	pages := [][]byte{rowsAlike(false), rowsAlike(true)}
	for _, name := range names {
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, good)
	}
	pieces := []string{"<", ">", "/", "&", "&amp;", "&#xA;", "]]>", "<!-- -->", "<Key>", "</Key>", "<Size/>", " ", "\r", "\n", "\x00", "\x01", "\xff", "é", "%", "+", "\"", "&#34;", "&quot;", "<Size>7</Size>", "<StorageClass/>", "<IsTruncated>true</IsTruncated>", "<A>b</A>", "-", "9"}
	for _, good := range pages {
		rng := rand.New(rand.NewPCG(1, uint64(len(good))))
		for range 5000 {
			body := bytes.Clone(good)
			for range 1 + rng.IntN(2) {
				at := rng.IntN(len(body))
				end := min(len(body), at+rng.IntN(4))
				body = append(body[:at:at], append([]byte(pieces[rng.IntN(len(pieces))]), body[end:]...)...)
			}
			same(t, body)
		}
	}
}

// rowsAlike returns a page of rows in the same form, except for some. Rows in the
// same form are parsed by comparison with the previous row.
func rowsAlike(versions bool) []byte {
	var records []stocktake.Record
	for i := range 6 {
		r := stocktake.Record{Key: fmt.Appendf(nil, "a&<%d", i), VersionID: []byte("v"), IsLatest: true, Size: int64(i), IsDeleteMarker: versions && i%3 == 1}
		if i > 2 {
			r.ETag.Text = fmt.Appendf(nil, "\"%d\"", i) // within the quotes that are around it
		}
		records = append(records, r)
	}
	return pageOf(records, versions)
}

// Rows in the same form are parsed by comparison with the previous row, and the
// text between the quotes of an ETag is unchanged.
func TestRowsAlike(t *testing.T) {
	for _, versions := range []bool{false, true} {
		if _, ok, err := new(Page).parseKnown(rowsAlike(versions)); !ok || err != nil {
			t.Errorf("versions %v: the page is not parsed the fast way: %v", versions, err)
		}
		same(t, rowsAlike(versions))
		body, row := lakePage(versions), "<Contents>"
		if versions {
			row = "<Version>"
		}
		var p Page
		if err := p.Parse(body); err != nil {
			t.Fatal(err)
		}
		c := cursor{page: &p, body: body, at: bytes.LastIndex(body, []byte(row))}
		if !c.likeEarlierRow() || !c.closes() {
			t.Errorf("versions %v: the last row is not taken for one like the others", versions)
		}
	}
}

// pageOf writes a page like a program that uses encoding/xml.
func pageOf(records []stocktake.Record, versions bool) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	root, kinds := "ListBucketResult", [2]string{"Contents", ""}
	if versions {
		root, kinds = "ListVersionsResult", [2]string{"Version", "DeleteMarker"}
	}
	fmt.Fprintf(&b, `<%s xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lake</Name><IsTruncated>true</IsTruncated>`, root)
	for i := range records {
		r := &records[i]
		kind := kinds[0]
		if r.IsDeleteMarker {
			kind = kinds[1]
		}
		fmt.Fprintf(&b, "<%s><Key>", kind)
		xml.EscapeText(&b, r.Key)
		fmt.Fprintf(&b, "</Key><LastModified>%s</LastModified>", time.Unix(r.LastModified, 0).UTC().Format("2006-01-02T15:04:05.000Z"))
		if versions {
			fmt.Fprintf(&b, "<VersionId>%s</VersionId><IsLatest>%v</IsLatest>", r.VersionID, r.IsLatest)
		}
		if !r.IsDeleteMarker {
			fmt.Fprintf(&b, "<ETag>&#34;%s&#34;</ETag><Size>%d</Size><StorageClass>%s</StorageClass>", r.ETag, r.Size, r.StorageClass)
		}
		fmt.Fprintf(&b, "<Owner><ID>minio</ID><DisplayName>minio</DisplayName></Owner></%s>", kind)
	}
	fmt.Fprintf(&b, "</%s>", root)
	return b.Bytes()
}

// A parsed page has the records that were written to it.
func TestRecordsComeBack(t *testing.T) {
	key := rapid.Map(rapid.StringN(1, 12, 40), func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < ' ' || r == 0xFFFE || r == 0xFFFF || r == 0xFFFD { // what XML cannot express
				return 'x'
			}
			return r
		}, s)
	})
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.Bool().Draw(t, "versions")
		keys := rapid.SliceOfNDistinct(key, 0, 8, func(k string) string { return k }).Draw(t, "keys")
		var want []stocktake.Record
		for _, k := range slices.Sorted(slices.Values(keys)) {
			r := stocktake.Record{
				Key: []byte(k), IsLatest: true, LastModified: rapid.Int64Range(0, 4102444800).Draw(t, "time"),
				Size: rapid.Int64Range(0, stocktake.MaxObjectSize).Draw(t, "size"), StorageClass: configtest.StorageClass(t),
				Missing: lacking | stocktake.MissingType,
			}
			copy(r.ETag.Sum[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "sum"))
			if versions {
				r.VersionID = []byte("v1")
				if rapid.Bool().Draw(t, "marker") {
					r = stocktake.Record{Key: r.Key, VersionID: r.VersionID, IsLatest: true, IsDeleteMarker: true, LastModified: r.LastModified, ETag: stocktake.ETag{Text: []byte{}}}
				}
			}
			want = append(want, r)
		}
		body := pageOf(want, versions)
		same(t, body)
		var p Page
		if err := p.Parse(body); err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if diff := cmp.Diff(want, append([]stocktake.Record(nil), p.Records...)); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	})
}

// Times are parsed as by package time.
func TestTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(-62167219200000, 253402300799999).Draw(t, "milli")).UTC()
		for _, layout := range []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05.0Z", "2006-01-02T15:04:05.000000Z"} {
			text := at.Format(layout)
			want, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := parseTime([]byte(text)); !ok || got != want.UnixMilli() || floorSeconds(got) != want.Unix() {
				t.Errorf("%s: %d, %v, want %d", text, got, ok, want.UnixMilli())
			}
		}
	})
	for _, wrong := range []string{
		"", "2026-01-05T16:00:01", "2026-01-05 16:00:01Z", "2026-13-05T16:00:01Z", "2026-02-29T16:00:01Z", "2026-00-05T16:00:01Z", "2026-01-00T16:00:01Z",
		"2026-01-05T24:00:01Z", "2026-01-05T16:60:01Z", "2026-01-05T16:00:60Z", "2026-01-05T16:00:01.Z", "2026-01-05T16:00:01,5Z", "2026-01-05T16:00:01.5xZ", "2026-01-05T16:00:01+01:00",
	} {
		if got, ok := parseTime([]byte(wrong)); ok {
			t.Errorf("%q is taken for %d", wrong, got)
		}
	}
}

// lakePage returns a page of 1,000 rows as S3 sends it.
func lakePage(versions bool) []byte {
	var records []stocktake.Record
	for i := range 1000 {
		r := stocktake.Record{
			Key: fmt.Appendf(nil, "lake/tenant-03/access/dt=2026-03-05/07/part-%05d-1f2e3d4c.log.gz", i), IsLatest: true,
			Size: int64(i) << 10, LastModified: 1767225600 + int64(i),
			ETag: stocktake.ETag{Text: fmt.Appendf(nil, "%032x", i)},
		}
		if versions {
			r.VersionID = fmt.Appendf(nil, "3HL4kqtJlcpXroDTDmJ%04d", i)
		}
		records = append(records, r)
	}
	return pageOf(records, versions)
}

func TestParseAllocatesNothing(t *testing.T) {
	for _, versions := range []bool{false, true} {
		body := lakePage(versions)
		work := make([]byte, len(body))
		var p Page
		allocs := testing.AllocsPerRun(10, func() {
			copy(work, body)
			if err := p.Parse(work); err != nil || len(p.Records) != 1000 {
				t.Fatal(len(p.Records), err)
			}
		})
		if allocs > 0 {
			t.Errorf("versions %v: %v allocations for a page of 1,000 records", versions, allocs)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	body := lakePage(false)
	work := make([]byte, len(body))
	for name, parse := range map[string]func(p *Page) error{
		"known": func(p *Page) error { return p.Parse(work) },
		"any":   func(p *Page) error { p.reset(); _, err := p.parseAny(work); return err },
		"encoding-xml": func(*Page) error {
			var page struct {
				Contents []struct {
					Key, LastModified, ETag, StorageClass string
					Size                                  int64
				}
			}
			return xml.Unmarshal(work, &page)
		},
	} {
		b.Run(name, func(b *testing.B) {
			var p Page
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				copy(work, body)
				if err := parse(&p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
		})
	}
}
