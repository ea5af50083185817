package stocktaketest_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"go.uber.org/goleak"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/stocktaketest"
)

func put(t *testing.T, c *oss.Client, bucket, key, content string) {
	t.Helper()
	_, err := c.PutObject(t.Context(), &oss.PutObjectRequest{Bucket: oss.Ptr(bucket), Key: oss.Ptr(key), Body: strings.NewReader(content)})
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, c *oss.Client, bucket, key string) string {
	t.Helper()
	res, err := c.GetObject(t.Context(), &oss.GetObjectRequest{Bucket: oss.Ptr(bucket), Key: oss.Ptr(key)})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Two concurrent servers share nothing, and a server leaves nothing behind when its test has
// ended.
func TestServersAreApart(t *testing.T) {
	before := goleak.IgnoreCurrent()
	var gone string
	t.Run("in use", func(t *testing.T) {
		one, two := stocktaketest.New(t), stocktaketest.New(t, stocktaketest.WithBuckets("photos", "reports"), stocktaketest.WithRegion("cn-beijing"))
		if one.Bucket != stocktaketest.DefaultBucket || two.Bucket != "photos" || two.Region != "cn-beijing" || one.Endpoint == two.Endpoint {
			t.Errorf("the servers are %+v and %+v", one, two)
		}
		put(t, one.Client(), one.Bucket, "cat", "meow")
		put(t, two.Client(), "reports", "cat", "purr")
		if a, b := get(t, one.Client(), one.Bucket, "cat"), get(t, two.Client(), "reports", "cat"); a != "meow" || b != "purr" {
			t.Errorf("the objects are %q and %q", a, b)
		}
		// A Cleanup function of the test can still use the server.
		t.Cleanup(func() {
			res, err := http.Get(one.Endpoint + "/-/healthz")
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		})
		gone = one.Endpoint
	})
	http.DefaultClient.CloseIdleConnections()
	if _, err := http.Get(gone + "/-/healthz"); err == nil {
		t.Error("the server still answers after its test")
	}
	goleak.VerifyNone(t, before)
}

// An inventory falls due when the clock moves, and its report can be read.
func TestInventory(t *testing.T) {
	s := stocktaketest.New(t, stocktaketest.WithBuckets("photos", "reports"))
	put(t, s.Client(), "photos", "cat.jpg", "meow")
	inventories := s.Inventories()
	err := inventories.Put(t.Context(), "photos", stocktake.InventoryConfiguration{
		ID: "daily", IsEnabled: true,
		Destination:            stocktake.Destination{Format: stocktake.FormatCSV, AccountID: s.AccountID, RoleARN: s.RoleARN, Bucket: "reports"},
		Schedule:               stocktake.Schedule{Frequency: stocktake.Daily},
		IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields:         []stocktake.Field{stocktake.FieldSize},
	})
	if err != nil {
		t.Fatal(err)
	}
	for want := 1; want <= 2; want++ {
		runs, err := inventories.Runs(t.Context(), "photos", "daily")
		if err != nil || len(runs) != want {
			t.Fatalf("%d runs, %v; want %d", len(runs), err, want)
		}
		run, err := inventories.Wait(t.Context(), runs[0], nil)
		if err != nil || run.State != stocktake.Succeeded {
			t.Fatalf("the run is %+v, %v", run, err)
		}
		if manifest := get(t, s.Client(), "reports", run.Manifest); !strings.Contains(manifest, `"fileSchema":"Bucket, Key, Size"`) {
			t.Errorf("the manifest is %s", manifest)
		}
		s.Advance(24 * time.Hour)
	}
}

// The example in docs/testing.md equals the one that is compiled and run.
func TestDocumentedExample(t *testing.T) {
	example, err := os.ReadFile("../examples/testing/backup_test.go")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(docs), "```go\n"+string(example)+"```\n") {
		t.Error("docs/testing.md does not have examples/testing/backup_test.go as it is")
	}
}
