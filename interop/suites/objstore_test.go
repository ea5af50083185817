package suites

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/thanos-io/objstore"
	"github.com/thanos-io/objstore/providers/oss"
)

// TestObjstore runs the acceptance test of thanos-io/objstore on its provider for
// OSS, whose own test cannot be pointed at another server.
func TestObjstore(t *testing.T) {
	objstore.AcceptanceTest(t, open(t))
}

// TestObjstoreOpenRanges is the same with ranges that have no length given one: the
// provider ignores their offset, so that the acceptance test ends there against
// any server.
func TestObjstoreOpenRanges(t *testing.T) {
	objstore.AcceptanceTest(t, closedRanges{open(t)})
}

func open(t *testing.T) objstore.Bucket {
	t.Helper()
	bucket, done, err := oss.NewTestBucketFromConfig(t, oss.Config{
		Endpoint: os.Getenv("OSS_ENDPOINT"), Bucket: os.Getenv("OSS_BUCKET"),
		AccessKeyID: os.Getenv("OSS_ACCESS_KEY_ID"), AccessKeySecret: os.Getenv("OSS_ACCESS_KEY_SECRET"),
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	t.Cleanup(func() { objstore.EmptyBucket(t, context.Background(), bucket) })
	objstore.EmptyBucket(t, t.Context(), bucket)
	return bucket
}

type closedRanges struct{ objstore.Bucket }

func (b closedRanges) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if off > 0 && length < 0 {
		a, err := b.Attributes(ctx, name)
		if err != nil {
			return nil, err
		}
		length = max(a.Size-off, 0)
	}
	return b.Bucket.GetRange(ctx, name, off, length)
}
