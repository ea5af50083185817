package bucket_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
)

// twoBuckets has the bucket photos, whose reports go to the bucket reports.
type twoBuckets map[string]object.Bucket

func (b twoBuckets) Bucket(_ context.Context, name string) (object.Bucket, error) {
	state, ok := b[name]
	if !ok {
		return state, stocktake.ErrNoSuchBucket
	}
	return state, nil
}

func (twoBuckets) Source() engine.Source                                { return nil }
func (twoBuckets) Destination(string, object.Origin) engine.Destination { return nil }

func registry(d *ram.Directory, b twoBuckets) *bucket.Registry {
	return bucket.New(b, bucket.Options{Region: "cn-hangzhou", Access: d, Account: "1000000000000000"})
}

func TestRoles(t *testing.T) {
	const (
		account = "1000000000000000"
		arn     = "acs:ram::1000000000000000:role/inventory"
		write   = `{"Effect":"Allow","Action":"oss:PutObject","Resource":"acs:oss:*:*:reports/*"}`
		list    = `{"Effect":"Allow","Action":"oss:ListObjects","Resource":"acs:oss:*:*:photos"}`
		listAll = `{"Effect":"Allow","Action":"oss:ListObjectVersions","Resource":"acs:oss:*:*:photos"}`
		trust   = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::1000000000000000:root"]}}]}`
	)
	for _, tt := range []struct {
		name       string
		production bool
		define     bool   // the role
		trust      string // of the role; empty: the default
		policy     string // of the role: statements
		source     string // bucket policy
		dest       string // bucket policy
		change     func(*stocktake.InventoryConfiguration, twoBuckets)
		missing    []string // empty: allowed
	}{
		{name: "development, no role is defined"},
		{
			name: "development, another account", missing: []string{"acs:ram::3:role/x does not exist"},
			change: func(c *stocktake.InventoryConfiguration, _ twoBuckets) { c.Destination.RoleARN = "acs:ram::3:role/x" },
		},
		{
			name: "development, other roles are defined", define: true, missing: []string{"role/other does not exist"},
			change: func(c *stocktake.InventoryConfiguration, _ twoBuckets) {
				c.Destination.RoleARN = "acs:ram::1000000000000000:role/other"
			},
		},
		{name: "development, no rights", define: true, missing: []string{"oss:ListObjects on acs:oss:*:1000000000000000:photos", "oss:PutObject on acs:oss:*:1000000000000000:reports/"}},
		{name: "production, no role is defined", production: true, missing: []string{arn + " does not exist"}},
		{name: "no role at all", production: true, define: true, change: func(c *stocktake.InventoryConfiguration, _ twoBuckets) { c.Destination.RoleARN = "me" }, missing: []string{"me does not exist"}},
		{name: "all that is needed", production: true, define: true, policy: write + "," + list},
		{name: "AliyunOSSFullAccess", production: true, define: true, policy: `{"Effect":"Allow","Action":"oss:*","Resource":"*"}`},
		{name: "it may not write", production: true, define: true, policy: list, missing: []string{arn + "/inventory may not oss:PutObject on acs:oss:*:1000000000000000:reports/p/photos/daily/data/"}},
		{name: "it may not read", production: true, define: true, policy: write, missing: []string{"may not oss:ListObjects on acs:oss:*:1000000000000000:photos:"}},
		{
			name: "it may not read versions", production: true, define: true, policy: write + "," + list, missing: []string{"oss:ListObjectVersions"},
			change: func(c *stocktake.InventoryConfiguration, _ twoBuckets) {
				c.IncludedObjectVersions = stocktake.AllVersions
			},
		},
		{
			name: "it may read versions", production: true, define: true, policy: write + "," + listAll,
			change: func(c *stocktake.InventoryConfiguration, _ twoBuckets) {
				c.IncludedObjectVersions = stocktake.AllVersions
			},
		},
		{name: "another account may assume it", production: true, define: true, trust: trust, policy: write + "," + list, missing: []string{"does not let oss.aliyuncs.com assume it"}},
		{
			name: "only below the prefix", production: true, define: true,
			policy: list + `,{"Effect":"Allow","Action":"oss:PutObject","Resource":"acs:oss:*:*:reports/p/*"}`,
		},
		{
			name: "only below another prefix", production: true, define: true, missing: []string{"oss:PutObject"},
			policy: list + `,{"Effect":"Allow","Action":"oss:PutObject","Resource":"acs:oss:*:*:reports/q/*"}`,
		},
		{
			name: "shards, but no manifest", production: true, define: true, missing: []string{"manifest.json"},
			policy: list + `,{"Effect":"Allow","Action":"oss:PutObject","Resource":"acs:oss:*:*:reports/p/photos/daily/data/*"}`,
		},
		{
			name: "listing of the prefix only", production: true, define: true,
			policy: write + `,{"Effect":"Allow","Action":"oss:ListObjects","Resource":"acs:oss:*:*:photos","Condition":{"StringLike":{"oss:Prefix":"2026/*"}}}`,
			change: func(c *stocktake.InventoryConfiguration, _ twoBuckets) { c.Filter.Prefix = "2026/" },
		},
		{
			name: "listing of another prefix", production: true, define: true, missing: []string{"oss:ListObjects"},
			policy: write + `,{"Effect":"Allow","Action":"oss:ListObjects","Resource":"acs:oss:*:*:photos","Condition":{"StringLike":{"oss:Prefix":"2026/*"}}}`,
		},
		{
			name: "the source denies", production: true, define: true, policy: write + "," + list, missing: []string{"a Deny of the bucket policy"},
			source: `{"Version":"1","Statement":[{"Effect":"Deny","Action":"oss:ListObjects","Principal":["*"],"Resource":["acs:oss:*:1000000000000000:photos"]}]}`,
		},
		{
			name: "the destination allows", production: true, define: true, policy: list,
			dest: `{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:PutObject","Principal":["arn:sts::1000000000000000:assumed-role/inventory/*"],"Resource":["acs:oss:*:1000000000000000:reports/*"]}]}`,
		},
		{
			name: "the destination denies what is not sent over TLS", production: true, define: true, policy: write + "," + list,
			dest: `{"Version":"1","Statement":[{"Effect":"Deny","Action":"oss:*","Principal":["*"],"Resource":["acs:oss:*:1000000000000000:reports/*"],"Condition":{"Bool":{"acs:SecureTransport":["false"]}}}]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ram.Open("", ram.Root{Account: account}, ram.Options{Production: tt.production})
			must(t, err)
			if tt.define {
				_, err := d.CreateRole(account, "inventory", ram.Document(tt.trust), 0)
				must(t, err)
			}
			if tt.policy != "" {
				must(t, d.PutPolicy(account, "p", ram.Document(`{"Version":"1","Statement":[`+tt.policy+`]}`)))
				must(t, d.AttachRolePolicy(account, "inventory", "p"))
			}
			buckets := twoBuckets{}
			for name, policy := range map[string]string{"photos": tt.source, "reports": tt.dest} {
				b := object.Bucket{Name: name, Owner: account, ACL: stocktake.Private}
				if policy != "" {
					b.Policy = []byte(policy)
				}
				buckets[name] = b
			}
			cfg := stocktake.InventoryConfiguration{
				ID: "daily", IncludedObjectVersions: stocktake.CurrentVersions,
				Destination: stocktake.Destination{Format: "CSV", RoleARN: arn, Bucket: "reports", Prefix: "p"},
			}
			if tt.change != nil {
				tt.change(&cfg, buckets)
			}
			err = registry(d, buckets).MayReport(t.Context(), "photos", &cfg)
			if len(tt.missing) == 0 {
				must(t, err)
				return
			}
			denied, ok := errors.AsType[*ram.DeniedError](err)
			if !ok || !errors.Is(err, stocktake.ErrAccessDenied) {
				t.Fatalf("%v, want a denial", err)
			}
			for _, m := range tt.missing {
				if !strings.Contains(err.Error(), m) || !strings.Contains(denied.Message, m) {
					t.Errorf("%q (to callers %q) does not name %q", err, denied.Message, m)
				}
			}
		})
	}
}

// TestMayRemove checks the right that retention needs.
func TestMayRemove(t *testing.T) {
	const account, arn = "1000000000000000", "acs:ram::1000000000000000:role/keeper"
	keys := []string{"p/photos/daily/2026-01-05T16-00Z/manifest.json", "p/photos/daily/data/x.csv.gz"}
	for _, tt := range []struct {
		name       string
		policy     string // of the role: statements
		dest       string // bucket policy
		versioning object.Versioning
		missing    string // empty: allowed
	}{
		{name: "reports are written only", policy: `{"Effect":"Allow","Action":"oss:PutObject","Resource":"*"}`, missing: "may not oss:DeleteObject on acs:oss:*:1000000000000000:reports/p/photos/daily/"},
		{name: "all may be removed", policy: `{"Effect":"Allow","Action":"oss:DeleteObject","Resource":"acs:oss:*:*:reports/p/*"}`},
		{name: "shards may not", policy: `{"Effect":"Allow","Action":"oss:DeleteObject","Resource":"acs:oss:*:*:reports/*/manifest.json"}`, missing: "x.csv.gz"},
		{name: "versions are another right", versioning: object.Suspended, policy: `{"Effect":"Allow","Action":"oss:DeleteObject","Resource":"*"}`, missing: "oss:DeleteObjectVersion"},
		{name: "versions", versioning: object.Enabled, policy: `{"Effect":"Allow","Action":"oss:DeleteObjectVersion","Resource":"*"}`},
		{
			name: "the bucket's policy forbids it", policy: `{"Effect":"Allow","Action":"oss:*","Resource":"*"}`, missing: "oss:DeleteObject",
			dest: `{"Version":"1","Statement":[{"Effect":"Deny","Principal":["*"],"Action":["oss:DeleteObject"],"Resource":["acs:oss:*:*:reports/*"]}]}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ram.Open("", ram.Root{Account: account}, ram.Options{})
			must(t, err)
			_, err = d.CreateRole(account, "keeper", nil, 0)
			must(t, err)
			must(t, d.PutPolicy(account, "rights", ram.Document(`{"Version":"1","Statement":[`+tt.policy+`]}`)))
			must(t, d.AttachRolePolicy(account, "keeper", "rights"))
			state := object.Bucket{Name: "reports", Owner: account, Versioning: tt.versioning}
			if tt.dest != "" {
				state.Policy = []byte(tt.dest)
			}
			cfg := stocktake.InventoryConfiguration{ID: "daily", Destination: stocktake.Destination{Format: "CSV", RoleARN: arn, Bucket: "reports", Prefix: "p"}}
			err = registry(d, twoBuckets{"reports": state}).MayRemove(t.Context(), &cfg, keys)
			switch {
			case tt.missing == "":
				must(t, err)
			case !errors.Is(err, stocktake.ErrAccessDenied) || !strings.Contains(err.Error(), tt.missing):
				t.Errorf("%v, want a denial that names %q", err, tt.missing)
			}
		})
	}
}

func TestRolesOfMissingBuckets(t *testing.T) {
	d, err := ram.Open("", ram.Root{Account: "1"}, ram.Options{})
	must(t, err)
	cfg := stocktake.InventoryConfiguration{ID: "daily", Destination: stocktake.Destination{Format: "CSV", RoleARN: "acs:ram::1:role/x", Bucket: "reports"}}
	for _, buckets := range []twoBuckets{{}, {"photos": {Name: "photos", Owner: "1"}}} {
		err := registry(d, buckets).MayReport(t.Context(), "photos", &cfg)
		if !errors.Is(err, stocktake.ErrNoSuchBucket) || errors.Is(err, stocktake.ErrAccessDenied) {
			t.Errorf("%v", err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
