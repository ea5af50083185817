// Package stocktaketest runs a Stocktake server inside a test: an OSS of its own
// for each test that asks for one, inventory reports included.
//
//	func TestBackup(t *testing.T) {
//		s := stocktaketest.New(t)
//		client := s.Client() // of Alibaba's Go SDK
//		...
//	}
//
// The server listens on a free port of 127.0.0.1, keeps its data in the test's
// temporary folder, and is gone when the test ends. Tests that run in parallel may
// each have one. Programs in other languages start `stocktake serve --ephemeral`
// instead; docs/testing.md shows how.
package stocktaketest

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/server"
)

// DefaultBucket is the name of the only bucket of a server unless WithBuckets is used.
const DefaultBucket = "test-bucket"

// A Server is a running server. Its fields are the settings of a client. Changing them has no
// effect on the server.
type Server struct {
	Endpoint string // URL, such as "http://127.0.0.1:41234"
	Region   string // "cn-hangzhou" unless WithRegion says otherwise
	Bucket   string // the first bucket, which is empty

	AccountID       string // owner of the buckets, with all rights
	AccessKeyID     string // of the account; V1 and V4 signatures are accepted
	AccessKeySecret string
	RoleARN         string // a role of the account that inventory configurations may name

	t testing.TB
}

// An Option changes what New starts.
type Option func(*server.Config)

// WithBuckets makes buckets with these names instead of DefaultBucket.
func WithBuckets(names ...string) Option {
	return func(c *server.Config) { c.Buckets = slices.Clone(names) }
}

// WithRegion sets the region of the server.
func WithRegion(region string) Option {
	return func(c *server.Config) { c.Region = region }
}

// New starts a server and returns when it answers requests. The server ends with the test,
// after the functions that the test registers with Cleanup from then on. Its log is part of the
// test's output. If it cannot start, the test fails.
func New(t testing.TB, options ...Option) *Server {
	t.Helper()
	cfg := server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", Buckets: []string{DefaultBucket}, ClockControl: true,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, option := range options {
		option(&cfg)
	}
	// The context of the test ends before its Cleanup functions, which may still use the
	// server.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, err := server.New(ctx, cfg)
	if err != nil {
		cancel()
		t.Fatalf("stocktaketest: %v", err)
	}
	endpoint := s.Endpoint()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stocktaketest: %v", err)
		}
	})
	cfg = s.Config()
	key, _ := s.RootKey()
	running := &Server{
		Endpoint: endpoint, Region: cfg.Region, AccountID: cfg.AccountID, AccessKeyID: key.ID, AccessKeySecret: key.Secret,
		RoleARN: "acs:ram::" + cfg.AccountID + ":role/stocktaketest", t: t,
	}
	if len(cfg.Buckets) > 0 {
		running.Bucket = cfg.Buckets[0]
	}
	return running
}

// Client returns a client of Alibaba's Go SDK that uses the account's key.
func (s *Server) Client() *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().WithRegion(s.Region).WithEndpoint(s.Endpoint).WithHttpClient(client.NewHTTPClient()).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.AccessKeySecret)))
}

// Inventories returns a client of the inventory API.
func (s *Server) Inventories() *client.Client { return client.New(s.Client()) }

// Advance moves the server's clock forward by d, which must not be negative. When it returns,
// everything that fell due meanwhile has started: inventory runs and actions of lifecycle
// rules. If it fails, the test fails.
func (s *Server) Advance(d time.Duration) {
	s.t.Helper()
	admin := client.Admin{Endpoint: s.Endpoint, Region: s.Region, AccessKeyID: s.AccessKeyID, AccessKeySecret: s.AccessKeySecret}
	if _, err := admin.AdvanceClock(context.WithoutCancel(s.t.Context()), d); err != nil {
		s.t.Fatalf("stocktaketest: move the clock: %v", err)
	}
}
