package stocktake

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// agree fails unless encoding/xml reads what a plainScanner reads, and reads it
// the same.
func agree(t interface{ Fatalf(string, ...any) }, data []byte) {
	data, err := checkUTF8(data)
	if err != nil {
		return
	}
	if got, ok := plainDocument(data); ok {
		if want, err := scanConfiguration(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\nread plainly: %+v\nby encoding/xml: %+v, %v", data, got, want, err)
		}
	}
	type list struct {
		page      []InventoryConfiguration
		next      string
		truncated bool
	}
	if page, next, truncated, ok := plainList(data); ok {
		got := list{page, next, truncated}
		page, next, truncated, err := scanList(data)
		if want := (list{page, next, truncated}); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\nread plainly: %+v\nby encoding/xml: %+v, %v", data, got, want, err)
		}
	}
}

// What we write is plain, or nothing is gained.
func TestPlainIsWhatWeWrite(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, document := plainDocument(data)
		_, _, _, list := plainList(data)
		if document == list {
			t.Errorf("%s: as a configuration %v, as a list %v", name, document, list)
		}
		agree(t, data)
	}
}

// oddities are what XML may hold that is not plain, or only just.
var oddities = []string{
	"", " ", "\n", "\r", "\r\n", "\t", "x", "]]>", "]]", "]", ">", "/", "\"", "'", "=", "<", "&", ";", "\x01", "\x7f", "\ufffd", "\ufffe", "\uffff", "猫", "ﬀ",
	"&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#10;", "&#13;", "&#x41;", "&#0;", "&#55296;", "&#65534;", "&#1114111;", "&#1114112;", "&a;", "&amp", "&#;", "&#+1;",
	"<!-- x -->", "<![CDATA[x]]>", "<?x y?>", "<!DOCTYPE x>", "<?xml version=\"1.0\"?>", "\ufeff",
	"<a>", "</a>", "<a/>", "<a />", "< a/>", "<a b=\"c\"/>", "<a:b/>", "<é/>", "<1/>", "<a\r\n>", "</a\t>", "<a/ >", "</>", "<>", "<-a/>", "<a.b-c_1/>",
	"<Id>x</Id>", "<Filter>", "</Filter>", "<Prefix>", "</Prefix>", "<OptionalFields><Field>Size</Field></OptionalFields>",
	"<IsTruncated>true</IsTruncated>", "<IsTruncated/>", "<IsTruncated> 1 </IsTruncated>", "<IsTruncated>maybe</IsTruncated>",
	"<NextContinuationToken>a&amp;b</NextContinuationToken>", "<NextContinuationToken>a<b/>c</NextContinuationToken>", "<ContinuationToken>x</ContinuationToken>",
}

func TestPlainOrNot(t *testing.T) {
	full, err := os.ReadFile("testdata/golden/full.xml")
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile("testdata/golden/list-first.xml")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SampledFrom([]string{
			string(full), string(list),
			"<InventoryConfiguration></InventoryConfiguration>",
			"<ListInventoryConfigurationsResult></ListInventoryConfigurationsResult>",
			"<?xml version=\"1.0\" encoding=\"utf-8\"?><ListInventoryConfigurationsResult>x</ListInventoryConfigurationsResult>",
		}).Draw(t, "document")
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			at := rapid.IntRange(0, len(data)).Draw(t, "at")
			if rapid.Bool().Draw(t, "where text may stand") {
				if i := strings.IndexByte(data[at:], '>'); i >= 0 {
					at += i + 1
				}
			}
			end := at + rapid.SampledFrom([]int{0, 0, 0, 1, 5}).Draw(t, "without")
			data = data[:at] + rapid.SampledFrom(oddities).Draw(t, "with") + data[min(end, len(data)):]
		}
		agree(t, []byte(data))
	})
}

// FuzzPlain looks for documents that a plainScanner and encoding/xml read
// differently.
func FuzzPlain(f *testing.F) {
	for _, o := range oddities {
		f.Add([]byte("<InventoryConfiguration><Filter><Prefix>" + o + "</Prefix></Filter></InventoryConfiguration>"))
		f.Add([]byte(plainDeclaration + "<ListInventoryConfigurationsResult>" + o + "</ListInventoryConfigurationsResult>"))
	}
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, data) })
}
