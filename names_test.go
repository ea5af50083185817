package stocktake_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
)

func TestValidNames(t *testing.T) {
	for _, tt := range []struct {
		what  string
		valid func(string) bool
		yes   []string
		no    []string
	}{
		{
			"bucket", stocktake.ValidBucketName,
			[]string{"abc", "0-9", "a-b", strings.Repeat("a", 63)},
			[]string{"", "ab", strings.Repeat("a", 64), "-ab", "ab-", "Abc", "a_b", "a.b", "a/b", "日日日", "a\x00b"},
		},
		{
			"key", stocktake.ValidKey,
			[]string{"a", " ", "a//b", "..", "a\x00\n", "😀", strings.Repeat("a", 1023)},
			[]string{"", "/a", `\a`, "a\xff", strings.Repeat("a", 1024), strings.Repeat("é", 512)},
		},
		{
			"account id", stocktake.ValidAccountID,
			[]string{"0", "1000000000000000", strings.Repeat("9", 32)},
			[]string{"", "-1", "1.0", "１", strings.Repeat("9", 33)},
		},
		{
			"role", func(s string) bool { _, _, ok := stocktake.ParseRoleARN(s); return ok },
			[]string{"acs:ram::1:role/a", "acs:ram::1:role/A.b-c_9"},
			[]string{"", "acs:ram::1:role/", "acs:ram:::role/a", "acs:ram::x:role/a", "acs:ram::1:user/a", "acs:ram::1:role/a/b", "acs:ram::1:role/" + strings.Repeat("a", 65)},
		},
		{
			"bucket ARN", func(s string) bool { _, ok := stocktake.ParseBucketARN(s); return ok },
			[]string{"acs:oss:::reports", "acs:oss:::X"},
			[]string{"", "reports", "acs:oss:::", "acs:oss::bucketname:oss", "acs:oss:::a:b"},
		},
	} {
		for _, s := range tt.yes {
			if !tt.valid(s) {
				t.Errorf("%s %.40q is refused", tt.what, s)
			}
		}
		for _, s := range tt.no {
			if tt.valid(s) {
				t.Errorf("%s %.40q is accepted", tt.what, s)
			}
		}
	}
	if name, ok := stocktake.ParseBucketARN(stocktake.BucketARN("reports")); name != "reports" || !ok {
		t.Errorf("BucketARN reads back as %q, %v", name, ok)
	}
	if uid, name, ok := stocktake.ParseRoleARN("acs:ram::12:role/writer"); uid != "12" || name != "writer" || !ok {
		t.Errorf("ParseRoleARN returned %q, %q, %v", uid, name, ok)
	}
}

// Every name is found again by the parser it belongs to, and by that alone.
func TestFieldNames(t *testing.T) {
	var optional, incremental int
	for f := stocktake.FieldBucket; f.String() != ""; f++ {
		if got, ok := stocktake.ParseColumn(f.Column().SchemaName); got != f || !ok {
			t.Errorf("ParseColumn(%q) is %d, %v; want %d", f.Column().SchemaName, got, ok, f)
		}
		if got, ok := stocktake.ParseColumn(f.String()); got != f || !ok {
			t.Errorf("ParseColumn(%q) is %d, %v; want %d", f, got, ok, f)
		}
		if got, ok := stocktake.ParseOptionalField(f.String()); ok {
			optional++
			if got != f {
				t.Errorf("ParseOptionalField(%q) is %d", f, got)
			}
		}
		if got, ok := stocktake.ParseIncrementalField(f.String()); ok {
			incremental++
			if got != f {
				t.Errorf("ParseIncrementalField(%q) is %d", f, got)
			}
		}
		text, err := json.Marshal(f)
		var back stocktake.Field
		if err != nil || json.Unmarshal(text, &back) != nil || back != f {
			t.Errorf("%s is %s as JSON, %v", f, text, err)
		}
	}
	if optional != 13 || incremental != 15 {
		t.Errorf("%d optional fields, %d incremental ones; the specification has 13 and 15", optional, incremental)
	}
	for _, name := range []string{"", "size", "CRC32"} {
		if f, ok := stocktake.ParseColumn(name); ok {
			t.Errorf("ParseColumn(%q) is %d", name, f)
		}
	}
	if _, err := json.Marshal(stocktake.Field(200)); err == nil {
		t.Error("an unknown field has a JSON form")
	}
}

func TestClassNames(t *testing.T) {
	for c := range stocktake.StorageClass(stocktake.NumStorageClasses) {
		if got, ok := stocktake.ParseStorageClass(c.String()); got != c || !ok {
			t.Errorf("ParseStorageClass(%q) is %d, %v", c, got, ok)
		}
	}
	if _, ok := stocktake.ParseStorageClass("standard"); ok {
		t.Error("classes are not case-sensitive")
	}
	if _, err := stocktake.StorageClass(255).MarshalText(); err == nil {
		t.Error("an unknown class has a text form")
	}
	for a := stocktake.DefaultACL; a <= stocktake.PublicReadWrite; a++ {
		if got, ok := stocktake.ParseACL(a.String()); got != a || !ok {
			t.Errorf("ParseACL(%q) is %d, %v", a, got, ok)
		}
	}
	if got := stocktake.ObjectType(9).String(); got != "unknown" {
		t.Errorf("type 9 is called %q", got)
	}
}

func TestColumns(t *testing.T) {
	c := configtest.Minimal()
	c.OptionalFields = []stocktake.Field{stocktake.FieldCRC64, stocktake.FieldSize}
	if got := stocktake.FileSchema(c.Columns()); got != "Bucket, Key, CRC64, Size" {
		t.Errorf("current: %s", got)
	}
	c.IncludedObjectVersions = stocktake.AllVersions
	if got := stocktake.FileSchema(c.Columns()); got != "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, CRC64, Size" {
		t.Errorf("all: %s", got)
	}
}
