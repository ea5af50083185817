package listpage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// show returns a page as a few lines.
func show(p *Page) string {
	var b strings.Builder
	fmt.Fprintf(&b, "versions %v, truncated %v\n", p.Versions, p.Truncated)
	for i := range p.Records {
		r := &p.Records[i]
		at := func(seconds int64) string { return time.Unix(seconds, 0).UTC().Format("2006-01-02T15:04:05") }
		fmt.Fprintf(&b, "%q %s", r.Key, at(r.LastModified))
		for _, has := range []struct {
			bool
			text string
		}{
			{len(r.VersionID) > 0, " version " + string(r.VersionID)},
			{r.IsLatest, " latest"},
			{r.IsDeleteMarker, " marker"},
			{r.Multipart, " multipart"},
			{r.Type != stocktake.Normal, " " + r.Type.String()},
			{!r.IsDeleteMarker, fmt.Sprintf(" %d bytes %s %s", r.Size, r.ETag, r.StorageClass)},
			{r.TransitionTime != 0, " moved " + at(r.TransitionTime)},
		} {
			if has.bool {
				b.WriteString(has.text)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// The pages of testdata are as each store sends them.
//
// Source: wings.md 1.2, and the API references of S3 and OSS.
func TestStores(t *testing.T) {
	for name, want := range map[string]string{
		"aws-versions": `versions true, truncated true
"a b" 2026-01-05T16:00:02 version 3HL4kqtJlcpXroDTDmJ latest marker
"a b" 2026-01-05T16:00:01 version QUpfdndhfd8438MNFDN93jdnJFkdmqnh893 434234 bytes 9b2cf535f27731c974343645a3985328 STANDARD
"a/b" 2026-01-05T16:00:01 version v2 latest multipart 5368709120 bytes 9b2cf535f27731c974343645a3985328-7 GLACIER_IR
"a/b" 2025-01-05T16:00:01 version null 0 bytes d41d8cd98f00b204e9800998ecf8427e DEEP_ARCHIVE
`,
		"minio-objects": `versions false, truncated false
"a b*" 2026-01-05T16:00:01 latest 1 bytes 9b2cf535f27731c974343645a3985328 STANDARD
"猫" 2026-01-05T16:00:01 latest multipart 2 bytes 9b2cf535f27731c974343645a3985328-2 REDUCED_REDUNDANCY
`,
		"versitygw-versions": `versions true, truncated false
"a\nb" 2026-01-05T16:00:02 version 01K latest marker
"a\nb" 2026-01-05T16:00:01 version null 3 bytes 9b2cf535f27731c974343645a3985328 STANDARD
"c%2F" 2026-01-05T16:00:03 version 01N latest 4 bytes 9b2cf535f27731c974343645a3985328 STANDARD
"c%2F" 2026-01-05T16:00:02 version 01L marker
"c%2F" 2026-01-05T16:00:01 version 01J 5 bytes 9b2cf535f27731c974343645a3985328 STANDARD
`,
		"ceph-versions": `versions true, truncated true
"a b" 2026-01-05T16:00:01 version YvWGk latest 5 bytes 9b2cf535f27731c974343645a3985328 STANDARD
"a+b" 2026-01-05T16:00:01 version null latest marker
"log" 2026-01-05T16:00:01 version null latest Appendable 6 bytes 9b2cf535f27731c974343645a3985328 STANDARD
`,
		"oss-objects": `versions false, truncated false
"fun/a+b c" 2020-02-27T03:37:25 latest 344606 bytes 5B3C1A2E053D763E1B002CC607C5A0FE ColdArchive moved 2020-03-27T03:37:25
"test1.txt" 2020-05-20T07:50:18 latest multipart Multipart 16 bytes CE754A97D3DBDCC9D97E9FD0D8CF5BD5-3 Standard
`,
	} {
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join("testdata", name+".xml"))
			if err != nil {
				t.Fatal(err)
			}
			var known Page
			if _, ok, err := known.parseKnown(bytes.Clone(body)); !ok || err != nil {
				t.Errorf("it is not parsed the fast way: %v, %v", ok, err)
			}
			var p Page
			for range 2 { // the second time with the memory of the first
				if err := p.Parse(bytes.Clone(body)); err != nil {
					t.Fatal(err)
				}
				if got := show(&p); got != want {
					t.Errorf("page\n%s\nwant\n%s", got, want)
				}
			}
		})
	}
}

// versionsPage returns a page of versions with the rows given.
func versionsPage(rows ...string) []byte {
	return []byte(`<ListVersionsResult><IsTruncated>false</IsTruncated>` + strings.Join(rows, "") + `</ListVersionsResult>`)
}

func versionRow(key, id string, latest bool, at string) string {
	return fmt.Sprintf(`<Version><Key>%s</Key><VersionId>%s</VersionId><IsLatest>%v</IsLatest><LastModified>%s</LastModified><Size>1</Size></Version>`, key, id, latest, at)
}

// manyRows returns rows of versions of a key.
func manyRows(key string, n int) (rows []string) {
	for i := range n {
		rows = append(rows, versionRow(key, fmt.Sprintf("v%d", i), i == 0, "2026-01-05T16:00:01Z"))
	}
	return rows
}

func markerRow(key, id string, latest bool, at string) string {
	return fmt.Sprintf(`<DeleteMarker><Key>%s</Key><VersionId>%s</VersionId><IsLatest>%v</IsLatest><LastModified>%s</LastModified></DeleteMarker>`, key, id, latest, at)
}

// Rows are returned in the order of a report, whether a store mixes delete markers
// and versions or sends them separately.
func TestOrder(t *testing.T) {
	const t1, t2, t3 = "2026-01-05T16:00:01Z", "2026-01-05T16:00:02Z", "2026-01-05T16:00:03Z"
	for name, tt := range map[string]struct {
		rows []string
		want string // version ids; empty: out of order
	}{
		"mixed":                    {[]string{versionRow("a", "1", true, t1), markerRow("a", "2", false, t3), versionRow("b", "3", true, t2), markerRow("c", "4", true, t1)}, "1 2 3 4"},
		"markers first":            {[]string{markerRow("a", "1", true, t3), markerRow("b", "2", false, t2), versionRow("a", "3", false, t1), versionRow("b", "4", true, t3), versionRow("b", "5", false, t1)}, "1 3 4 2 5"},
		"versions first":           {[]string{versionRow("a", "3", false, t1), versionRow("b", "4", true, t3), markerRow("a", "1", true, t3), markerRow("b", "2", false, t2)}, "1 3 4 2"},
		"one key":                  {[]string{markerRow("a", "1", false, t1), versionRow("a", "2", true, t3), versionRow("a", "3", false, t2)}, "2 3 1"},
		"the latest, though older": {[]string{markerRow("a", "1", false, t3), versionRow("a", "2", true, t1)}, "2 1"},
		"at the same time":         {[]string{markerRow("a", "1", false, t1), markerRow("a", "2", false, t1), versionRow("a", "3", false, t1)}, "1 2 3"},
		"to the millisecond":       {[]string{markerRow("a", "1", false, "2026-01-05T16:00:01.1Z"), versionRow("a", "2", false, "2026-01-05T16:00:01.11Z")}, "2 1"},
		"markers of other keys":    {[]string{markerRow("a", "1", true, t1), versionRow("b", "2", true, t1)}, "1 2"},
		"a page without rows":      {nil, "-"},
		"versions out of order":    {[]string{versionRow("b", "1", true, t1), versionRow("a", "2", true, t1)}, ""},
		"markers out of order":     {[]string{markerRow("b", "1", true, t1), markerRow("a", "2", true, t1), versionRow("c", "3", true, t1)}, ""},
		"mixed, but out of order":  {[]string{versionRow("a", "1", true, t1), markerRow("c", "2", true, t1), versionRow("b", "3", true, t1)}, ""},
		"UTF-8, not UTF-16, order": {[]string{versionRow("｡", "1", true, t1), versionRow("😀", "2", true, t1)}, "1 2"},
		"UTF-16 order":             {[]string{versionRow("😀", "1", true, t1), versionRow("｡", "2", true, t1)}, ""},
		"a version twice":          {[]string{versionRow("a", "1", true, t1), versionRow("a", "1", true, t1)}, ""},
		"twice, with one between":  {[]string{versionRow("a", "1", true, t1), markerRow("a", "2", false, t1), versionRow("a", "1", false, t1)}, ""},
		"twice, far apart":         {append(manyRows("a", 40), versionRow("a", "v3", false, t1)), ""},
		"many versions":            {manyRows("a", 7), "v0 v1 v2 v3 v4 v5 v6"},
		"many versions of each":    {append(manyRows("a", 6), manyRows("b", 6)...), "v0 v1 v2 v3 v4 v5 v0 v1 v2 v3 v4 v5"},
		"in both sections":         {[]string{markerRow("a", "1", true, t3), markerRow("b", "2", false, t2), versionRow("a", "1", false, t1), versionRow("b", "4", true, t3)}, ""},
		"one id of two keys":       {[]string{versionRow("a", "null", true, t1), versionRow("b", "null", true, t1)}, "null null"},
	} {
		var p Page
		err := p.Parse(versionsPage(tt.rows...))
		var ids []string
		for _, r := range p.Records {
			ids = append(ids, string(r.VersionID))
		}
		switch {
		case tt.want == "":
			if !errors.Is(err, ErrOrder) || len(ids) > 0 {
				t.Errorf("%s: %v, %q, want %v", name, err, ids, ErrOrder)
			}
		case err != nil || strings.Join(ids, " ") != strings.Trim(tt.want, "-"):
			t.Errorf("%s: %v, versions %q, want %s", name, err, ids, tt.want)
		}
	}
	var p Page
	twice := `<Contents><Key>a</Key><LastModified>` + t1 + `</LastModified><Size>1</Size></Contents>`
	if err := p.Parse([]byte(`<ListBucketResult><IsTruncated>false</IsTruncated>` + twice + twice + `</ListBucketResult>`)); !errors.Is(err, ErrOrder) {
		t.Errorf("a key twice among current versions: %v", err)
	}
}

// A body that is not a complete page of a listing is rejected, and the page is
// empty.
func TestMalformed(t *testing.T) {
	good, err := os.ReadFile(filepath.Join("testdata", "aws-versions.xml"))
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(old, new string) string {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("there is no %s", old)
		}
		return strings.Replace(string(good), old, new, 1)
	}
	bodies := map[string]string{
		"empty":                    "",
		"HTML":                     "<html><body>502 Bad Gateway</body></html>",
		"an error":                 `<Error><Code>SlowDown</Code></Error>`,
		"no IsTruncated":           replaced("<IsTruncated>true</IsTruncated>", ""),
		"IsTruncated of something": replaced("<IsTruncated>true", "<IsTruncated>yes"),
		"a negative size":          replaced("<Size>434234", "<Size>-434234"),
		"a size of 19 digits":      replaced("<Size>434234", "<Size>1234567890123456789"),
		"no size":                  replaced("<Size>434234</Size>", ""),
		"no key":                   replaced("<Key>a+b</Key>", ""),
		"an empty key":             replaced("<Key>a+b<", "<Key><"),
		"no version id":            replaced("<VersionId>3HL4kqtJlcpXroDTDmJ</VersionId>", ""),
		"no time":                  replaced("<LastModified>2026-01-05T16:00:02.000Z</LastModified>", ""),
		"another time":             replaced("2026-01-05T16:00:02.000Z", "Mon, 05 Jan 2026 16:00:02 GMT"),
		"IsLatest of something":    replaced("<IsLatest>true", "<IsLatest>1"),
		"a broken escape":          replaced("<Key>a+b", "<Key>a%2"),
		"an escape of no digits":   replaced("<Key>a+b", "<Key>a%zz"),
		"an unknown entity":        replaced("&quot;", "&eacute;"),
		"no word for a class":      replaced("<StorageClass>STANDARD", "<StorageClass>no class"),
		"common prefixes":          replaced("<DeleteMarker>", "<CommonPrefixes><Prefix>a</Prefix></CommonPrefixes><DeleteMarker>"),
		"a row of the other kind":  replaced("<Version>", "<Contents><Key>a+b</Key><LastModified>2026-01-05T16:00:02.000Z</LastModified><Size>1</Size></Contents><Version>"),
		"something after it":       string(good) + "<more/>",
		"not UTF-8":                replaced("<Key>a+b", "<Key>a\xff"),
	}
	for n := range len(good) - 1 { // the last byte is the end of a line
		bodies[fmt.Sprintf("cut off after %d bytes", n)] = string(good[:n])
	}
	var p Page
	for name, body := range bodies {
		if err := p.Parse([]byte(body)); !errors.Is(err, ErrMalformed) || len(p.Records) > 0 || p.Truncated || p.Versions {
			t.Errorf("%s: %v, %d records, want %v", name, err, len(p.Records), ErrMalformed)
		}
	}
	if err := p.Parse(make([]byte, MaxBody+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a page that is too long: %v", err)
	}
	if err := p.Parse(good); err != nil || len(p.Records) != 4 {
		t.Errorf("the page itself: %d records, %v", len(p.Records), err)
	}
}

// Unusual forms of the same page yield the same records.
func TestOtherForms(t *testing.T) {
	good, err := os.ReadFile(filepath.Join("testdata", "aws-versions.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var p Page
	if err := p.Parse(bytes.Clone(good)); err != nil {
		t.Fatal(err)
	}
	want := show(&p)
	for name, r := range map[string]*strings.Replacer{
		"CDATA":              strings.NewReplacer("<Key>a+b</Key>", "<Key><![CDATA[a+b]]></Key>"),
		"a comment":          strings.NewReplacer("<Key>a+b</Key>", "<Key>a<!-- and -->+b</Key>"),
		"a prefix":           strings.NewReplacer("</", "</s3:", "<?", "<?", "<", "<s3:", "xmlns=", "xmlns:s3="),
		"lines":              strings.NewReplacer("><", ">\r\n\t<"),
		"attributes":         strings.NewReplacer("<Version>", `<Version a="1" b='>'>`),
		"unknown elements":   strings.NewReplacer("<Size>", "<New><Deep>x</Deep></New><Size>", "<MaxKeys>", "<Other/><MaxKeys>"),
		"no declaration":     strings.NewReplacer(`<?xml version="1.0" encoding="UTF-8"?>`, ""),
		"another":            strings.NewReplacer(`<?xml version="1.0" encoding="UTF-8"?>`, "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>"),
		"blanks":             strings.NewReplacer("<Size>434234", "<Size>\n434234 ", "IsLatest>true<", "IsLatest> true <"),
		"a key twice":        strings.NewReplacer("<Key>a+b</Key>", "<Key>a+b</Key><Key>c</Key>"),
		"references":         strings.NewReplacer("&quot;", "&#x22;", "a+b", "&#97;+&#x62;"),
		"a byte order mark":  strings.NewReplacer("<?xml", "\ufeff<?xml"),
		"EncodingType later": strings.NewReplacer("<EncodingType>url</EncodingType>", "", "</ListVersionsResult>", "<EncodingType>URL</EncodingType></ListVersionsResult>"),
	} {
		body := r.Replace(string(good))
		if name != "no declaration" && body == string(good) {
			t.Fatalf("%s: nothing is replaced", name)
		}
		if err := p.Parse([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := show(&p); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}
