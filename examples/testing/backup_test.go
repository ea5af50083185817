package backup_test

import (
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/stocktaketest"
)

func TestBackupIsListed(t *testing.T) {
	s := stocktaketest.New(t)
	client := s.Client() // of Alibaba's Go SDK; any other takes s.Endpoint, s.Region and the keys

	_, err := client.PutObject(t.Context(), &oss.PutObjectRequest{
		Bucket: &s.Bucket, Key: oss.Ptr("backups/monday.tar"), Body: strings.NewReader("data"),
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.ListObjectsV2(t.Context(), &oss.ListObjectsV2Request{Bucket: &s.Bucket, Prefix: oss.Ptr("backups/")})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Contents) != 1 || page.Contents[0].Size != 4 {
		t.Errorf("the backups are %+v", page.Contents)
	}
}
