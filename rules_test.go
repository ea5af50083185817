package stocktake_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
)

// What a program may put into a configuration but no document can say is held
// to the same rules.
func TestValidate(t *testing.T) {
	type configuration = stocktake.InventoryConfiguration
	const destination = "Destination/OSSBucketDestination/"
	for _, tt := range []struct {
		name        string
		ec, element string
		change      func(*configuration)
	}{
		{"id with a control character", "0020-00000044", "Id", func(c *configuration) { c.ID = "a\x01" }},
		{"id with a line end", "0020-00000044", "Id", func(c *configuration) { c.ID = "a\nb" }},
		{"id with a control character of Unicode", "0020-00000044", "Id", func(c *configuration) { c.ID = "a\u0085" }},
		{"id of two path elements", "0020-00000044", "Id", func(c *configuration) { c.ID = "src/vic" }},
		{"id is a dot", "0020-00000044", "Id", func(c *configuration) { c.ID = "." }},
		{"id leads upwards", "0020-00000044", "Id", func(c *configuration) { c.ID = ".." }},
		{"id not UTF-8", "0020-00000044", "Id", func(c *configuration) { c.ID = "a\xff" }},
		{"id of 193 characters", "0020-00000044", "Id", func(c *configuration) { c.ID = strings.Repeat("é", 193) }},
		{"prefix with a control character", "0020-00000020", "Filter/Prefix", func(c *configuration) { c.Filter.Prefix = "\x00" }},
		{"prefix that XML lacks", "0020-00000020", "Filter/Prefix", func(c *configuration) { c.Filter.Prefix = "\uFFFE" }},
		{"prefix not UTF-8", "0020-00000020", "Filter/Prefix", func(c *configuration) { c.Filter.Prefix = "é"[:1] }},
		{"negative time", "0020-00000021", "Filter/LastModifyBeginTimeStamp", func(c *configuration) { c.Filter.LastModifyBeginTimeStamp = -1 }},
		{"unknown class", "0020-00000026", "Filter/StorageClass", func(c *configuration) { c.Filter.StorageClass = []stocktake.StorageClass{255} }},
		{"all and one class", "0020-00000026", "Filter/StorageClass", func(c *configuration) {
			c.Filter.AllClasses, c.Filter.StorageClass = true, []stocktake.StorageClass{stocktake.IA}
		}},
		{"both encryptions", "0020-00000016", destination + "Encryption", func(c *configuration) {
			c.Destination.Encryption = stocktake.Encryption{SSEOSS: true, SSEKMS: true}
		}},
		{"key without KMS", "", destination + "Encryption/SSE-KMS/KeyId", func(c *configuration) { c.Destination.Encryption.KeyID = "k" }},
		{"key with SSE-OSS", "0020-00000035", destination + "Encryption/SSE-OSS/KeyId", func(c *configuration) {
			c.Destination.Encryption = stocktake.Encryption{SSEOSS: true, KeyID: "k"}
		}},
		{"long key", "", destination + "Encryption/SSE-KMS/KeyId", func(c *configuration) {
			c.Destination.Encryption = stocktake.Encryption{SSEKMS: true, KeyID: strings.Repeat("k", 257)}
		}},
		{"destination not UTF-8", "0020-00000034", destination + "Prefix", func(c *configuration) { c.Destination.Prefix = "\xff" }},
		{"no field", "0020-00000036", "OptionalFields/Field", func(c *configuration) { c.OptionalFields = []stocktake.Field{0} }},
		{"fixed column as a field", "0020-00000036", "OptionalFields/Field", func(c *configuration) {
			c.OptionalFields = []stocktake.Field{stocktake.FieldKey}
		}},
		{"zero incremental frequency", "", "IncrementalInventory/Schedule/Frequency", func(c *configuration) {
			c.Incremental = &stocktake.IncrementalInventory{}
		}},
		{"unknown incremental field", "", "IncrementalInventory/OptionalFields/Field", func(c *configuration) {
			c.Incremental = &stocktake.IncrementalInventory{Frequency: 600, OptionalFields: []stocktake.Field{99}}
		}},
		{"negative day", "", "Schedule/DayOfMonth", func(c *configuration) {
			c.Schedule = stocktake.Schedule{Frequency: stocktake.Monthly, DayOfMonth: -1}
		}},
		{"bucket as an ARN", "0020-00000030", destination + "Bucket", func(c *configuration) { c.Destination.Bucket = "acs:oss:::reports" }},
		{"no bucket", "0020-00000030", destination + "Bucket", func(c *configuration) { c.Destination.Bucket = "" }},
		{"nothing at all", "0020-00000044", "Id", func(c *configuration) { *c = configuration{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := configtest.Minimal()
			tt.change(&c)
			expect(t, c.Validate(stocktake.InventoryRules{}), tt.ec, tt.element)
		})
	}
	c := configtest.Minimal()
	if err := c.Validate(stocktake.InventoryRules{}); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	expect(t, c.Validate(stocktake.InventoryRules{ID: "other"}), "0020-00000043", "Id")
	expect(t, c.Validate(stocktake.InventoryRules{AccountID: "1"}), "0020-00000028", destination+"AccountId")
}

// A long value is cut at a whole character, so that it can stand in a reply.
func TestErrorTexts(t *testing.T) {
	c := configtest.Minimal()
	c.Filter.Prefix = "x" + strings.Repeat("é", 1000)
	e, ok := errors.AsType[*stocktake.InvalidArgumentError](c.Validate(stocktake.InventoryRules{}))
	if !ok || e.Value != "x"+strings.Repeat("é", 99) {
		t.Errorf("got %#v", e)
	}
	for err, want := range map[error]string{
		&stocktake.InvalidArgumentError{Element: "Id"}:                          "The value of Id is invalid.",
		&stocktake.InvalidArgumentError{Element: "Id", Reason: "it is empty"}:   "The value of Id is invalid: it is empty.",
		&stocktake.MalformedXMLError{EC: "0020-00000005", Reason: "Id is gone"}: "malformed XML: Id is gone",
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

func TestRunStates(t *testing.T) {
	for state, ended := range map[stocktake.RunState]bool{
		stocktake.Queued: false, stocktake.Scanning: false, stocktake.Publishing: false,
		stocktake.Succeeded: true, stocktake.Failed: true, stocktake.Cancelled: true, stocktake.Skipped: true, "": false,
	} {
		if state.Ended() != ended {
			t.Errorf("%q.Ended() is %v", state, !ended)
		}
	}
}

// expect checks that err is of the element and has the EC, and that its texts are
// fit to be shown.
func expect(t *testing.T, err error, ec, element string) {
	t.Helper()
	e, ok := errors.AsType[*stocktake.InvalidArgumentError](err)
	if !ok || e.EC != ec || e.Element != element || e.Reason == "" || len(e.Value) > 200 {
		t.Errorf("got %#v, want an InvalidArgumentError of %s with EC %q", err, element, ec)
	}
}

func TestCopiesShareNothing(t *testing.T) {
	for name, copied := range map[string]func(stocktake.InventoryConfiguration) stocktake.InventoryConfiguration{
		"Normalized": stocktake.InventoryConfiguration.Normalized, "Clone": stocktake.InventoryConfiguration.Clone,
	} {
		c := configtest.Full()
		c.Schedule.AutoDelete = new(true)
		got := copied(c)
		want := copied(c)
		c.OptionalFields[0], c.Incremental.OptionalFields[0], c.Filter.StorageClass[0] = 0, 0, 99
		*c.Schedule.AutoDelete, c.Incremental.IsEnabled = false, false
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: a change of the original shows", name)
		}
	}
}

// Buckets of S3 stores have filters with classes of S3, and only they.
func TestClassesOfS3InFilters(t *testing.T) {
	c := configtest.Minimal()
	if !c.Filter.SetStorageClasses("STANDARD,GLACIER_IR,COLD,IA") {
		t.Fatal("the classes are refused")
	}
	if err := c.Validate(stocktake.InventoryRules{}); err != nil {
		t.Error(err)
	}
	err := c.Validate(stocktake.InventoryRules{OSSClasses: true})
	if e, ok := errors.AsType[*stocktake.InvalidArgumentError](err); !ok || e.EC != "0020-00000026" || e.Value != "STANDARD,GLACIER_IR,COLD,IA" {
		t.Errorf("for a bucket of OSS: %v", err)
	}
}
