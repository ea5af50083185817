package inventoryxml_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/configtest"
	"github.com/stocktake/stocktake/inventoryxml"
)

// goodXML is a body with every element that has a rule, in an order of its own.
const goodXML = `<?xml version="1.0" encoding="UTF-8"?>
<InventoryConfiguration>
  <IncludedObjectVersions>All</IncludedObjectVersions>
  <OptionalFields><Field>Size</Field></OptionalFields>
  <Id>daily</Id>
  <IsEnabled>true</IsEnabled>
  <Filter>
    <Prefix>photos/</Prefix>
    <LastModifyBeginTimeStamp>1637883649</LastModifyBeginTimeStamp>
    <LastModifyEndTimeStamp>1638347592</LastModifyEndTimeStamp>
    <LowerSizeBound>1024</LowerSizeBound>
    <UpperSizeBound>1048576</UpperSizeBound>
    <StorageClass>Standard,IA</StorageClass>
  </Filter>
  <Schedule><Frequency>Monthly</Frequency><DayOfMonth>3</DayOfMonth></Schedule>
  <Destination>
    <OSSBucketDestination>
      <Format>CSV</Format>
      <AccountId>1000000000000000</AccountId>
      <RoleArn>acs:ram::1000000000000000:role/inventory-writer</RoleArn>
      <Bucket>acs:oss:::reports</Bucket>
      <Prefix>inv</Prefix>
      <Encryption><SSE-OSS/></Encryption>
    </OSSBucketDestination>
  </Destination>
  <IncrementalInventory>
    <IsEnabled>true</IsEnabled>
    <Schedule><Frequency>600</Frequency></Schedule>
    <OptionalFields><Field>RecordType</Field></OptionalFields>
  </IncrementalInventory>
</InventoryConfiguration>
`

// TestPutRules has one subtest for each EC that a body can provoke, named after
// it; those without an EC are named after what they check. Each takes goodXML
// and changes one thing.
func TestPutRules(t *testing.T) {
	const malformed = "" // in place of an element: a *MalformedXMLError
	destination := func(node string) string { return "Destination/OSSBucketDestination/" + node }

	for _, tt := range []struct {
		name, old, new string
		element        string
	}{
		{"0015-00000231/not well-formed", "</Id>", "</ID>", malformed},
		{"0015-00000231/ends early", "</InventoryConfiguration>\n", "", malformed},
		{"0015-00000231/trailing garbage", "</InventoryConfiguration>\n", "</InventoryConfiguration>x", malformed},
		{"0015-00000231/second document", "</InventoryConfiguration>\n", "</InventoryConfiguration><InventoryConfiguration/>", malformed},
		{"0015-00000231/leading garbage", "<InventoryConfiguration>", "x<InventoryConfiguration>", malformed},
		{"0015-00000231/other root", "InventoryConfiguration>", "Inventory>", malformed},
		{"0015-00000231/empty", goodXML, "", malformed},
		{"0015-00000231/binary", goodXML, "\x00\x01\x02", malformed},
		{"0015-00000231/not UTF-8", "photos/", "photos\xff", malformed},
		{"0015-00000231/other encoding", "UTF-8", "GBK", malformed},
		{"0015-00000231/document type", "<InventoryConfiguration>", `<!DOCTYPE x [<!ENTITY a "b">]><InventoryConfiguration>`, malformed},
		{"0015-00000231/entity", "photos/", "&a;", malformed},
		{"0015-00000231/document type inside", "photos/", `<!DOCTYPE x>`, malformed},
		{"0015-00000231/twice", "<Id>daily</Id>", "<Id>daily</Id><Id>daily</Id>", malformed},
		{"0015-00000231/container twice", "<Filter>", "<Filter></Filter><Filter>", malformed},
		{"0015-00000231/deep", "photos/", strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000), malformed},
		{"0015-00000231/too long", "photos/", strings.Repeat("p", inventoryxml.MaxSize), malformed},

		{"0020-00000005", "<Id>daily</Id>", "", malformed},
		{"0020-00000006", "<IsEnabled>true", "<IsEnabled>other", malformed},
		{"0020-00000006/empty", "<IsEnabled>true", "<IsEnabled>", malformed},
		{"0020-00000007", "<Id>daily</Id>\n  <IsEnabled>true</IsEnabled>", "<Id>daily</Id>", malformed},
		{"0020-00000008", "1637883649", "abc", malformed},
		{"0020-00000008/empty", "1637883649", "", malformed},
		{"0020-00000009", "1638347592", "1638347592.5", malformed},
		{"0020-00000010", ">1024<", ">123abc<", malformed},
		{"0020-00000011", "1048576", "0x10", malformed},
		{"0020-00000012", "<Format>CSV</Format>", "", malformed},
		{"0020-00000012/no destination", "Destination>", "Elsewhere>", malformed},
		{"0020-00000013", "<AccountId>1000000000000000</AccountId>", "", malformed},
		{"0020-00000014", "<RoleArn>acs:ram::1000000000000000:role/inventory-writer</RoleArn>", "", malformed},
		{"0020-00000015", "<Bucket>acs:oss:::reports</Bucket>", "", malformed},
		{"0020-00000016", "<SSE-OSS/>", "<SSE-OSS/><SSE-KMS/>", malformed},
		{"0020-00000017", "<Frequency>Monthly</Frequency>", "", malformed},
		{"0020-00000017/no schedule", "<Schedule><Frequency>Monthly</Frequency><DayOfMonth>3</DayOfMonth></Schedule>", "", malformed},
		{"0020-00000018", "<IncludedObjectVersions>All</IncludedObjectVersions>", "", malformed},
		{"day is not a number", "<DayOfMonth>3", "<DayOfMonth>third", malformed},
		{"AutoDelete is not a boolean", "<DayOfMonth>3</DayOfMonth>", "<AutoDelete>1</AutoDelete>", malformed},
		{"incremental IsEnabled is missing", "<IncrementalInventory>\n    <IsEnabled>true</IsEnabled>", "<IncrementalInventory>", malformed},
		{"incremental IsEnabled is not a boolean", "<IncrementalInventory>\n    <IsEnabled>true", "<IncrementalInventory>\n    <IsEnabled>yes", malformed},
		{"incremental frequency is missing", "<Frequency>600</Frequency>", "", malformed},
		{"incremental frequency is not a number", "600", "often", malformed},

		{"0020-00000020", "photos/", strings.Repeat("p", 1024), "Filter/Prefix"},
		{"0020-00000020/control character", "photos/", "photos&#1;", "Filter/Prefix"},
		{"0020-00000021/0", "1637883649", "0", "Filter/LastModifyBeginTimeStamp"},
		{"0020-00000021/early", "1637883649", "1262275199", "Filter/LastModifyBeginTimeStamp"},
		{"0020-00000021/beyond int64", "1637883649", "99999999999999999999", "Filter/LastModifyBeginTimeStamp"},
		{"0020-00000022", "1637883649", "1638347593", "Filter/LastModifyBeginTimeStamp"},
		{"0020-00000023/0", "1638347592", "0", "Filter/LastModifyEndTimeStamp"},
		{"0020-00000023/late", "1638347592", "253402272000", "Filter/LastModifyEndTimeStamp"},
		{"0020-00000024/0", "1048576", "0", "Filter/UpperSizeBound"},
		{"0020-00000024/negative", "1048576", "-1", "Filter/UpperSizeBound"},
		{"0020-00000024/large", "1048576", "54975581388801", "Filter/UpperSizeBound"},
		{"0020-00000025/above upper", ">1024<", ">1048577<", "Filter/LowerSizeBound"},
		{"0020-00000025/negative", ">1024<", ">-1<", "Filter/LowerSizeBound"},
		{"0020-00000025/large", ">1024<", ">54975581388801<", "Filter/LowerSizeBound"},
		{"0020-00000026", "Standard,IA", "Standard,UNKNOW_TYPE", "Filter/StorageClass"},
		{"0020-00000026/blank", "Standard,IA", "Standard, IA", "Filter/StorageClass"},
		{"0020-00000026/case", "Standard,IA", "standard", "Filter/StorageClass"},
		{"0020-00000026/All and others", "Standard,IA", "Standard,All", "Filter/StorageClass"},
		{"0020-00000026/comma", "Standard,IA", "Standard,", "Filter/StorageClass"},
		{"0020-00000027", ">CSV<", ">ORC<", destination("Format")},
		{"0020-00000027/case", ">CSV<", ">csv<", destination("Format")},
		{"0020-00000028", "<AccountId>1000000000000000", "<AccountId>1000000000000001", destination("AccountId")},
		{"0020-00000028/empty", "<AccountId>1000000000000000", "<AccountId>", destination("AccountId")},
		{"0020-00000029", "acs:ram::1000000000000000:role/inventory-writer", "inventory-writer", destination("RoleArn")},
		{"0020-00000029/other account", "acs:ram::1000000000000000", "acs:ram::1000000000000001", destination("RoleArn")},
		{"0020-00000029/empty", "acs:ram::1000000000000000:role/inventory-writer", "", destination("RoleArn")},
		{"0020-00000030", "acs:oss:::reports", "acs:oss::bucketname:oss", destination("Bucket")},
		{"0020-00000030/bare", "acs:oss:::reports", "reports", destination("Bucket")},
		{"0020-00000030/empty", "acs:oss:::reports", "", destination("Bucket")},
		{"0020-00000031/short", "acs:oss:::reports", "acs:oss:::re", destination("Bucket")},
		{"0020-00000031/long", "acs:oss:::reports", "acs:oss:::" + strings.Repeat("r", 64), destination("Bucket")},
		{"0020-00000032", "acs:oss:::reports", "acs:oss:::-reports", destination("Bucket")},
		{"0020-00000032/case", "acs:oss:::reports", "acs:oss:::Reports", destination("Bucket")},
		{"0020-00000034", "<Prefix>inv<", "<Prefix>%&amp;$@i^*!@#$%^&amp;*<", destination("Prefix")},
		{"0020-00000034/slash", "<Prefix>inv<", "<Prefix>/inv<", destination("Prefix")},
		{"0020-00000034/control", "<Prefix>inv<", "<Prefix>in&#10;v<", destination("Prefix")},
		{"0020-00000034/long", "<IncrementalInventory>\n    <IsEnabled>true", "<IncrementalInventory>\n    <IsEnabled>false", destination("Prefix")},
		{"0020-00000034/long for incremental", "<Prefix>inv<", "<Prefix>" + strings.Repeat("é", 129) + "<", destination("Prefix")},
		{"0020-00000035", "<SSE-OSS/>", "<SSE-OSS><KeyId>k</KeyId></SSE-OSS>", destination("Encryption/SSE-OSS/KeyId")},
		{"0020-00000035/empty", "<SSE-OSS/>", "<SSE-OSS><KeyId/></SSE-OSS>", destination("Encryption/SSE-OSS/KeyId")},
		{"0020-00000036", "<Field>Size", "<Field>StartTime", "OptionalFields/Field"},
		{"0020-00000036/case", "<Field>Size", "<Field>size", "OptionalFields/Field"},
		{"0020-00000036/incremental", "<Field>Size", "<Field>RecordType", "OptionalFields/Field"},
		{"0020-00000036/empty", "<Field>Size", "<Field>", "OptionalFields/Field"},
		{"0020-00000037", "Versions>All<", "Versions>test<", "IncludedObjectVersions"},
		{"0020-00000037/empty", "Versions>All<", "Versions><", "IncludedObjectVersions"},
		{"0020-00000038", ">Monthly<", ">Hourly<", "Schedule/Frequency"},
		{"0020-00000038/empty", ">Monthly<", "><", "Schedule/Frequency"},
		{"0020-00000043", "<Id>daily", "<Id>weekly", "Id"},
		{"0020-00000043/case", "<Id>daily", "<Id>Daily", "Id"},
		{"0020-00000043/blank", "<Id>daily", "<Id> daily", "Id"},
		{"0020-00000044", "<Id>daily", "<Id>", "Id"},
		{"KeyId with a blank", "<SSE-OSS/>", "<SSE-KMS><KeyId>a b</KeyId></SSE-KMS>", destination("Encryption/SSE-KMS/KeyId")},
		{"DayOfMonth 0", "<DayOfMonth>3", "<DayOfMonth>0", "Schedule/DayOfMonth"},
		{"DayOfMonth 32", "<DayOfMonth>3", "<DayOfMonth>32", "Schedule/DayOfMonth"},
		{"DayOfMonth with Daily", ">Monthly<", ">Daily<", "Schedule/DayOfMonth"},
		{"AutoDelete with Monthly", "<DayOfMonth>3</DayOfMonth>", "<AutoDelete>false</AutoDelete>", "Schedule/AutoDelete"},
		{"incremental frequency", "600", "601", "IncrementalInventory/Schedule/Frequency"},
		{"incremental field", "RecordType", "TaggingCount", "IncrementalInventory/OptionalFields/Field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.ReplaceAll(goodXML, tt.old, tt.new)
			if body == goodXML {
				t.Fatalf("%q does not stand in the body", tt.old)
			}
			if tt.name == "0020-00000034/long" {
				body = strings.Replace(body, "<Prefix>inv<", "<Prefix>"+strings.Repeat("p", 513)+"<", 1)
			}
			ec, _, _ := strings.Cut(tt.name, "/")
			if !strings.HasPrefix(ec, "00") {
				ec = ""
			}
			rules := configtest.Rules("daily")
			rules.OSSClasses = true
			_, err := inventoryxml.ParsePut([]byte(body), rules)
			expect(t, err, ec, tt.element)
		})
	}
	t.Run("0020-00000044/long", func(t *testing.T) {
		id := strings.Repeat("é", 193)
		_, err := inventoryxml.ParsePut([]byte(strings.Replace(goodXML, ">daily<", ">"+id+"<", 1)), configtest.Rules(id))
		expect(t, err, "0020-00000044", "Id")
	})
	t.Run("0020-00000044/path", func(t *testing.T) {
		const id = "src/vic"
		_, err := inventoryxml.ParsePut([]byte(strings.Replace(goodXML, ">daily<", ">"+id+"<", 1)), configtest.Rules(id))
		expect(t, err, "0020-00000044", "Id")
	})
	t.Run("0020-00000045", func(t *testing.T) {
		strict := stocktake.InventoryRules{StrictVersions: true}
		_, err := inventoryxml.ParsePut([]byte(goodXML), strict)
		expect(t, err, "0020-00000045", "IncludedObjectVersions")
		strict.Versioned = true
		if _, err := inventoryxml.ParsePut([]byte(goodXML), strict); err != nil {
			t.Errorf("versioned bucket: %v", err)
		}
	})
}

// expect checks the kind of err, and that its texts are fit to be shown.
func expect(t *testing.T, err error, ec, element string) {
	t.Helper()
	if element == "" {
		e, ok := errors.AsType[*stocktake.MalformedXMLError](err)
		if !ok || e.EC != ec || e.Reason == "" {
			t.Errorf("got %#v, want a MalformedXMLError with EC %q", err, ec)
		}
		return
	}
	e, ok := errors.AsType[*stocktake.InvalidArgumentError](err)
	if !ok || e.EC != ec || e.Element != element || e.Reason == "" || len(e.Value) > 200 {
		t.Errorf("got %#v, want an InvalidArgumentError of %s with EC %q", err, element, ec)
	}
}

func TestPutAccepts(t *testing.T) {
	for _, tt := range []struct{ name, old, new string }{
		{"as it is", "", ""},
		{"no declaration", `<?xml version="1.0" encoding="UTF-8"?>`, ""},
		{"byte order mark", `<?xml version`, "\uFEFF<?xml version"},
		{"namespace", "<InventoryConfiguration>", `<InventoryConfiguration xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com">`},
		{"prefixed names", "OptionalFields>", `x:OptionalFields>`},
		{"comments and instructions", "daily<", `da<!-- x -->i<?x y?>ly<`},
		{"CDATA", ">photos/<", "><![CDATA[photos/]]><"},
		{"unknown elements", "<Filter>", `<Filter><Tags><Prefix>no</Prefix></Tags><Tags/>`},
		{"Python's booleans", "<IsEnabled>true", "<IsEnabled>True"},
		{"blanks around values", ">CSV<", ">\n  CSV\n<"},
		{"text in SSE-OSS", "<SSE-OSS/>", "<SSE-OSS>AES256</SSE-OSS>"},
		{"field twice", "<Field>Size</Field>", "<Field>Size</Field><Field>Size</Field>"},
		{"class twice", "Standard,IA", "Standard,IA,Standard"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := inventoryxml.ParsePut([]byte(strings.ReplaceAll(goodXML, tt.old, tt.new)), configtest.Rules("daily"))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "accepted.xml", inventoryxml.Append(nil, &got))
		})
	}

	// What changes the meaning, but not so that it would be refused.
	for _, tt := range []struct{ name, old, new string }{
		{"all without versioning", "<Id>", "<Id>"},
		{"empty containers", "<Encryption><SSE-OSS/></Encryption>", "<Encryption></Encryption>"},
		{"empty storage class", "Standard,IA", ""},
		{"all classes", "Standard,IA", "All"},
		{"future", "1638347592", "253402271999"},
		{"lone begin", "<LastModifyEndTimeStamp>1638347592</LastModifyEndTimeStamp>", ""},
		{"lone upper", "<LowerSizeBound>1024</LowerSizeBound>", ""},
		{"lone lower", "<UpperSizeBound>1048576</UpperSizeBound>", ""},
		{"equal sizes", "1048576", "1024"},
		{"lower 0", ">1024<", ">0<"},
		{"empty destination prefix", ">inv<", "><"},
		{"reserved destination prefix", ">inv<", ">.dlsdata/<"},
		{"double slash to be", ">inv<", ">inv/<"},
		{"no day", "<DayOfMonth>3</DayOfMonth>", ""},
		{"KMS without a key", "<SSE-OSS/>", "<SSE-KMS></SSE-KMS>"},
		{"KMS with an empty key", "<SSE-OSS/>", "<SSE-KMS><KeyId/></SSE-KMS>"},
		{"no fields", "<Field>Size</Field>", ""},
		{"incremental off", "<IncrementalInventory>\n    <IsEnabled>true", "<IncrementalInventory>\n    <IsEnabled>false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := inventoryxml.ParsePut([]byte(strings.ReplaceAll(goodXML, tt.old, tt.new)), configtest.Rules("daily")); err != nil {
				t.Error(err)
			}
		})
	}
}

// Of several faults the first in the order of OSS is given.
func TestOrderOfChecks(t *testing.T) {
	faults := []struct{ old, new, ec string }{
		{"</InventoryConfiguration>\n", "</InventoryConfiguration>x", "0015-00000231"},
		{"<IsEnabled>true", "<IsEnabled>other", "0020-00000006"},
		{"<Format>CSV</Format>", "", "0020-00000012"},
		{"<SSE-OSS/>", "<SSE-OSS><KeyId/></SSE-OSS><SSE-KMS/>", "0020-00000016"},
		{"<DayOfMonth>3", "<DayOfMonth>x", ""},
		{"<Id>daily", "<Id>weekly", "0020-00000043"},
		{"photos/", strings.Repeat("p", 1024), "0020-00000020"},
		{"1048576", "0", "0020-00000024"},
		{"Standard,IA", "standard", "0020-00000026"},
		{"<AccountId>1000000000000000", "<AccountId>x", "0020-00000028"},
		{"<Prefix>inv<", "<Prefix>#<", "0020-00000034"},
		{"<Field>Size", "<Field>StartTime", "0020-00000036"},
		{"Versions>All<", "Versions>x<", "0020-00000037"},
		{">Monthly<", ">Hourly<", "0020-00000038"},
		{"acs:oss:::reports", "reports", "0020-00000030"},
	}
	for i := range faults {
		body := goodXML
		for _, f := range faults[i:] {
			body = strings.Replace(body, f.old, f.new, 1)
		}
		_, err := inventoryxml.ParsePut([]byte(body), configtest.Rules("daily"))
		var got string
		if e, ok := errors.AsType[*stocktake.MalformedXMLError](err); ok {
			got = e.EC
		} else if e, ok := errors.AsType[*stocktake.InvalidArgumentError](err); ok {
			got = e.EC
		}
		if err == nil || got != faults[i].ec {
			t.Errorf("fault %d and all after it: got %v with EC %q, want EC %q", i, err, got, faults[i].ec)
		}
	}
}

// Parse reads a bound of 0 as no bound, because OSS itself may write it. Only a caller who puts
// a configuration gets an error for it.
func TestParseReadsZeroBoundsAsNone(t *testing.T) {
	zeros := strings.NewReplacer("1637883649", "0", "1638347592", "0", ">1024<", ">0<", "1048576", "0").Replace(goodXML)
	c, err := inventoryxml.Parse([]byte(zeros))
	if err != nil {
		t.Fatal(err)
	}
	want := stocktake.Filter{Prefix: "photos/", HasLowerSizeBound: true, StorageClass: []stocktake.StorageClass{stocktake.IA, stocktake.Standard}}
	if diff := cmp.Diff(want, c.Filter); diff != "" {
		t.Error(diff)
	}
	_, err = inventoryxml.Parse([]byte(strings.Replace(goodXML, "<Field>Size", "<Field>Newest", 1)))
	expect(t, err, "0020-00000036", "OptionalFields/Field")
}

func TestAppendXML(t *testing.T) {
	once := configtest.Minimal()
	once.Schedule = stocktake.Schedule{Frequency: stocktake.Once, AutoDelete: new(false)}
	once.Destination.Encryption.SSEOSS = true
	once.Filter.AllClasses = true
	for name, c := range map[string]stocktake.InventoryConfiguration{"minimal.xml": configtest.Minimal(), "full.xml": configtest.Full(), "once.xml": once} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, inventoryxml.Append(nil, &c))
			if err := c.Validate(configtest.Rules(c.ID)); err != nil {
				t.Error(err)
			}
		})
	}
}

func documents(page []stocktake.InventoryConfiguration) (docs [][]byte) {
	for i := range page {
		docs = append(docs, inventoryxml.Append(nil, &page[i]))
	}
	return docs
}

func TestInventoryList(t *testing.T) {
	page := []stocktake.InventoryConfiguration{configtest.Minimal(), configtest.Full()}
	for _, tt := range []struct {
		name        string
		page        []stocktake.InventoryConfiguration
		token, next string
		truncated   bool
	}{
		{"list-first.xml", page, "", "every: thing & <more>", true},
		{"list-last.xml", page[:1], "every: thing & <more>\x01", "", false},
		{"list-beyond.xml", nil, "zzz", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := inventoryxml.AppendList(nil, documents(tt.page), tt.token, tt.next, tt.truncated)
			golden(t, tt.name, doc)
			got, next, truncated, err := inventoryxml.ParseList(doc)
			if err != nil || next != tt.next || truncated != tt.truncated {
				t.Fatalf("read back: next %q, truncated %v, %v", next, truncated, err)
			}
			if diff := cmp.Diff(tt.page, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, doc := range []string{
		"", "<x/>", "<ListInventoryConfigurationsResult>", "<ListInventoryConfigurationsResult/>x",
		"<ListInventoryConfigurationsResult><IsTruncated>maybe</IsTruncated></ListInventoryConfigurationsResult>",
		"<ListInventoryConfigurationsResult><!DOCTYPE x></ListInventoryConfigurationsResult>",
		"<ListInventoryConfigurationsResult><InventoryConfiguration/></ListInventoryConfigurationsResult>",
		"<ListInventoryConfigurationsResult><InventoryConfiguration><Id>x</InventoryConfiguration></ListInventoryConfigurationsResult>",
	} {
		if _, _, _, err := inventoryxml.ParseList([]byte(doc)); err == nil {
			t.Errorf("%s: no error", doc)
		}
	}
}

// What a configuration can have, the document can say: a field that the table of
// elements forgets is named.
func TestEveryFieldHasAnElement(t *testing.T) {
	for _, c := range configtest.Samples() {
		got, err := inventoryxml.ParsePut(inventoryxml.Append(nil, &c), configtest.Rules(c.ID))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Normalized(), got); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
}

// A document for people has the same meaning as one for machines.
func TestAppendIndented(t *testing.T) {
	for _, c := range configtest.Samples() {
		doc := inventoryxml.AppendIndented(nil, &c)
		got, err := inventoryxml.Parse(doc)
		if err != nil {
			t.Fatalf("%v of\n%s", err, doc)
		}
		if diff := cmp.Diff(c.Normalized(), got); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
	c := configtest.Full()
	golden(t, "indented.xml", inventoryxml.AppendIndented(nil, &c))
}

// The XML form and the JSON form lose nothing of a valid configuration.
func TestRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := configtest.Any().Draw(t, "configuration")
		if err := c.Validate(configtest.Rules(c.ID)); err != nil {
			t.Fatalf("not valid: %v", err)
		}
		want := c.Normalized()
		got, err := inventoryxml.ParsePut(inventoryxml.Append(nil, &c), configtest.Rules(c.ID))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("XML: %s", diff)
		}
		if diff := cmp.Diff(want, want.Normalized()); diff != "" {
			t.Fatalf("normalized twice: %s", diff)
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var fromJSON stocktake.InventoryConfiguration
		if err := json.Unmarshal(text, &fromJSON); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, fromJSON); diff != "" {
			t.Fatalf("JSON %s: %s", text, diff)
		}
	})
}

// FuzzParse: whatever is read is written so that it reads
// the same, and what may be put can be read.
func FuzzParse(f *testing.F) {
	f.Add([]byte(goodXML))
	for _, c := range []stocktake.InventoryConfiguration{configtest.Minimal(), configtest.Full()} {
		f.Add(inventoryxml.Append(nil, &c))
	}
	f.Add([]byte("<InventoryConfiguration><Id>\r\n&#13;&#x10FFFF;]]&gt;</Id></InventoryConfiguration>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		read, err := inventoryxml.Parse(doc)
		put, putErr := inventoryxml.ParsePut(doc, stocktake.InventoryRules{})
		if putErr == nil && (err != nil || !reflect.DeepEqual(put, read)) {
			t.Fatalf("put %+v, read %+v, %v", put, read, err)
		}
		if err != nil {
			return
		}
		again, err := inventoryxml.Parse(inventoryxml.Append(nil, &read))
		if err != nil || !reflect.DeepEqual(again, read) {
			t.Fatalf("read %+v\nagain %+v, %v", read, again, err)
		}
		if (putErr == nil) != (read.Validate(stocktake.InventoryRules{}) == nil) && !errors.As(putErr, new(*stocktake.InvalidArgumentError)) {
			t.Fatalf("Validate and put disagree: %v", putErr)
		}
	})
}

func BenchmarkConfiguration(b *testing.B) {
	c := configtest.Full()
	doc := inventoryxml.Append(nil, &c)
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := inventoryxml.ParsePut(doc, configtest.Rules(c.ID)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			doc = inventoryxml.Append(doc[:0], &c)
		}
	})
}

// BenchmarkParseList reads a full page of a listing.
func BenchmarkParseList(b *testing.B) {
	page := make([]stocktake.InventoryConfiguration, stocktake.InventoryPageSize)
	for i := range page {
		page[i] = stocktake.InventoryConfiguration{
			ID: fmt.Sprint("inventory-", i), IsEnabled: true,
			Filter: stocktake.Filter{
				Prefix: "photos/2026/", LowerSizeBound: 1 << 10, UpperSizeBound: 1 << 30,
				StorageClass: []stocktake.StorageClass{stocktake.Archive, stocktake.IA, stocktake.Standard},
			},
			Destination: stocktake.Destination{
				Format: stocktake.FormatCSV, AccountID: "1000000000000000", RoleARN: "acs:ram::1000000000000000:role/writer",
				Bucket: "reports", Prefix: "inv", Encryption: stocktake.Encryption{SSEKMS: true, KeyID: "key"},
			},
			Schedule:               stocktake.Schedule{Frequency: stocktake.Daily},
			IncludedObjectVersions: stocktake.AllVersions,
			OptionalFields: []stocktake.Field{
				stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass,
				stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus,
			},
		}
	}
	list := inventoryxml.AppendList(nil, documents(page), "", "inventory-99", true)
	b.SetBytes(int64(len(list)))
	b.ReportAllocs()
	for b.Loop() {
		if got, _, _, err := inventoryxml.ParseList(list); err != nil || len(got) != len(page) {
			b.Fatalf("%d configurations, %v", len(got), err)
		}
	}
}
