package stores_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	osscredentials "github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/interop/internal/document"
)

// A service is a running server of either kind, as tests of the whole program see it.
// What its methods do is done by the SDK of the vendor, with the keys of the
// administrator; destination alone is ours.
type service interface {
	where() address
	newUser(t *testing.T) *user
	newBucket(t *testing.T) string
	enableVersions(t *testing.T, bucket string)
	put(t *testing.T, bucket, key string) // may be called from any goroutine
	remove(t *testing.T, bucket, key string)
	rows(t *testing.T, bucket string) []string
	destination(bucket string) engine.Destination

	// document compares lines with the part of docs/stores.md that contains them. The
	// name of that part is the name of the server, preceded by what.
	document(t *testing.T, what string, lines [][2]string)
}

// An address says how settings name a server.
type address struct {
	name                   string // with its version
	kind, endpoint, region string
	key, secret            string // of the administrator
}

// build compiles stocktake.
func (address) build(t *testing.T) string {
	t.Helper()
	binary, err := testserver.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// settings writes a settings file whose store is the server, with the keys of the
// variables LAKE_ACCESS_KEY_ID and LAKE_ACCESS_KEY_SECRET.
func (a address) settings(t *testing.T, aliases map[string]string) string {
	t.Helper()
	text := fmt.Sprintf("stores:\n  - name: lake\n    kind: %s\n    endpoint: %s\n    region: %s\n    credentials: {env: LAKE}\n    roles: {\"*\": default}\n    aliases:\n",
		a.kind, a.endpoint, a.region)
	for here, there := range aliases {
		text += fmt.Sprintf("      %s: %s\n", here, there)
	}
	path := filepath.Join(t.TempDir(), "stocktake.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inventories runs a stocktake whose store is the server, and returns a client of it.
func (a address) inventories(t *testing.T, binary string, aliases map[string]string, key, secret string) *client.Client {
	t.Helper()
	srv, err := testserver.Start(t.Context(), testserver.Config{
		Binary: binary, Data: t.TempDir(), Args: []string{"--config", a.settings(t, aliases)},
		Env: []string{"LAKE_ACCESS_KEY_ID=" + key, "LAKE_ACCESS_KEY_SECRET=" + secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	})
	return client.New(ossClient(srv))
}

// ossClient returns Alibaba's client of a stocktake.
func ossClient(srv *testserver.Server) *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().WithRegion(testserver.Region).WithEndpoint(srv.URL()).WithUsePathStyle(true).
		WithCredentialsProvider(osscredentials.NewStaticCredentialsProvider(testserver.AccessKeyID, testserver.AccessKeySecret)))
}

// lakeReports is the destination of configurations in the bucket of settings that is
// called lake-reports.
func lakeReports(prefix string) stocktake.Destination {
	return stocktake.Destination{
		Format: stocktake.FormatCSV, AccountID: testserver.AccountID, RoleARN: "acs:ram::" + testserver.AccountID + ":role/stocktake",
		Bucket: "lake-reports", Prefix: prefix,
	}
}

// document implements [service].
func (a address) document(t *testing.T, what string, lines [][2]string) {
	t.Helper()
	var table bytes.Buffer
	fmt.Fprintf(&table, "| %s | |\n|---|---|\n", a.name)
	for _, line := range lines {
		fmt.Fprintf(&table, "| %s | %s |\n", line[0], strings.ReplaceAll(line[1], "|", "\\|"))
	}
	name, _, _ := strings.Cut(a.name, " ")
	name = strings.TrimSpace(what + " " + name)
	if *update {
		if err := document.Update(stores, name, table.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	want, err := document.Part(stores, name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, table.Bytes()) {
		t.Errorf("docs/stores.md says\n%s, but it is\n%s: run make compatibility", want, table.Bytes())
	}
}

// ticked returns texts as code.
func ticked(texts []string) (code []string) {
	for _, s := range texts {
		code = append(code, "`"+s+"`")
	}
	return code
}

// list joins the items of a line of a table.
func list(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, " ")
}

var _ service = (*server)(nil)

func (s *server) where() address {
	return address{name: s.name, kind: "s3", endpoint: s.endpoint, region: "us-east-1", key: accessKey, secret: secretKey}
}

func (s *server) newUser(t *testing.T) *user { return s.makeUser(t, s) }

func (s *server) document(t *testing.T, what string, lines [][2]string) {
	t.Helper()
	s.where().document(t, what, lines)
}

func (s *server) destination(bucket string) engine.Destination { return s.store.Destination(bucket) }

func (s *server) enableVersions(t *testing.T, bucket string) {
	t.Helper()
	(&contractBucket{t, s, bucket}).SetVersioning(true)
}

func (s *server) put(t *testing.T, bucket, key string) {
	t.Helper()
	if _, err := s.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
		t.Error(err)
	}
}

func (s *server) remove(t *testing.T, bucket, key string) {
	t.Helper()
	(&contractBucket{t, s, bucket}).Delete(key)
}

// bucketPolicies returns a user whose rights come from bucket policies.
func (s *server) bucketPolicies(principal string) *user {
	return &user{key: restrictedKey, secret: restrictedSecret, allow: func(t *testing.T, p policy, buckets ...string) error {
		t.Helper()
		for _, bucket := range buckets {
			about := p.about(bucket, principal)
			var err error
			if len(about) == 0 {
				_, err = s.api.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: &bucket})
			} else {
				_, err = s.api.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(string(about.document(t, "2012-10-17")))})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}}
}
