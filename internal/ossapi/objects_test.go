package ossapi_test

import (
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
)

func TestObjectsWithSDK(t *testing.T) {
	for _, version := range []oss.SignatureVersionType{oss.SignatureVersionV1, oss.SignatureVersionV4} {
		w := newWorld(t)
		c := w.client(func(cfg *oss.Config) { cfg.WithSignatureVersion(version) })
		ctx := t.Context()
		_, err := c.PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr("photos")})
		check(t, err)
		key := "a b+%25/猫,\n.jpg"
		put, err := c.PutObject(ctx, &oss.PutObjectRequest{
			Bucket: oss.Ptr("photos"), Key: oss.Ptr(key), Body: strings.NewReader("hello world"),
			Metadata: map[string]string{"author": "alice"},
		})
		check(t, err)
		if oss.ToString(put.HashCRC64) != "5981764153023615706" {
			t.Errorf("crc %s", oss.ToString(put.HashCRC64))
		}
		page, err := c.ListObjectsV2(ctx, &oss.ListObjectsV2Request{Bucket: oss.Ptr("photos")})
		check(t, err)
		if len(page.Contents) != 1 || oss.ToString(page.Contents[0].Key) != key {
			t.Errorf("%+v", page.Contents)
		}
		head, err := c.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: oss.Ptr("photos"), Key: oss.Ptr(key)})
		check(t, err)
		if head.Metadata["author"] != "alice" || head.ContentLength != 11 {
			t.Errorf("%+v", head)
		}
	}
}
