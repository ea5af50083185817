package stores_test

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/stocktake/stocktake/internal/engine/sourcetest"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/stores.md")

const stores = "../../docs/stores.md"

// testTable: the server behaves as docs/stores.md says, both for the SDK, which does
// not depend on the adapter, and for store check.
func testTable(t *testing.T, s *server) {
	bucket := s.newBucket(t)
	put := func(in s3.PutObjectInput) error {
		in.Bucket, in.Key, in.Body = &bucket, aws.String("k"), strings.NewReader("x")
		_, err := s.api.PutObject(t.Context(), &in)
		return err
	}
	if err := put(s3.PutObjectInput{}); err != nil {
		t.Fatal(err)
	}
	refused := func(err error) string {
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			return "refused: `" + api.ErrorCode() + "`"
		}
		if err != nil {
			t.Error(err)
		}
		return "accepted"
	}
	b := &contractBucket{t, s, s.newBucket(t)}
	b.SetVersioning(true)
	markers := func(key string) int {
		t.Helper()
		rows, err := s.list(t.Context(), b.name)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range rows {
			if r.key == key && r.marker {
				n++
			}
		}
		return n
	}
	b.Delete("never")
	b.Put(sourcetest.Object{Key: "twice"})
	b.Delete("twice")
	b.Delete("twice")
	var keys []string
	for _, key := range sourcetest.HostileKeys {
		if s.keys.refuses(key) {
			if len(key) > 40 {
				key = fmt.Sprintf("%d bytes without a slash", len(key))
			}
			keys = append(keys, fmt.Sprintf("`%s`", strings.Trim(fmt.Sprintf("%q", key), `"`)))
		}
	}
	s.document(t, "", append([][2]string{
		{"PUT with `If-None-Match: *` over an object", refused(put(s3.PutObjectInput{IfNoneMatch: aws.String("*")}))},
		{"PUT with a wrong `Content-MD5`", refused(put(s3.PutObjectInput{ContentMD5: aws.String("AAAAAAAAAAAAAAAAAAAAAA==")}))},
		{"PUT with `AES256` encryption", refused(put(s3.PutObjectInput{ServerSideEncryption: "AES256"}))},
		{"delete markers after DELETE of a key that never was", fmt.Sprint(markers("never"))},
		{"delete markers after two DELETEs of a key", fmt.Sprint(markers("twice"))},
		{"hostile keys that it cannot hold, or lists as something else", list(keys)},
	}, checked(t, s)...))
}
