package server_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/report"
	"github.com/stocktake/stocktake/stocktaketest"
)

// lake returns the settings of a store that is another Stocktake server.
func lake(t *testing.T, far *stocktaketest.Server) foreign.Settings {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key.yaml")
	text := fmt.Sprintf("access-key-id: %s\naccess-key-secret: %s\n", far.AccessKeyID, far.AccessKeySecret)
	if err := os.WriteFile(key, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return foreign.Settings{
		Name: "lake", Kind: foreign.OSS, Endpoint: far.Endpoint, Region: far.Region, Credentials: foreign.File(key),
		Roles:   []foreign.RoleCredentials{{Role: "acs:ram::*:role/stocktaketest"}},
		Buckets: []string{"lake-*"}, Aliases: map[string]string{"old-logs": "logs"},
	}
}

func withStores(all ...foreign.Settings) stocktaketest.Option {
	return func(c *server.Config) { c.Stores = all }
}

func put(t *testing.T, s *stocktaketest.Server, bucket string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, err := s.Client().PutObject(t.Context(), &oss.PutObjectRequest{Bucket: &bucket, Key: &key, Body: strings.NewReader(key)}); err != nil {
			t.Fatal(err)
		}
	}
}

func configuration(s *stocktaketest.Server, id, destination string) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: id, IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Daily}, IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields: []stocktake.Field{stocktake.FieldSize, stocktake.FieldETag},
		Destination:    stocktake.Destination{Format: "CSV", AccountID: s.AccountID, RoleARN: s.RoleARN, Bucket: destination, Prefix: "inv"},
	}
}

// firstRun puts a configuration and returns its first run once it has ended.
func firstRun(t *testing.T, s *stocktaketest.Server, bucket string, cfg stocktake.InventoryConfiguration) stocktake.Run {
	t.Helper()
	c := s.Inventories()
	if err := c.Put(t.Context(), bucket, cfg); err != nil {
		t.Fatal(err)
	}
	runs, err := c.Runs(t.Context(), bucket, cfg.ID)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v", runs, err)
	}
	run, err := c.Wait(t.Context(), runs[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// keysOf returns the keys of a report in a bucket of a server, and the source in its manifest.
func keysOf(t *testing.T, s *stocktaketest.Server, bucket, manifest string) (source string, keys []string) {
	t.Helper()
	settings := lake(t, s)
	st, err := foreign.Open(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Open(t.Context(), st.Default().Destination(bucket), manifest)
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(row.Record.Key))
	}
	return r.Manifest.SourceBucket, keys
}

// A server makes inventories of another server's buckets, with destinations in its own buckets
// and in the other's.
func TestStores(t *testing.T) {
	far := stocktaketest.New(t, stocktaketest.WithBuckets("lake-photos", "lake-reports", "logs", "hidden"))
	near := stocktaketest.New(t, stocktaketest.WithBuckets("photos", "reports"), withStores(lake(t, far)))
	want := []string{"a/1", "a/2", "b & c", "写真"}
	put(t, far, "lake-photos", want...)
	put(t, far, "logs", want...)
	put(t, near, "photos", want...)
	for _, tt := range []struct {
		source, destination string
		reports             *stocktaketest.Server
	}{
		{"lake-photos", "reports", near},
		{"photos", "lake-reports", far},
		{"old-logs", "lake-reports", far},
	} {
		run := firstRun(t, near, tt.source, configuration(near, "daily", tt.destination))
		if run.State != stocktake.Succeeded || run.Listed != 4 {
			t.Fatalf("%s to %s: %+v", tt.source, tt.destination, run)
		}
		source, keys := keysOf(t, tt.reports, tt.destination, run.Manifest)
		if source != tt.source || !slices.Equal(keys, want) {
			t.Errorf("%s to %s: %q of %s", tt.source, tt.destination, keys, source)
		}
		st, err := near.Inventories().Status(t.Context(), tt.source, "daily")
		if err != nil || len(st[0].Warnings) > 0 {
			t.Errorf("%s to %s: %+v, %v", tt.source, tt.destination, st, err)
		}
		if st, err := near.Inventories().Check(t.Context(), tt.source, "daily"); err != nil || len(st.Warnings) > 0 {
			t.Errorf("check %s to %s: %+v, %v", tt.source, tt.destination, st, err)
		}
	}

	code := func(err error) (code string, status int) {
		if e, ok := errors.AsType[*oss.ServiceError](err); ok {
			return e.Code, e.StatusCode
		}
		t.Errorf("%v", err)
		return "", 0
	}
	c := near.Client()
	if _, err := c.GetBucketInfo(t.Context(), &oss.GetBucketInfoRequest{Bucket: oss.Ptr("old-logs")}); err != nil {
		t.Error(err)
	}
	_, err := c.ListObjectsV2(t.Context(), &oss.ListObjectsV2Request{Bucket: oss.Ptr("lake-photos")})
	if code, status := code(err); code != "NotImplemented" || status != http.StatusNotImplemented || !strings.Contains(err.Error(), far.Endpoint) {
		t.Errorf("%v", err)
	}
	_, err = c.PutBucket(t.Context(), &oss.PutBucketRequest{Bucket: oss.Ptr("lake-new")})
	if code, _ := code(err); code != "BucketAlreadyExists" {
		t.Errorf("%v", err)
	}
	err = near.Inventories().Put(t.Context(), "lake-none", configuration(near, "daily", "reports"))
	if !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("a bucket that the store has not: %v", err)
	}
	// The store has this bucket, but its settings do not claim it.
	err = near.Inventories().Put(t.Context(), "hidden", configuration(near, "daily", "reports"))
	if !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("a bucket that is not claimed: %v", err)
	}
	// A role that the settings do not name may use neither bucket of the store.
	other := configuration(near, "other", "reports")
	other.Destination.RoleARN = "acs:ram::" + near.AccountID + ":role/other"
	if run := firstRun(t, near, "lake-photos", other); run.State != stocktake.Failed || !strings.Contains(run.Reason, "do not allow this role to use it") {
		t.Errorf("%+v", run)
	}
}

// A store that does not answer causes a warning, and delays no caller. If it is removed from
// the settings, its configurations are kept.
func TestStoreAway(t *testing.T) {
	settings := foreign.Settings{
		Name: "lake", Kind: foreign.S3, Endpoint: "http://127.0.0.1:1", Credentials: lake(t, &stocktaketest.Server{AccessKeyID: "k", AccessKeySecret: "s"}).Credentials,
		Roles: []foreign.RoleCredentials{{Role: "*"}}, Buckets: []string{"lake-*"},
	}
	data := t.TempDir()
	on := func(c *server.Config) { c.Data = data }
	t.Run("first", func(t *testing.T) {
		s := stocktaketest.New(t, stocktaketest.WithBuckets("photos", "reports"), withStores(settings), on)
		put(t, s, "photos", "a")
		cfg := configuration(s, "daily", "reports")
		cfg.IsEnabled = false // its run would be retried for too long
		if err := s.Inventories().Put(t.Context(), "lake-photos", cfg); err != nil {
			t.Fatal(err)
		}
		st, err := s.Inventories().Status(t.Context(), "lake-photos", "daily")
		if err != nil || len(st[0].Warnings) != 1 || !strings.Contains(st[0].Warnings[0], "stocktake store check lake") {
			t.Errorf("%+v, %v", st, err)
		}
		if run := firstRun(t, s, "photos", configuration(s, "daily", "reports")); run.State != stocktake.Succeeded {
			t.Errorf("%+v", run)
		}
	})
	t.Run("without the store", func(t *testing.T) {
		s := stocktaketest.New(t, stocktaketest.WithBuckets("photos"), on)
		if _, err := s.Inventories().Get(t.Context(), "lake-photos", "daily"); err == nil {
			t.Error("the bucket is there")
		}
	})
	t.Run("with the store again", func(t *testing.T) {
		s := stocktaketest.New(t, stocktaketest.WithBuckets("photos"), withStores(settings), on)
		if _, err := s.Inventories().Get(t.Context(), "lake-photos", "daily"); err != nil {
			t.Errorf("the configuration is lost: %v", err)
		}
	})
	t.Run("claims an embedded bucket", func(t *testing.T) {
		settings.Buckets = append(settings.Buckets, "photos")
		_, err := server.New(t.Context(), server.Config{Data: data, Listen: "127.0.0.1:0", Stores: []foreign.Settings{settings}, Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "claims the bucket photos, which exists in the embedded store") {
			t.Errorf("%v", err)
		}
	})
}

// Settings that can never be right refuse the start, and --check, before anything is created.
func TestBadStores(t *testing.T) {
	good := lake(t, &stocktaketest.Server{AccessKeyID: "k", AccessKeySecret: "s", Endpoint: "http://127.0.0.1:1", Region: "cn-hangzhou"})
	for want, change := range map[string]func(*server.Config, *foreign.Settings){
		"not exist":                       func(_ *server.Config, s *foreign.Settings) { s.Credentials = foreign.File("/none/such") },
		"set NONE_ACCESS_KEY_ID":          func(_ *server.Config, s *foreign.Settings) { s.Credentials = foreign.Env("NONE") },
		"ca-file":                         func(_ *server.Config, s *foreign.Settings) { s.CAFile = "/none/such" },
		"lake-a is a bucket of the store": func(c *server.Config, _ *foreign.Settings) { c.Buckets = []string{"lake-a"} },
	} {
		data := filepath.Join(t.TempDir(), "data")
		cfg := server.Config{Data: data, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
		st := good
		change(&cfg, &st)
		cfg.Stores = []foreign.Settings{st}
		_, startErr := server.New(t.Context(), cfg)
		for _, err := range []error{startErr, server.Check(cfg)} {
			if _, ok := errors.AsType[*server.SettingError](err); !ok || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		if _, err := os.Stat(data); err == nil {
			t.Errorf("%s: a folder was made", want)
		}
	}
}
