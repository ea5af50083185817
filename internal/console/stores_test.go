package console_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/stocktaketest"
)

// TestBucketsOfOtherStores takes inventory of a bucket of another store, with
// reports in that store, which the API does not read. The console must check the
// user's rights as the API does.
func TestBucketsOfOtherStores(t *testing.T) {
	t.Parallel()
	far := stocktaketest.New(t, stocktaketest.WithBuckets("lake-logs", "lake-reports"))
	key := filepath.Join(t.TempDir(), "key.yaml")
	if err := os.WriteFile(key, fmt.Appendf(nil, "access-key-id: %s\naccess-key-secret: %s\n", far.AccessKeyID, far.AccessKeySecret), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Client().PutObject(t.Context(), &oss.PutObjectRequest{Bucket: oss.Ptr("lake-logs"), Key: oss.Ptr("app/1"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	policy := func(name, actions, resource string) string {
		return fmt.Sprintf(`{name: %s, document: {Version: "1", Statement: [{Effect: Allow, Action: [%s], Resource: ["acs:oss:*:*:lake-logs", "%s"]}]}}`, name, actions, resource)
	}
	w := newWorld(t, `accounts: [{id: "`+account+`", policies: [`+
		policy("sees", "oss:GetBucketInventory, oss:GetObject, oss:ListObjects", "acs:oss:*:*:lake-reports*")+`, `+
		policy("blind", "oss:GetBucketInventory, oss:GetObject, oss:ListObjects", "acs:oss:*:*:lake-other*")+
		`], users: [`+user("sees", "sees")+`, `+user("blind", "blind")+`], roles: [{name: writer, policies: [AliyunOSSFullAccess]}]}]`,
		func(c *server.Config) {
			c.Stores = []foreign.Settings{{
				Name: "lake", Kind: foreign.OSS, Endpoint: far.Endpoint, Region: far.Region, Credentials: foreign.File(key),
				Roles: []foreign.RoleCredentials{{Role: "*"}}, Buckets: []string{"lake-*"},
			}}
		})
	cfg := configuration("daily")
	cfg.Destination.Bucket = "lake-reports"
	if err := w.client.Put(t.Context(), "lake-logs", cfg); err != nil {
		t.Fatal(err)
	}
	run := w.waitIn(t, "lake-logs", "daily")
	report := "/buckets/lake-logs/inventories/daily/reports/" + strings.Split(run.Manifest, "/")[3]

	root := w.signedIn(t, rootKey, rootSecret)
	want(t, root.see(t, "/"), "lake-logs", "lake")
	sees := w.signedIn(t, "LTAIsees", "secret-of-sees")
	for _, path := range []string{report, "/buckets/lake-logs/inventories/daily/reports"} {
		want(t, root.see(t, path), "lake-reports")
		want(t, sees.see(t, path), "lake-reports")
		blind := w.signedIn(t, "LTAIblind", "secret-of-blind")
		want(t, blind.see(t, "/buckets/lake-logs"), "daily")
		if a := blind.get(t, path); a.status != http.StatusForbidden {
			t.Errorf("%s: %d\n%s", path, a.status, a.body)
		}
	}
	if a := sees.get(t, report+"/shards/0"); a.status != 200 || !strings.HasPrefix(a.body, "\x1f\x8b") {
		t.Errorf("%d", a.status)
	}
	want(t, sees.see(t, report), "app/")
}
