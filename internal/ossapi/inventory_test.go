package ossapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/inventoryxml"
)

// configuration is the document of a configuration whose reports go to bucket
// photos, with more elements.
func configuration(id, more string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><InventoryConfiguration><Id>` + id + `</Id><IsEnabled>true</IsEnabled>` +
		`<Destination><OSSBucketDestination><Format>CSV</Format><AccountId>` + account + `</AccountId>` +
		`<RoleArn>acs:ram::` + account + `:role/writer</RoleArn><Bucket>acs:oss:::photos</Bucket></OSSBucketDestination></Destination>` +
		`<Schedule><Frequency>Daily</Frequency></Schedule><IncludedObjectVersions>Current</IncludedObjectVersions>` + more + `</InventoryConfiguration>`
}

// TestInventoryOrder starts with a request in which everything is wrong, and
// corrects it from the first check to the last. The reply always reports the first
// remaining error.
func TestInventoryOrder(t *testing.T) {
	w := newWorld(t)
	const good = "/photos/?inventory&inventoryId=daily"
	doc := configuration("daily", "")
	long := strings.Repeat(" ", 2<<20)
	badMD5 := map[string]string{"Content-MD5": md5Header("other")}

	w.refused(t, w.anonymous(t, "PUT", good, doc), 404, "NoSuchBucket")
	w.refused(t, w.do(t, "PUT", good, "no xml", badMD5), 404, "NoSuchBucket")
	w.bucket(t, "photos")
	w.refused(t, w.anonymous(t, "PUT", good, "no xml"), 403, "AccessDenied")
	w.refused(t, w.other(t, "PUT", good, "no xml", badMD5), 403, "AccessDenied")
	for _, query := range []string{"inventory", "inventory=", "inventory&inventoryId", "inventory&inventoryId="} {
		if p := w.refused(t, w.do(t, "PUT", "/photos/?"+query, "no xml", badMD5), 400, "MissingArgument"); p.EC != "0020-00000002" {
			t.Errorf("%+v", p)
		}
	}
	w.refused(t, w.do(t, "PUT", good, "no xml", badMD5), 400, "InvalidDigest")
	for _, bad := range []string{"", "no xml", doc + long, strings.Replace(doc, "<Id>daily</Id>", "", 1), strings.Replace(doc, "true", "other", 1)} {
		w.refused(t, w.do(t, "PUT", good, bad, nil), 400, "MalformedXML")
	}
	for ec, bad := range map[string]string{
		"0020-00000043": configuration("weekly", ""),
		"0020-00000026": configuration("daily", "<Filter><StorageClass>Standard,UNKNOW_TYPE</StorageClass></Filter>"),
		"0020-00000028": strings.Replace(doc, "<AccountId>"+account, "<AccountId>"+stranger, 1),
		"0020-00000030": strings.Replace(doc, "acs:oss:::photos", "acs:oss::photos:oss", 1),
		"0020-00000032": strings.Replace(doc, "acs:oss:::photos", "acs:oss:::nowhere", 1),
		"0020-00000036": configuration("daily", "<OptionalFields><Field>StartTime</Field></OptionalFields>"),
	} {
		p := w.refused(t, w.do(t, "PUT", good, bad, nil), 400, "InvalidArgument")
		if p.EC != ec || p.ArgumentName == "" {
			t.Errorf("%+v, want EC %s", p, ec)
		}
	}
	incremental := configuration("daily", "<IncrementalInventory><IsEnabled>true</IsEnabled><Schedule><Frequency>600</Frequency></Schedule></IncrementalInventory>")
	if p := w.refused(t, w.do(t, "PUT", good, incremental, nil), 403, "AccessDenied"); p.Message != "Incremental Inventory is disabled." || p.EC != "" || p.BucketName != "photos" {
		t.Errorf("%+v", p)
	}
	w.refused(t, w.do(t, "GET", "/photos/?inventory", "", nil), 404, "NoSuchInventory") // nothing was kept

	m := w.must(t, w.do(t, "PUT", good, doc, map[string]string{"Content-MD5": md5Header(doc), "Content-Type": "text/plain"}), 200)
	if m.body != "" {
		t.Errorf("%q", m.body)
	}
	w.refused(t, w.do(t, "PUT", good, doc, nil), 409, "InventoryConfigurationAlreadyExists")
}

func TestStrictVersions(t *testing.T) {
	w := newWorld(t, func(c *ossapi.Config) { c.StrictVersions = true })
	w.bucket(t, "photos")
	all := strings.Replace(configuration("daily", ""), ">Current<", ">All<", 1)
	if p := w.refused(t, w.do(t, "PUT", "/photos/?inventory&inventoryId=daily", all, nil), 400, "InvalidArgument"); p.EC != "0020-00000045" {
		t.Errorf("%+v", p)
	}
	w.must(t, w.do(t, "PUT", "/photos/?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", nil), 200)
	w.must(t, w.do(t, "PUT", "/photos/?inventory&inventoryId=daily", all, nil), 200)
}

// TestInventoryPages follows the examples of spec/inventory-api.md, section 5.
func TestInventoryPages(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	put := func(id string) {
		t.Helper()
		w.must(t, w.do(t, "PUT", "/photos/?inventory&inventoryId="+id, configuration(id, ""), nil), 200)
	}
	for i := 1; i <= 100; i++ {
		put(fmt.Sprint(i))
	}
	m := w.must(t, w.do(t, "GET", "/photos/?inventory", "", nil), 200)
	if strings.Count(m.body, "<Id>") != 100 || !strings.Contains(m.body, "<IsTruncated>false<") || strings.Contains(m.body, "ContinuationToken") {
		t.Errorf("%d of 100: %s", strings.Count(m.body, "<Id>"), m.body[:200])
	}
	put("101")
	m = w.must(t, w.do(t, "GET", "/photos/?inventory&continuation-token=&marker=report1&max-keys=2", "", nil), 200)
	if strings.Count(m.body, "<Id>") != 100 || !strings.Contains(m.body, "<IsTruncated>true<") ||
		!strings.Contains(m.body, "<NextContinuationToken>98</NextContinuationToken>") || strings.Contains(m.body, "<ContinuationToken>") {
		t.Errorf("first page: %s", m.body[len(m.body)-300:])
	}
	m = w.must(t, w.do(t, "GET", "/photos/?inventory&continuation-token=98", "", nil), 200)
	if strings.Count(m.body, "<Id>") != 1 || !strings.Contains(m.body, "<Id>99</Id>") || !strings.Contains(m.body, "<ContinuationToken>98<") || strings.Contains(m.body, "NextContinuationToken") {
		t.Error(m.body)
	}
	m = w.must(t, w.do(t, "GET", "/photos/?inventory&continuation-token=zzz", "", nil), 200)
	if strings.Contains(m.body, "<Id>") || !strings.Contains(m.body, "<IsTruncated>false<") {
		t.Error(m.body)
	}

	w.refused(t, w.do(t, "GET", "/photos/?inventory&inventoryId=", "", nil), 400, "MissingArgument")
	if p := w.refused(t, w.do(t, "GET", "/photos/?inventory&inventoryId=none", "", nil), 404, "NoSuchInventory"); p.BucketName != "photos" || p.Message != "No Row found in Inventory Table." {
		t.Errorf("%+v", p)
	}
	m = w.must(t, w.do(t, "GET", "/photos/?inventory&inventoryId=7", "", map[string]string{"Content-MD5": md5Header(""), "Content-Type": "application/xml"}), 200)
	cfg, err := inventoryxml.Parse([]byte(m.body))
	check(t, err)
	if cfg.ID != "7" || m.header.Get("Content-Type") != "application/xml" {
		t.Errorf("%+v", cfg)
	}
	w.refused(t, w.do(t, "DELETE", "/photos/?inventory", "", nil), 400, "MissingArgument")
	for range 2 {
		w.must(t, w.do(t, "DELETE", "/photos/?inventory&inventoryId=7", "", nil), 204)
	}
	w.refused(t, w.do(t, "GET", "/photos/?inventory&inventoryId=7", "", nil), 404, "NoSuchInventory")
}

func TestInventoryLimit(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	cfg, err := inventoryxml.Parse([]byte(configuration("x", "")))
	check(t, err)
	cfg.IsEnabled = false
	for i := range stocktake.MaxInventories {
		cfg.ID = fmt.Sprint(i)
		check(t, w.inventories.Put(t.Context(), "photos", cfg))
	}
	w.refused(t, w.do(t, "PUT", "/photos/?inventory&inventoryId=more", configuration("more", ""), nil), 400, "InventoryExceedLimit")
	w.refused(t, w.do(t, "PUT", "/photos/?inventory&inventoryId=7", configuration("7", ""), nil), 409, "InventoryConfigurationAlreadyExists")
}

// TestReplaceInventory replaces a configuration. This requires the rights to put
// and to delete one.
func TestReplaceInventory(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	const path = "/photos/?inventory&x-oss-stocktake=replace&inventoryId="
	weekly := strings.Replace(configuration("daily", ""), ">Daily<", ">Weekly<", 1)
	w.refused(t, w.do(t, "POST", path+"daily", weekly, nil), 404, "NoSuchInventory")
	w.must(t, w.do(t, "PUT", "/photos/?inventory&inventoryId=daily", configuration("daily", ""), nil), 200)
	w.must(t, w.do(t, "POST", "/photos/?inventory&x-oss-stocktake=retain&x-oss-stocktake-days=9&inventoryId=daily", "", nil), 200)

	both := func(row) bool { return true }
	for _, c := range []struct {
		caller
		status int
	}{
		{w.matrixUser(t, "put alone", `"Effect":"Allow","Action":"oss:PutBucketInventory","Resource":"*"`, both), 403},
		{w.matrixUser(t, "delete alone", `"Effect":"Allow","Action":"oss:DeleteBucketInventory","Resource":"*"`, both), 403},
		{w.matrixUser(t, "both", `"Effect":"Allow","Action":["oss:PutBucketInventory","oss:DeleteBucketInventory"],"Resource":"*"`, both), 200},
	} {
		r := w.signedAs(t, w.request(t, "POST", path+"daily", weekly, nil), c.key, signature.Target{Bucket: "photos"})
		if m := w.send(t, r); m.status != c.status {
			t.Errorf("%s: %d %s", c.name, m.status, m.body)
		}
	}
	for _, test := range []struct {
		id, body string
		code     string
	}{
		{"daily", "<x", "MalformedXML"},
		{"daily", configuration("other", ""), "InvalidArgument"},
		{"daily", "", "MalformedXML"},
		{"", weekly, "MissingArgument"},
	} {
		w.refused(t, w.do(t, "POST", path+test.id, test.body, nil), 400, test.code)
	}
	if m := w.must(t, w.do(t, "GET", "/photos/?inventory&inventoryId=daily", "", nil), 200); !strings.Contains(m.body, ">Weekly<") {
		t.Errorf("%s", m.body)
	}
	w.must(t, w.do(t, "DELETE", "/photos/?inventory&inventoryId=daily", "", nil), 204)

	// The digests of the audit lines form a chain.
	var lines []string
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "inventory configuration ") {
			lines = append(lines, line)
		}
	}
	digest := func(line, key string) string {
		_, after, _ := strings.Cut(line, " "+key+"=")
		digest, _, _ := strings.Cut(strings.TrimSpace(after), " ")
		return digest
	}
	if len(lines) != 4 || !strings.Contains(lines[2], `msg="inventory configuration replaced"`) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i := range 3 {
		if after, before := digest(lines[i], "after"), digest(lines[i+1], "before"); len(after) != len("sha256:")+64 || after != before {
			t.Errorf("after %s, then before %s:\n%s%s", after, before, lines[i], lines[i+1])
		}
		if i > 0 && digest(lines[i], "before") == digest(lines[i], "after") {
			t.Errorf("no change in %s", lines[i])
		}
	}
}

// TestExtensions requests runs and statuses, which OSS does not have.
func TestExtensions(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	const path = "/photos/?inventory&x-oss-stocktake="
	if m := w.must(t, w.do(t, "GET", path+"status", "", nil), 200); m.body != `{"inventories":[]}`+"\n" || m.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", m)
	}
	w.must(t, w.do(t, "PUT", "/photos/?inventory&inventoryId=daily", strings.Replace(configuration("daily", ""), "<IsEnabled>true", "<IsEnabled>false", 1), nil), 200)

	if m := w.must(t, w.do(t, "GET", path+"runs&inventoryId=daily", "", nil), 200); m.body != `{"runs":[]}`+"\n" {
		t.Errorf("%+v", m)
	}
	w.refused(t, w.do(t, "POST", path+"cancel&inventoryId=daily", "", nil), 404, "NoSuchInventoryRun")

	var run stocktake.Run
	m := w.must(t, w.do(t, "POST", path+"run&inventoryId=daily", "", nil), 200)
	check(t, json.Unmarshal([]byte(m.body), &run))
	if run.Configuration != "daily" || run.State != stocktake.Queued || run.Trigger != stocktake.TriggerManual {
		t.Errorf("%+v", run)
	}
	var again stocktake.Run
	check(t, json.Unmarshal([]byte(w.must(t, w.do(t, "POST", path+"run&inventoryId=daily", "", nil), 200).body), &again))
	if again.ID != run.ID {
		t.Errorf("another run: %+v", again)
	}
	var status struct{ Inventories []stocktake.InventoryStatus }
	check(t, json.Unmarshal([]byte(w.must(t, w.do(t, "GET", path+"status&inventoryId=daily", "", nil), 200).body), &status))
	if len(status.Inventories) != 1 || status.Inventories[0].Last == nil || status.Inventories[0].Last.ID != run.ID {
		t.Errorf("%+v", status)
	}
	check(t, json.Unmarshal([]byte(w.must(t, w.do(t, "POST", path+"cancel&inventoryId=daily", "", nil), 200).body), &run))
	if run.State != stocktake.Cancelled {
		t.Errorf("%+v", run)
	}

	for action, want := range map[string]string{"suspend": `"suspended":true`, "check": `"configuration":"daily"`, "resume": `"configuration":"daily"`, "retain&x-oss-stocktake-reports=3&x-oss-stocktake-days=9": `"days":9`} {
		if m := w.must(t, w.do(t, "POST", path+action+"&inventoryId=daily", "", nil), 200); !strings.Contains(m.body, want) {
			t.Errorf("%s: %s", action, m.body)
		}
		w.refused(t, w.do(t, "POST", path+action+"&inventoryId=none", "", nil), 404, "NoSuchInventory")
	}
	w.refused(t, w.do(t, "POST", path+"retain&x-oss-stocktake-days=x&inventoryId=daily", "", nil), 400, "InvalidArgument")
	w.refused(t, w.do(t, "POST", path+"retain&x-oss-stocktake-days=999999999&inventoryId=daily", "", nil), 400, "InvalidArgument")

	for _, action := range []string{"run", "cancel", "suspend", "resume", "check", "retain"} {
		w.refused(t, w.do(t, "POST", path+action, "", nil), 400, "MissingArgument")
		w.refused(t, w.other(t, "POST", path+action+"&inventoryId=daily", "", nil), 403, "AccessDenied")
		w.refused(t, w.do(t, "GET", path+action+"&inventoryId=daily", "", nil), 501, "NotImplemented")
		w.refused(t, w.do(t, "POST", "/nowhere/?inventory&inventoryId=daily&x-oss-stocktake="+action, "", nil), 404, "NoSuchBucket")
	}
	for _, view := range []string{"runs", "status"} {
		w.refused(t, w.do(t, "GET", path+view+"&inventoryId=none", "", nil), 404, "NoSuchInventory")
		w.refused(t, w.do(t, "GET", path+view+"&inventoryId=", "", nil), 400, "MissingArgument")
		w.refused(t, w.other(t, "GET", path+view+"&inventoryId=daily", "", nil), 403, "AccessDenied")
	}
	w.refused(t, w.do(t, "POST", path+"run&inventoryId=none", "", nil), 404, "NoSuchInventory")
	w.must(t, w.do(t, "DELETE", "/photos/?inventory&inventoryId=daily", "", nil), 204)

	// The log names the author of each change, but not of reads.
	log := w.log.String()
	for _, change := range []string{"put", "run requested", "run cancelled", "suspended", "resumed", "retention set to 3 reports, 9 days", "deleted"} {
		line := fmt.Sprintf(`msg="inventory configuration %s" bucket=photos configuration=daily principal=%s request=`, change, account)
		if !strings.Contains(log, line) || !strings.Contains(log, "address=127.0.0.1") {
			t.Errorf("the log has no %s:\n%s", line, log)
		}
	}
	if n := strings.Count(log, "inventory configuration "); n != 8 { // the run was requested twice
		t.Errorf("%d changes in the log:\n%s", n, log)
	}
}
