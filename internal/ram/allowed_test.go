package ram_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ram"
)

const (
	owner = "1000000000000000" // owns the buckets
	other = "2000000000000000"
)

var now = time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)

var root = ram.Root{AccessKeyID: "LTAIroot", Secret: "root secret", Account: owner}

// newDirectory returns a directory in memory.
func newDirectory(t testing.TB, opts ram.Options) *ram.Directory {
	t.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return now }
	}
	d, err := ram.Open("", root, opts)
	must(t, err)
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func policy(statements ...string) []byte {
	return []byte(`{"Version":"1","Statement":[` + strings.Join(statements, ",") + `]}`)
}

// identities are one of each kind; alice has policies as given.
func identities(t testing.TB, d *ram.Directory, alicePolicies ...string) map[string]ram.Identity {
	t.Helper()
	must(t, d.CreateAccount(other))
	for _, account := range []string{owner, other} {
		if _, err := d.CreateUser(account, "alice"); err != nil {
			t.Fatal(err)
		}
		must(t, d.PutPolicy(account, "alice", ram.Document(policy(alicePolicies...))))
		must(t, d.AttachUserPolicy(account, "alice", "alice"))
	}
	who := map[string]ram.Identity{"anonymous": {}}
	for name, of := range map[string][2]string{"alice": {owner, "alice"}, "stranger": {other, ""}, "strange alice": {other, "alice"}} {
		k, err := d.CreateKey(of[0], of[1])
		must(t, err)
		_, i, err := d.Key(k.ID, "")
		must(t, err)
		who[name] = i
	}
	_, i, err := d.Key(root.AccessKeyID, "")
	must(t, err)
	who["root"] = i
	return who
}

// The order of evaluation, step by step.
func TestAllowed(t *testing.T) {
	const (
		allowGet = `{"Effect":"Allow","Action":"oss:GetObject","Resource":"acs:oss:*:*:photos/*"}`
		denyGet  = `{"Effect":"Deny","Action":"oss:Get*","Resource":"*"}`
		nothing  = `{"Effect":"Allow","Action":"oss:ListBuckets","Resource":"*"}`
	)
	bucketPolicy := func(effect, principal, condition string) []byte {
		return policy(`{"Effect":"` + effect + `","Action":["oss:GetObject"],"Principal":[` + principal + `],"Resource":["acs:oss:*:` + owner + `:photos/*"]` + condition + `}`)
	}
	const secure = `,"Condition":{"Bool":{"acs:SecureTransport":"true"}}`
	for _, tt := range []struct {
		name  string
		alice string // statement of her policy
		who   string
		q     ram.Request
		want  string // "" allowed, else the start of the message
	}{
		{"account that owns", nothing, "root", ram.Request{}, ""},
		{"another account", nothing, "stranger", ram.Request{}, "You have no right to access this object because of bucket acl."},
		{"anonymous", nothing, "anonymous", ram.Request{}, "Anonymous user has no right to access this object."},
		{"anonymous listing", nothing, "anonymous", ram.Request{Action: "oss:ListObjects", Key: "-"}, "Anonymous user has no right to access this bucket."},
		{"anonymous managing", nothing, "anonymous", ram.Request{Action: "oss:PutBucketAcl", Key: "-", BucketACL: stocktake.PublicReadWrite}, "Anonymous access is forbidden for this operation."},
		{"anonymous listing of buckets", nothing, "anonymous", ram.Request{Action: "oss:ListBuckets", Bucket: "-", Key: "-", Owner: "-"}, "Anonymous access is forbidden for this operation."},

		{"user without rights", nothing, "alice", ram.Request{}, "You have no right to access this object because of bucket acl."},
		{"user with rights", allowGet, "alice", ram.Request{}, ""},
		{"user with a Deny", allowGet + "," + denyGet, "alice", ram.Request{}, "Access denied by authorizer's policy."},
		{"user with a Deny of a public bucket", denyGet, "alice", ram.Request{BucketACL: stocktake.PublicRead}, "Access denied by authorizer's policy."},
		{"rights end at the own account", allowGet, "strange alice", ram.Request{}, "You have no right to access this object"},

		{"bucket policy for a stranger", nothing, "stranger", ram.Request{Policy: bucketPolicy("Allow", `"`+other+`"`, "")}, ""},
		{"bucket policy for another account's user is not for the account", nothing, "strange alice", ram.Request{Policy: bucketPolicy("Allow", `"`+other+`"`, "")}, "You have no right"},
		{"bucket policy for everybody of an account", nothing, "strange alice", ram.Request{Policy: bucketPolicy("Allow", `"acs:ram::`+other+`:root"`, "")}, ""},
		{"bucket policy for a user by name", nothing, "strange alice", ram.Request{Policy: bucketPolicy("Allow", `"acs:ram::`+other+`:user/alice"`, "")}, ""},
		{"bucket policy for everyone", nothing, "anonymous", ram.Request{Policy: bucketPolicy("Allow", `"*"`, "")}, ""},
		{"bucket policy for everyone, as an empty list", nothing, "anonymous", ram.Request{Policy: bucketPolicy("Allow", "", "")}, ""},
		{"bucket policy denies a user", allowGet, "alice", ram.Request{Policy: bucketPolicy("Deny", `"*"`, "")}, "Access denied by bucket policy."},
		{"bucket policy denies the anonymous", nothing, "anonymous", ram.Request{Policy: bucketPolicy("Deny", `"*"`, ""), BucketACL: stocktake.PublicRead}, "Access denied by bucket policy."},
		{"denying everyone leaves the owner out", nothing, "root", ram.Request{Policy: bucketPolicy("Deny", `"*"`, "")}, ""},
		{"denying everyone on a condition does not", nothing, "root", ram.Request{Secure: true, Policy: bucketPolicy("Deny", `"*"`, secure)}, "Access denied by bucket policy."},
		{"nor denying the owner", nothing, "root", ram.Request{Policy: bucketPolicy("Deny", `"`+owner+`"`, "")}, "Access denied by bucket policy."},
		{"a condition that does not hold", nothing, "root", ram.Request{Policy: bucketPolicy("Deny", `"*"`, secure)}, ""},

		{"public bucket", nothing, "anonymous", ram.Request{BucketACL: stocktake.PublicRead}, ""},
		{"public bucket, listed", nothing, "anonymous", ram.Request{Action: "oss:ListObjects", Key: "-", BucketACL: stocktake.PublicRead}, ""},
		{"public bucket, stranger", nothing, "stranger", ram.Request{BucketACL: stocktake.PublicRead}, ""},
		{"public bucket, private object", nothing, "anonymous", ram.Request{BucketACL: stocktake.PublicReadWrite, ObjectACL: stocktake.Private}, "Anonymous user has no right to access this object."},
		{"private bucket, public object", nothing, "anonymous", ram.Request{BucketACL: stocktake.Private, ObjectACL: stocktake.PublicRead}, ""},
		{"public-read, written", nothing, "anonymous", ram.Request{Action: "oss:PutObject", BucketACL: stocktake.PublicRead}, "Anonymous user has no right to access this object."},
		{"public-read-write, written", nothing, "anonymous", ram.Request{Action: "oss:PutObject", BucketACL: stocktake.PublicReadWrite}, ""},
		{"public-read-write, ACL changed", nothing, "anonymous", ram.Request{Action: "oss:PutObjectAcl", BucketACL: stocktake.PublicReadWrite}, "Anonymous access is forbidden for this operation."},
		{"public bucket, blocked", nothing, "anonymous", ram.Request{BucketACL: stocktake.PublicRead, BlockPublic: true}, "Anonymous user has no right to access this object."},
		{"public policy, blocked", nothing, "anonymous", ram.Request{Policy: bucketPolicy("Allow", `"*"`, ""), BlockPublic: true}, "Anonymous user has no right to access this object."},
		{"narrow policy, blocked", nothing, "stranger", ram.Request{Policy: bucketPolicy("Allow", `"`+other+`"`, ""), BlockPublic: true}, ""},
		{"own rights, blocked", allowGet, "alice", ram.Request{BlockPublic: true}, ""},

		{"service", nothing, "alice", ram.Request{Action: "oss:ListBuckets", Bucket: "-", Key: "-", Owner: "-"}, ""},
		{"new bucket of a user", `{"Effect":"Allow","Action":"oss:PutBucket","Resource":"acs:oss:*:*:photos"}`, "alice", ram.Request{Action: "oss:PutBucket", Key: "-", Owner: "-"}, ""},
		{"new bucket of an account", nothing, "stranger", ram.Request{Action: "oss:PutBucket", Key: "-", Owner: "-"}, ""},
		{"bucket policy that cannot be read", allowGet, "alice", ram.Request{Policy: []byte("{")}, "Access denied by bucket policy."},
		{"and is mended", nothing, "root", ram.Request{Action: "oss:DeleteBucketPolicy", Key: "-", Policy: []byte("{")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDirectory(t, ram.Options{})
			who := identities(t, d, tt.alice)[tt.who]
			q := tt.q
			for field, standard := range map[*string]string{&q.Action: "oss:GetObject", &q.Bucket: "photos", &q.Key: "cat.jpg", &q.Owner: owner} {
				switch *field {
				case "":
					*field = standard
				case "-":
					*field = ""
				}
			}
			err := d.Allowed(who, q)
			if tt.want == "" {
				if err != nil {
					t.Errorf("%v; want it allowed", err)
				}
				return
			}
			e, ok := errors.AsType[*ram.DeniedError](err)
			if !ok || !errors.Is(err, stocktake.ErrAccessDenied) || !strings.HasPrefix(e.Message, tt.want) {
				t.Errorf("%v %+v; want %q", err, e, tt.want)
			}
		})
	}
}

// The account that owns the bucket can repair any bucket policy.
func TestOwnerIsNotLockedOut(t *testing.T) {
	d := newDirectory(t, ram.Options{})
	who := identities(t, d, `{"Effect":"Allow","Action":"oss:*","Resource":"*"}`)
	q := ram.Request{
		Bucket: "photos", Owner: owner, SourceIP: netip.MustParseAddr("10.0.0.1"),
		Policy: policy(`{"Effect":"Deny","Action":"*","Principal":["*"],"Resource":["*"],"Condition":{"IpAddress":{"acs:SourceIp":"0.0.0.0/0"}}}`),
	}
	for action, want := range map[string]bool{"oss:DeleteBucketPolicy": true, "oss:PutBucketPolicy": true, "oss:GetBucketPolicy": true, "oss:DeleteBucket": false} {
		q.Action = action
		if err := d.Allowed(who["root"], q); (err == nil) != want {
			t.Errorf("%s: %v, want allowed=%v", action, err, want)
		}
		if err := d.Allowed(who["alice"], q); err == nil {
			t.Errorf("%s: a user is allowed", action)
		}
	}
}

func TestDeniedErrorSaysWhatIsMissing(t *testing.T) {
	d := newDirectory(t, ram.Options{})
	who := identities(t, d, `{"Effect":"Allow","Action":"oss:GetObject","Resource":"*"}`)
	err := d.Allowed(who["alice"], ram.Request{Action: "oss:PutObject", Bucket: "photos", Owner: owner, Key: "cat"})
	const want = "acs:ram::1000000000000000:user/alice may not oss:PutObject on acs:oss:*:1000000000000000:photos/cat: no policy and no ACL allows it"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func BenchmarkAllowed(b *testing.B) {
	d := newDirectory(b, ram.Options{})
	who := identities(b, d, `{"Effect":"Allow","Action":["oss:Get*","oss:List*"],"Resource":["acs:oss:*:*:photos","acs:oss:*:*:photos/*"],"Condition":{"IpAddress":{"acs:SourceIp":["10.0.0.0/8"]}}}`)
	q := ram.Request{Action: "oss:GetObject", Bucket: "photos", Owner: owner, Key: "2026/01/05/cat.jpg", SourceIP: netip.MustParseAddr("10.1.2.3")}
	withPolicy := q
	withPolicy.Policy = policy(`{"Effect":"Deny","Action":["oss:Delete*"],"Principal":["*"],"Resource":["acs:oss:*:*:photos/*"],"Condition":{"Bool":{"acs:SecureTransport":"false"}}}`)
	for name, run := range map[string]struct {
		who string
		q   ram.Request
	}{"account": {"root", q}, "user": {"alice", q}, "bucket-policy": {"alice", withPolicy}} {
		b.Run(name, func(b *testing.B) {
			i := who[run.who]
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Allowed(i, run.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
