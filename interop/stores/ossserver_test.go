package stores_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/ossbucket"
	"github.com/stocktake/stocktake/internal/remote"
	"github.com/stocktake/stocktake/internal/testserver"
)

// TestStocktake: another Stocktake is a store of kind oss.
func TestStocktake(t *testing.T) {
	s := startStocktake(t)
	t.Run("table", func(t *testing.T) { s.document(t, "", checked(t, s)) })
	t.Run("rights", func(t *testing.T) { testRights(t, s) })
}

// An ossServer is a running Stocktake, as a service.
type ossServer struct {
	address
	binary, data string
	store        *remote.Store
	api          *oss.Client
	buckets      atomic.Int64
}

var _ service = (*ossServer)(nil)

func startStocktake(t *testing.T) *ossServer {
	t.Helper()
	s := &ossServer{data: t.TempDir()}
	s.binary = s.build(t)
	// Policies of users count in a server that is strict.
	srv, err := testserver.Start(t.Context(), testserver.Config{Binary: s.binary, Data: s.data})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.address = address{name: "Stocktake", kind: "oss", endpoint: srv.URL(), region: testserver.Region, key: testserver.AccessKeyID, secret: testserver.AccessKeySecret}
	s.api = ossClient(srv)
	s.store, err = ossbucket.New(remote.Options{
		Endpoint: s.endpoint, Region: s.region,
		Credentials: remote.Static(remote.Credentials{AccessKeyID: s.key, AccessKeySecret: s.secret}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *ossServer) where() address { return s.address }

func (s *ossServer) destination(bucket string) engine.Destination { return s.store.Destination(bucket) }

func (s *ossServer) newBucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", s.buckets.Add(1))
	if _, err := s.api.PutBucket(t.Context(), &oss.PutBucketRequest{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *ossServer) enableVersions(t *testing.T, bucket string) {
	t.Helper()
	_, err := s.api.PutBucketVersioning(t.Context(), &oss.PutBucketVersioningRequest{
		Bucket: &bucket, VersioningConfiguration: &oss.VersioningConfiguration{Status: oss.VersionEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *ossServer) put(t *testing.T, bucket, key string) {
	t.Helper()
	if _, err := s.api.PutObject(t.Context(), &oss.PutObjectRequest{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
		t.Error(err)
	}
}

func (s *ossServer) remove(t *testing.T, bucket, key string) {
	t.Helper()
	if _, err := s.api.DeleteObject(t.Context(), &oss.DeleteObjectRequest{Bucket: &bucket, Key: &key}); err != nil {
		t.Fatal(err)
	}
}

func (s *ossServer) rows(t *testing.T, bucket string) (rows []string) {
	t.Helper()
	pages := s.api.NewListObjectVersionsPaginator(&oss.ListObjectVersionsRequest{Bucket: &bucket})
	for pages.HasNext() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.ObjectVersions {
			rows = append(rows, fmt.Sprintf("%s %s %t false", *v.Key, *v.VersionId, v.IsLatest))
		}
		for _, m := range page.ObjectDeleteMarkers {
			rows = append(rows, fmt.Sprintf("%s %s %t true", *m.Key, *m.VersionId, m.IsLatest))
		}
	}
	slices.Sort(rows)
	return rows
}

// newUser makes a RAM user with a key and a policy, as an operator does.
func (s *ossServer) newUser(t *testing.T) *user {
	t.Helper()
	do := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), s.binary, append(args, "--data", s.data, "--account-id", testserver.AccountID)...)
		out, err := cmd.Output()
		if failed, ok := err.(*exec.ExitError); ok {
			return nil, fmt.Errorf("%q: %w\n%s", args, err, failed.Stderr)
		}
		return out, err
	}
	out, err := do("key", "create", "--user", restrictedKey, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ AccessKeyID, AccessKeySecret string }
	if err := json.Unmarshal(out, &made); err != nil || made.AccessKeyID == "" {
		t.Fatalf("%s: %v", out, err)
	}
	attached := false
	return &user{key: made.AccessKeyID, secret: made.AccessKeySecret, allow: func(t *testing.T, p policy, _ ...string) error {
		file := filepath.Join(t.TempDir(), "policy.json")
		if err := os.WriteFile(file, p.document(t, "1"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := do("policy", "put", restrictedKey, file); err != nil || attached {
			return err
		}
		attached = true
		_, err := do("user", "attach", restrictedKey, restrictedKey)
		return err
	}}
}
