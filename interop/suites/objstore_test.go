package suites

import (
	"os"
	"testing"

	"github.com/thanos-io/objstore"
	"github.com/thanos-io/objstore/providers/oss"
)

// TestObjstore runs the acceptance test of thanos-io/objstore on its provider for
// OSS. The package has no such test of its own that a server can be named to.
func TestObjstore(t *testing.T) {
	bucket, done, err := oss.NewTestBucketFromConfig(t, oss.Config{
		Endpoint: os.Getenv("OSS_ENDPOINT"), Bucket: os.Getenv("OSS_BUCKET"),
		AccessKeyID: os.Getenv("OSS_ACCESS_KEY_ID"), AccessKeySecret: os.Getenv("OSS_ACCESS_KEY_SECRET"),
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	objstore.AcceptanceTest(t, bucket)
}
