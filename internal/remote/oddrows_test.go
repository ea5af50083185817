package remote_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/remote"
)

// An oddity is something that no service should send in a listing.
type oddity struct {
	edit   *strings.Replacer // of a page with the rows "a", "b" and "c"
	reason string            // of the scan's error; empty: the rows are listed
}

// sample is the row "b" of listings with oddities.
const sample = `<Key>b</Key><LastModified>2026-01-05T16:00:00.000Z</LastModified><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass>`

func odd(old, changed, reason string) oddity {
	return oddity{strings.NewReplacer(old, changed), reason}
}

// oddities are those of both dialects and of both kinds of listings.
var oddities = map[string]oddity{
	"nothing":                       odd("", "", ""),
	"an empty key":                  odd("<Key>b</Key>", "<Key></Key>", "a row has no key"),
	"no key":                        odd("<Key>b</Key>", "", "a row has no key"),
	"a key of 4,000 bytes":          odd("<Key>b</Key>", "<Key>b"+strings.Repeat("x", 3999)+"</Key>", ""),
	"a key that is not UTF-8":       odd("<Key>b</Key>", "<Key>b%FF</Key>", ""),
	"a broken escape":               odd("<Key>b</Key>", "<Key>b%2</Key>", "is not percent-encoded"),
	"a negative size":               odd("<Size>7<", "<Size>-7<", `key "b" has Size "-7"`),
	"a size above 2^63":             odd("<Size>7<", "<Size>9223372036854775808<", `has Size "9223372036854775808"`),
	"a size with a fraction":        odd("<Size>7<", "<Size>7.0<", `has Size "7.0"`),
	"no size":                       odd("<Size>7</Size>", "", `has Size ""`),
	"an ETag without quotes":        odd(`"d41d8cd98f00b204e9800998ecf8427e"`, "d41d8cd98f00b204e9800998ecf8427e", ""),
	"no ETag":                       odd(`<ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag>`, "", ""),
	"an ETag that is not an MD5":    odd("d41d8cd98f00b204e9800998ecf8427e", "W/xyz", ""),
	"a time without a fraction":     odd("00.000Z", "00Z", ""),
	"a time with nanoseconds":       odd("00.000Z", "00.123456789Z", ""),
	"a time with an offset":         odd("00.000Z", "00.000+01:00", `has LastModified "2026-01-05T16:00:00.000+01:00"`),
	"a time of another form":        odd("2026-01-05T16:00:00.000Z", "Mon, 05 Jan 2026 16:00:00 GMT", "has LastModified"),
	"a day that is not":             odd("2026-01-05", "2026-02-30", "has LastModified"),
	"no time":                       odd("<LastModified>2026-01-05T16:00:00.000Z</LastModified>", "", `has LastModified ""`),
	"a class of its own":            odd("STANDARD", "COLD_STORE-2", ""),
	"no class":                      odd("<StorageClass>STANDARD</StorageClass>", "", ""),
	"a class that is a sentence":    odd("STANDARD", "not a class", `has StorageClass "not a class"`),
	"a class of 41 letters":         odd("STANDARD", strings.Repeat("C", 41), "has StorageClass"),
	"an unknown type":               odd("<Size>", "<Type>Folder</Type><Size>", ""),
	"an unknown element":            odd("<Size>", "<Weather><Wind>3</Wind></Weather><Size>", ""),
	"no IsTruncated":                odd("<IsTruncated>false</IsTruncated>", "", `IsTruncated is ""`),
	"IsTruncated is a number":       odd("<IsTruncated>false", "<IsTruncated>0", `IsTruncated is "0"`),
	"truncated, and no next marker": odd("<IsTruncated>false", "<IsTruncated>true", "the listing does not advance"),
	"common prefixes":               odd("<IsTruncated>", "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><IsTruncated>", "common prefixes"),
	"another document":              odd("List", "Html", "it is a document"),
	"keys backwards":                odd("<Key>b</Key>", "<Key>B</Key>", "out of order"),
	"a key twice":                   odd("<Key>b</Key>", "<Key>a</Key>", "the page of the listing is out of order"),
}

// listing returns a page of three rows.
func listing(versions bool) string {
	root, row, state := "ListBucketResult", "Contents", ""
	if versions {
		root, row, state = "ListVersionsResult", "Version", "<VersionId>v1</VersionId><IsLatest>true</IsLatest>"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<%s><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>", root)
	for _, key := range []string{"a", "b", "c"} {
		fields := strings.Replace(sample, "<Key>b<", "<Key>"+key+"<", 1)
		if key != "b" { // so that an edit meets one row
			fields = strings.NewReplacer("<Size>7<", "<Size>1<", "2026-01-05T16:00:00.000Z", "2026-01-01T00:00:01Z", "STANDARD", "", `"d41d8cd98f00b204e9800998ecf8427e"`, `"0"`).Replace(fields)
		}
		fmt.Fprintf(&b, "<%s>%s%s</%s>", row, fields, state, row)
	}
	fmt.Fprintf(&b, "</%s>", root)
	return b.String()
}

// scanned is the result of scanning a service that always sends the same page.
type scanned struct {
	records  []stocktake.Record
	err      error
	requests int
}

func scanOf(t *testing.T, kind, body string, versions bool) (s scanned) {
	t.Helper()
	state := "<VersioningConfiguration/>"
	if versions {
		state = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	}
	synctest.Test(t, func(t *testing.T) {
		store := open(t, kind, remote.Options{WrapTransport: retried, Transport: wire(func(req *http.Request) (*http.Response, error) {
			if req.URL.Query().Has("versioning") {
				return answer(200, state), nil
			}
			s.requests++
			return answer(200, body), nil
		})})
		snap, err := store.Source().Snapshot(t.Context(), "bucket")
		if err != nil {
			t.Fatal(err)
		}
		s.err = snap.Scan(t.Context(), engine.Segment{}, versions, func(batch []stocktake.Record) error {
			for _, r := range batch {
				r.Key, r.VersionID = slices.Clone(r.Key), slices.Clone(r.VersionID)
				s.records = append(s.records, r)
			}
			return nil
		})
	})
	return s
}

// Whatever a service sends in a listing, a scan ends after a few requests: with all
// rows, or with an error that may pass and that says what is wrong in which row.
// This holds for both dialects.
func TestOddRows(t *testing.T) {
	for name, o := range oddities {
		for kind := range kinds {
			for _, versions := range []bool{false, true} {
				got := scanOf(t, kind, o.edit.Replace(listing(versions)), versions)
				at := fmt.Sprintf("%s, %s, versions %v", name, kind, versions)
				if o.reason == "" {
					if got.err != nil || len(got.records) != 3 || got.requests != 1 {
						t.Errorf("%s: %d rows, %d requests, %v", at, len(got.records), got.requests, got.err)
					}
					continue
				}
				passes, ok := errors.AsType[interface {
					error
					MayPass() bool
				}](got.err)
				if got.err == nil || !strings.Contains(got.err.Error(), o.reason) || got.requests > 10 || !ok || !passes.MayPass() {
					t.Errorf("%s: %d rows, %d requests, %v, want %s", at, len(got.records), got.requests, got.err, o.reason)
				}
			}
		}
	}
}

// From a page with arbitrary fields, either no row is listed, or each is as it was
// sent.
func TestOddFields(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.OneOf(rapid.StringMatching(`-?[0-9]{0,21}`), rapid.SampledFrom([]string{"1e3", "0x1", " 7 ", "٣"})).Draw(rt, "size")
		at := rapid.OneOf(rapid.StringMatching(`[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,9})?(Z|\+00:00)?`), rapid.SampledFrom([]string{"", "now"})).Draw(rt, "time")
		kind, versions := rapid.SampledFrom([]string{"s3", "oss"}).Draw(rt, "kind"), rapid.Bool().Draw(rt, "versions")
		body := strings.NewReplacer("<Size>7<", "<Size>"+size+"<", "2026-01-05T16:00:00.000Z", at).Replace(listing(versions))
		got := scanOf(t, kind, body, versions)
		if got.err != nil {
			if len(got.records) > 0 {
				rt.Errorf("%d rows and %v", len(got.records), got.err)
			}
			return
		}
		if len(got.records) != 3 {
			rt.Fatalf("%d rows", len(got.records))
		}
		b := got.records[1]
		if fmt.Sprint(b.Size) != strings.TrimLeft(strings.TrimSpace(size), "0") && strings.Trim(size, "0") != "" || b.Size < 0 {
			rt.Errorf("size %q became %d", size, b.Size)
		}
		if text := time.Unix(b.LastModified, 0).UTC().Format("2006-01-02T15:04:05"); !strings.HasPrefix(at, text) {
			rt.Errorf("time %q became %s", at, text)
		}
	})
}
