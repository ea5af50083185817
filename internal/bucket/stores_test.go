package bucket_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/membucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
)

// lake is a named store in memory, which claims old-logs as logs and every name
// that starts with "lake-".
type lake struct {
	*membucket.Store
	asked atomic.Int64
	ask   func(ctx context.Context, bucket string) error // nil: it has each bucket
}

func (*lake) Claims(name string) (string, bool) {
	if name == "old-logs" {
		return "logs", true
	}
	return name, strings.HasPrefix(name, "lake-")
}

var errRole = errors.New("the role may not use the store")

func (*lake) Allows(role string) error {
	if strings.HasSuffix(role, "/inventory") {
		return nil
	}
	return errRole
}

func (l *lake) Source(role string) (engine.Source, error) { return l.Store, l.Allows(role) }

func (l *lake) CredentialsName(role string) (string, error) { return "lake's", l.Allows(role) }

func (l *lake) Destination(role, name string) (engine.Destination, error) {
	return l.Bucket(name), l.Allows(role)
}

// Costs of a listing that lacks ACLs, tags and checksums; nothing tells the last.
func (*lake) Costs(columns []stocktake.Field) (c engine.Costs) {
	for _, f := range columns {
		switch f {
		case stocktake.FieldCRC64:
			c.Unavailable = append(c.Unavailable, f)
		case stocktake.FieldObjectACL, stocktake.FieldTaggingCount:
			c.Fetched = append(c.Fetched, f)
			c.PerObject++
			c.PerSecond = 100
		}
	}
	c.Concurrency = 64
	return c
}

var errPlain = errors.New("it does not encrypt")

func (*lake) Encrypts(_ context.Context, _, bucket, key string, e stocktake.Encryption) error {
	if e.SSEKMS && bucket == "logs" && strings.HasPrefix(key, "p/photos/daily/") {
		return errPlain
	}
	return nil
}

func (l *lake) CheckBucket(ctx context.Context, name string) error {
	l.asked.Add(1)
	if l.ask == nil {
		return nil
	}
	return l.ask(ctx, name)
}

const (
	lakeAccount = "77"
	goodRole    = "acs:ram::1000000000000000:role/inventory"
	badRole     = "acs:ram::1000000000000000:role/other"
)

func withLake(t *testing.T, l *lake, change func(*bucket.Options)) *bucket.Registry {
	t.Helper()
	if l.Store == nil {
		l.Store = membucket.New(nil, "logs", "lake-photos")
	}
	access, err := ram.Open("", ram.Root{AccessKeyID: "k", Secret: "s", Account: "1000000000000000"}, ram.Options{})
	must(t, err)
	opts := bucket.Options{
		Region: "cn-hangzhou", Access: access, Account: "1000000000000000",
		Stores: []bucket.Store{{Name: "lake", Endpoint: "https://s3.lan:9000", Account: lakeAccount, Region: "us-east-1", Service: l}},
	}
	if change != nil {
		change(&opts)
	}
	return bucket.New(twoBuckets{"photos": {Name: "photos", Owner: "1000000000000000"}}, opts)
}

// A name means a bucket of the store that claims it, else one of the embedded
// store; no store is asked for that.
func TestClaimedNames(t *testing.T) {
	l := new(lake)
	r := withLake(t, l, nil)
	b, err := r.Bucket(t.Context(), "old-logs")
	if err != nil || b.Store != "lake" || b.Endpoint != "https://s3.lan:9000" || b.Owner != lakeAccount || b.Region != "us-east-1" || !b.BlockPublicAccess {
		t.Errorf("%+v, %v", b, err)
	}
	if b, err := r.Bucket(t.Context(), "photos"); err != nil || b.Store != "" || b.Region != "cn-hangzhou" {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := r.Bucket(t.Context(), "logs"); !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("a name that is renamed: %v", err)
	}
	if got := []string{r.StoreOf("lake-x"), r.StoreOf("photos"), r.StoreOf("none")}; got[0] != "lake" || got[1] != "" || got[2] != "" {
		t.Errorf("%q", got)
	}
	if n := l.asked.Load(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	if err := r.CheckEmbedded([]string{"photos"}); err != nil {
		t.Error(err)
	}
	if err := r.CheckEmbedded([]string{"photos", "lake-x"}); err == nil || !strings.Contains(err.Error(), `store "lake" claims the bucket lake-x`) {
		t.Errorf("%v", err)
	}
}

// A run reads and writes the bucket by its name there, with the credentials of its
// role.
func TestRunsOfClaimedNames(t *testing.T) {
	l := new(lake)
	r := withLake(t, l, nil)
	cfg := &stocktake.InventoryConfiguration{Destination: stocktake.Destination{RoleARN: goodRole, Bucket: "lake-photos"}}
	src, err := r.Source(t.Context(), "old-logs", cfg)
	must(t, err)
	snapshot, err := src.Snapshot(t.Context(), "old-logs") // the store knows it as logs
	must(t, err)
	must(t, snapshot.Close())
	if _, err := r.Destination(t.Context(), cfg); err != nil {
		t.Error(err)
	}
	cfg.Destination.RoleARN = badRole
	if _, err := r.Source(t.Context(), "old-logs", cfg); !errors.Is(err, errRole) {
		t.Errorf("%v", err)
	}
	if _, err := r.Destination(t.Context(), cfg); !errors.Is(err, errRole) {
		t.Errorf("%v", err)
	}
}

// A role that the settings of the store do not name may neither report from there
// nor to there, whatever its policies and in development mode, too.
func TestRolesOfStores(t *testing.T) {
	r := withLake(t, new(lake), nil)
	for _, tt := range []struct {
		source, destination, role string
		allowed                   bool
	}{
		{"lake-photos", "lake-photos", goodRole, true},
		{"lake-photos", "photos", goodRole, true},
		{"photos", "lake-photos", goodRole, true},
		{"photos", "photos", badRole, true},
		{"lake-photos", "photos", badRole, false},
		{"photos", "lake-photos", badRole, false},
	} {
		cfg := &stocktake.InventoryConfiguration{ID: "daily", Destination: stocktake.Destination{Format: "CSV", AccountID: lakeAccount, RoleARN: tt.role, Bucket: tt.destination}}
		reg := r
		if tt.allowed { // by the policies as well: all buckets belong to one account
			reg = withLake(t, new(lake), func(o *bucket.Options) { o.Stores[0].Account = "1000000000000000" })
		}
		err := reg.MayReport(t.Context(), tt.source, cfg)
		if tt.allowed != (err == nil) || err != nil && (!errors.Is(err, stocktake.ErrAccessDenied) || !strings.Contains(err.Error(), errRole.Error())) {
			t.Errorf("%+v: %v", tt, err)
		}
		if strings.HasPrefix(tt.destination, "lake-") && tt.role == badRole {
			if err := reg.MayRemove(t.Context(), cfg, []string{"k"}); !errors.Is(err, stocktake.ErrAccessDenied) {
				t.Errorf("%+v: may remove: %v", tt, err)
			}
		}
	}
}

// Buckets that may be combined with any others have no known owner and region for
// the inventory service, and for it alone.
func TestCrossRegion(t *testing.T) {
	r := withLake(t, new(lake), func(o *bucket.Options) { o.Stores[0].CrossRegion = true })
	b, err := r.ForInventories().Bucket(t.Context(), "lake-x")
	if err != nil || b.Owner != "" || b.Region != "" {
		t.Errorf("%+v, %v", b, err)
	}
	if b, err := r.Bucket(t.Context(), "lake-x"); err != nil || b.Owner != lakeAccount {
		t.Errorf("%+v, %v", b, err)
	}
}

// An answer of the store holds for a while; a store that does not answer is asked
// once in seconds, whichever bucket is meant, and no caller waits longer.
func TestReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(lake)
		r := withLake(t, l, nil)
		asked := func(name string, times int64, want func(error) bool) {
			t.Helper()
			before := l.asked.Load()
			if err := r.CheckBucket(t.Context(), name); !want(err) || l.asked.Load() != before+times {
				t.Errorf("%s: %v, asked %d times, want %d", name, err, l.asked.Load()-before, times)
			}
		}
		is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
		asked("old-logs", 1, is(nil))
		asked("old-logs", 0, is(nil))
		asked("photos", 0, is(nil))
		asked("none", 0, is(stocktake.ErrNoSuchBucket))

		l.ask = func(context.Context, string) error { return stocktake.ErrNoSuchBucket }
		asked("lake-x", 1, is(stocktake.ErrNoSuchBucket))
		asked("lake-x", 0, is(stocktake.ErrNoSuchBucket))
		time.Sleep(10 * time.Second)
		l.ask = nil
		asked("lake-x", 1, is(nil))

		l.ask = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		begin := time.Now()
		asked("lake-y", 1, is(object.ErrUnreachable))
		asked("lake-z", 0, is(object.ErrUnreachable)) // it is the store that is silent
		if waited := time.Since(begin); waited > 5*time.Second {
			t.Errorf("waited %v", waited)
		}
		time.Sleep(10 * time.Second)
		l.ask = func(context.Context, string) error { return stocktake.ErrAccessDenied }
		asked("lake-y", 1, is(stocktake.ErrAccessDenied))
		asked("lake-z", 1, is(object.ErrUnreachable)) // the other bucket may be allowed

		time.Sleep(10 * time.Second)
		hold := make(chan struct{})
		l.ask = func(ctx context.Context, _ string) error { <-hold; return nil }
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.CheckBucket(ctx, "lake-y") }()
		synctest.Wait()
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has left: %v", err)
		}
		close(hold)
		synctest.Wait()
		asked("lake-y", 0, is(nil)) // the answer came all the same
	})
}

// The buckets of a store that is left out of the settings are not taken for
// deleted ones.
func TestFormerStore(t *testing.T) {
	r := withLake(t, new(lake), func(o *bucket.Options) {
		o.Stores = nil
		o.RemovedStore = func(name string) (string, bool) { return "lake", strings.HasPrefix(name, "lake-") }
	})
	_, err := r.Bucket(t.Context(), "lake-x")
	if err == nil || errors.Is(err, stocktake.ErrNoSuchBucket) || !strings.Contains(err.Error(), `belonged to the store "lake"`) {
		t.Errorf("%v", err)
	}
	if _, err := r.Bucket(t.Context(), "none"); !errors.Is(err, stocktake.ErrNoSuchBucket) {
		t.Errorf("%v", err)
	}
	if b, err := r.Bucket(t.Context(), "photos"); err != nil || b.Name != "photos" {
		t.Errorf("%v", err)
	}
}

// What a store cannot tell, and what columns cost, is said in words.
func TestNotes(t *testing.T) {
	r := withLake(t, new(lake), nil)
	acl, tags, crc := stocktake.FieldObjectACL, stocktake.FieldTaggingCount, stocktake.FieldCRC64
	for _, tt := range []struct {
		bucket  string
		columns []stocktake.Field
		rows    int64
		want    []string
	}{
		{"photos", []stocktake.Field{acl, tags, crc}, 0, nil},
		{"lake-photos", []stocktake.Field{stocktake.FieldSize}, 5, nil},
		{"lake-photos", []stocktake.Field{crc}, 0, []string{`the store "lake" cannot tell Crc64: such columns are empty`}},
		{"lake-photos", []stocktake.Field{acl}, 0, []string{`no listing of the store "lake" tells ObjectAcl: that takes 1 request for each object of the report, at 100 a second 2h46m40s for a million objects`}},
		{"old-logs", []stocktake.Field{acl, crc, tags}, 3000, []string{
			`the store "lake" cannot tell Crc64: such columns are empty`,
			`no listing of the store "lake" tells ObjectAcl and TaggingCount: that takes 2 requests for each object of the report, 6000 for the 3000 objects of the last one, which take 1m0s at 100 a second`,
		}},
	} {
		if got := r.Notes(tt.bucket, tt.columns, tt.rows); !slices.Equal(got, tt.want) {
			t.Errorf("%s, %v: %q, want %q", tt.bucket, tt.columns, got, tt.want)
		}
	}
}

// Whether reports can be encrypted is for the store of the destination to say.
func TestEncrypts(t *testing.T) {
	r := withLake(t, new(lake), nil)
	for _, tt := range []struct {
		destination string
		want        error
	}{{"photos", nil}, {"lake-photos", nil}, {"old-logs", errPlain}} {
		cfg := &stocktake.InventoryConfiguration{ID: "daily", Destination: stocktake.Destination{Bucket: tt.destination, Prefix: "p", Encryption: stocktake.Encryption{SSEKMS: true}}}
		if err := r.Encrypts(t.Context(), "photos", cfg); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.destination, err, tt.want)
		}
	}
}
