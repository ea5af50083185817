package client_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/configtest"
)

func TestParseYAML(t *testing.T) {
	full := configuration("daily")
	full.IsEnabled = false
	full.Filter = stocktake.Filter{
		Prefix: "photos/", LastModifyBeginTimeStamp: 1767571200, LastModifyEndTimeStamp: 1767628800,
		LowerSizeBound: 0, HasLowerSizeBound: true, UpperSizeBound: 1 << 30,
		StorageClass: []stocktake.StorageClass{stocktake.IA, stocktake.Standard},
	}
	full.Schedule = stocktake.Schedule{Frequency: stocktake.Monthly, DayOfMonth: 3}
	full.Incremental = &stocktake.IncrementalInventory{
		IsEnabled: true, Frequency: 600, OptionalFields: []stocktake.Field{stocktake.FieldSequenceNumber, stocktake.FieldRecordType},
	}
	short := configuration("2026-01-05")
	short.Filter = stocktake.Filter{AllClasses: true}
	short.Destination.Prefix, short.Destination.Encryption = "", stocktake.Encryption{SSEOSS: true}
	short.Schedule = stocktake.Schedule{Frequency: stocktake.Once, AutoDelete: new(false)}
	short.IncludedObjectVersions, short.OptionalFields = stocktake.CurrentVersions, nil

	for name, want := range map[string]stocktake.InventoryConfiguration{"full.yaml": full, "short.yaml": short} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.ParseYAML(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := got.Validate(stocktake.InventoryRules{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseYAMLRefuses(t *testing.T) {
	for _, tt := range []struct{ name, doc, want string }{
		{"nothing", "", "empty"},
		{"a comment", "# nothing\n", "empty"},
		{"null", "--- null\n", "empty"},
		{"a list", "- id: daily\n", "line 1: expected one of destination, filter, id,"},
		{"a text", "daily", "line 1"},
		{"syntax", "id: daily\n  filter: [", "line 2"},
		{"tab", "id: daily\nfilter:\n\tprefix: a\n", "line 3"},
		{"two documents", "id: a\n---\nid: b\n", "second document"},
		{"unknown name", "id: daily\nisEnable: true\n", `line 2: unknown name "isEnable"; the names here are destination, filter, id, includedObjectVersions, incrementalInventory, isEnabled, optionalFields, schedule`},
		{"unknown name below", "filter:\n  prefix: a\n  suffix: b\n", `line 3: unknown name "suffix"`},
		{"case of a name", "ID: daily", `line 1: unknown name "ID"`},
		{"name twice", "id: a\nid: b\n", "line 2"},
		{"alias bomb", "optionalFields: &a [x]\nfilter: {storageClass: [" + strings.Repeat("*a,", 1000) + "]}", "line 1"},
		{"boolean", "isEnabled: maybe", "line 1: expected true or false"},
		{"number", "schedule:\n  dayOfMonth: third\n", "line 2: expected a whole number"},
		{"fraction", "filter: {upperSizeBound: 1.5}", "line 1: expected a whole number"},
		{"time", "filter: {lastModifyBeginTimeStamp: yesterday}", "line 1: expected Unix seconds"},
		{"class", "filter:\n  storageClass:\n  - IA\n  - Frozen\n", `line 4: unknown name "Frozen"`},
		{"field", "optionalFields: [Size, size]", `unknown name "size"`},
		{"fields nested", "optionalFields: [[Size]]", "line 1"},
		{"mapping for a text", "id: {a: b}", "line 1: expected a text"},
		{"list for a mapping", "filter: []", "line 1: expected one of"},
		{"key for SSE-OSS", "destination: {encryption: {sseOss: {keyId: a}}}", `line 1: unknown name "keyId": SSE-OSS takes no key`},
		{"incremental field", "incrementalInventory: {optionalFields: [TaggingCount]}", `line 1: unknown name "TaggingCount"`},
		{"deep", strings.Repeat("[", 20_000), ""},
		{"long", "id: " + strings.Repeat("a", 1<<20), "longer than 1 MiB"},
		{"line end of Unicode", "id: a\nfilter: {prefix: \"\u0085\"}", "line 2"},
		{"not UTF-8", "id: a\xff\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.ParseYAML([]byte(tt.doc))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to contain %q", err, tt.want)
			}
		})
	}
}

// What a configuration can have, YAML can say: a field that it forgets is named.
func TestYAMLHasEveryField(t *testing.T) {
	for _, c := range configtest.Samples() {
		text, err := client.FormatYAML(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.ParseYAML(text)
		if err != nil {
			t.Fatalf("%v of\n%s", err, text)
		}
		if diff := cmp.Diff(c.Normalized(), got); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
}

// An alias stands for what it names.
func TestYAMLAliases(t *testing.T) {
	c, err := client.ParseYAML([]byte("id: &name daily\nfilter: {prefix: *name}\noptionalFields: &f [Size]\nincrementalInventory: {optionalFields: *f}\n"))
	if err != nil || c.Filter.Prefix != "daily" || len(c.Incremental.OptionalFields) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
}

// What is written is read again, as YAML and as JSON.
func TestYAMLRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := configuration(rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{"null", "~", "true", "1", "1.5", "0x1", "2026-01-05", "- a", "a: b", " a", "a ", "#a", "a #b", "|", "a\nb\n", "\ta", "\r", "\u0085", "\u2028", "=", "<<", ".inf", "😀"}),
		).Draw(t, "id"))
		c.Filter.Prefix = rapid.StringMatching(`[ \n\t"'#:a&*!%@\x{85}\x{a0}\x{feff}-]{0,6}`).Draw(t, "prefix")
		if rapid.Bool().Draw(t, "incremental") {
			c.Incremental = &stocktake.IncrementalInventory{Frequency: 600, IsEnabled: rapid.Bool().Draw(t, "on")}
		}
		if rapid.Bool().Draw(t, "all") {
			c.Filter.AllClasses, c.Filter.StorageClass = true, nil
		}
		text, err := client.FormatYAML(c)
		if err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.MarshalIndent(c, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		texts := [][]byte{text}
		if !strings.ContainsFunc(string(asJSON), func(r rune) bool {
			return unicode.IsControl(r) && r > '~' || r == '\uFEFF' || r == '\uFFFE' || r == '\uFFFF'
		}) {
			texts = append(texts, asJSON) // what YAML can hold as it is
		}
		for _, text := range texts {
			got, err := client.ParseYAML(text)
			if err != nil {
				t.Fatalf("%v of\n%s", err, text)
			}
			if diff := cmp.Diff(c.Normalized(), got); diff != "" {
				t.Fatalf("%s of\n%s", diff, text)
			}
		}
	})
}

func FuzzParseYAML(f *testing.F) {
	for _, name := range []string{"full.yaml", "short.yaml"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := client.ParseYAML(data)
		if err != nil || c.Validate(stocktake.InventoryRules{}) != nil {
			return
		}
		text, err := client.FormatYAML(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := client.ParseYAML(text)
		if err != nil {
			t.Fatalf("%v of\n%s", err, text)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
