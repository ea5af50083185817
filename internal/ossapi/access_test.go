package ossapi_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/signature"
)

// user makes a user of the account with a policy that allows statements, each
// "action resource", and returns a function that sends its requests.
func (w *world) user(t *testing.T, name string, allowed ...string) func(method, path, body string, header map[string]string) message {
	t.Helper()
	var statements []string
	for _, a := range allowed {
		action, resource, _ := strings.Cut(a, " ")
		statements = append(statements, `{"Effect":"Allow","Action":"`+action+`","Resource":"acs:oss:*:*:`+resource+`"}`)
	}
	_, err := w.access.CreateUser(account, name)
	check(t, err)
	check(t, w.access.PutPolicy(account, name, []byte(`{"Version":"1","Statement":[`+strings.Join(statements, ",")+`]}`)))
	check(t, w.access.AttachUserPolicy(account, name, name))
	key, err := w.access.CreateKey(account, name)
	check(t, err)
	return func(method, path, body string, header map[string]string) message {
		r := w.request(t, method, path, body, header)
		bucket, key2, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return w.send(t, w.signedAs(t, r, signature.Credentials{ID: key.ID, Secret: key.Secret}, signature.Target{Bucket: bucket, Key: key2}))
	}
}

// TestPutBucketAgain holds that the right to create buckets does not include the
// right to make existing buckets public.
func TestPutBucketAgain(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.do(t, "PUT", "/photos", "", nil), 200)
	w.must(t, w.do(t, "DELETE", "/photos/?publicAccessBlock", "", nil), 204)
	maker := w.user(t, "maker", "oss:PutBucket *")
	public := map[string]string{"X-Oss-Acl": "public-read"}
	w.must(t, maker("PUT", "/photos", "", nil), 200)
	w.must(t, maker("PUT", "/other", "", public), 200)
	w.refused(t, maker("PUT", "/photos/?acl", "", public), 403, "AccessDenied")
	w.refused(t, maker("PUT", "/photos", "", public), 403, "AccessDenied")
	w.refused(t, w.anonymous(t, "GET", "/photos/", ""), 403, "AccessDenied")

	opener := w.user(t, "opener", "oss:PutBucket *", "oss:PutBucketAcl photos")
	w.must(t, opener("PUT", "/photos", "", public), 200)
	w.must(t, w.anonymous(t, "GET", "/photos/", ""), 200)
}

// TestSymlinkTellsNothing holds that a user's own symlink does not reveal which
// objects exist where the user may not look.
func TestSymlinkTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/secret/there", "meow", nil), 200)
	w.must(t, w.do(t, "PUT", "/photos/secret/link", "", map[string]string{"X-Oss-Symlink-Target": "secret/there"}), 200)
	guest := w.user(t, "guest", "oss:GetObject photos/own/*", "oss:PutObject photos/own/*")
	for _, target := range []string{"secret/there", "secret/none", "secret/link"} {
		w.must(t, guest("PUT", "/photos/own/link?symlink", "", map[string]string{"X-Oss-Symlink-Target": target}), 200)
		w.refused(t, guest("GET", "/photos/own/link", "", nil), 403, "AccessDenied")
		if m := guest("HEAD", "/photos/own/link", "", nil); m.status != 403 {
			t.Errorf("%s: %d", target, m.status)
		}
	}
}

// TestBrokenACL holds that an object whose ACL cannot be read is not treated as one
// without an ACL.
func TestBrokenACL(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.do(t, "PUT", "/photos", "", map[string]string{"X-Oss-Acl": "public-read-write"}), 200)
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", map[string]string{"X-Oss-Object-Acl": "private"}), 200)
	w.refused(t, w.anonymous(t, "PUT", "/photos/cat", "woof"), 403, "AccessDenied")
	broken := newWorld(t, func(c *ossapi.Config) { c.Buckets, c.Store = bucket.New(w.store, bucket.Options{}), headless{w.store} })
	if m := broken.anonymous(t, "PUT", "/photos/cat", "woof"); m.status != 500 {
		t.Errorf("%d %s", m.status, m.body)
	}
	if m := w.do(t, "GET", "/photos/cat", "", nil); m.body != "meow" {
		t.Errorf("%q", m.body)
	}
	w.must(t, w.anonymous(t, "PUT", "/photos/new", "woof"), 200)
}

type headless struct{ ossapi.Store }

func (headless) Head(context.Context, object.Version) (object.Info, error) {
	return object.Info{}, errors.New("the disk fails")
}

// TestDecisionsEndWithTheRequest holds that the server decides about no further
// keys once the client of a DeleteMultipleObjects has disconnected.
func TestDecisionsEndWithTheRequest(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.do(t, "PUT", "/photos", "", map[string]string{"X-Oss-Acl": "public-read"}), 200)
	ctx, leave := context.WithCancel(t.Context())
	store := &leaving{Store: w.store, leave: leave}
	left := newWorld(t, func(c *ossapi.Config) { c.Buckets, c.Store = bucket.New(w.store, bucket.Options{}), store })
	r := left.request(t, "POST", "/photos/?delete", "<Delete>"+strings.Repeat("<Object><Key>k</Key></Object>", 1000)+"</Delete>", nil)
	if res, err := left.Client().Do(r.WithContext(ctx)); err == nil {
		res.Body.Close()
		t.Errorf("status %d", res.StatusCode)
	}
	left.Close() // waits for the handler
	if n := store.heads.Load(); n != 1 {
		t.Errorf("the server looked at %d objects", n)
	}
}

// leaving is a store whose client disconnects when it reads an object, which
// everyone may delete.
type leaving struct {
	ossapi.Store
	leave context.CancelFunc
	heads atomic.Int32
}

func (l *leaving) Head(ctx context.Context, _ object.Version) (object.Info, error) {
	l.heads.Add(1)
	l.leave()
	<-ctx.Done()
	return object.Info{ACL: stocktake.PublicReadWrite}, nil
}

// TestHostilePolicy holds that a policy that is slow to evaluate costs an anonymous
// request only a moment's work, and that its owner can still replace it.
func TestHostilePolicy(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "DELETE", "/photos/?publicAccessBlock", "", nil), 204)
	slow := strings.Repeat(`"*`+strings.Repeat("a?", 500)+`b*",`, 14) + `"c"`
	w.must(t, w.do(t, "PUT", "/photos/?policy", `{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*","Principal":["*"],"Resource":["acs:oss:*:*:*"],"Condition":{"StringNotLike":{"acs:UserAgent":[`+slow+`]}}}]}`, nil), 200)
	doc := "<Delete>" + strings.Repeat("<Object><Key>k</Key></Object>", 1000) + "</Delete>"
	for _, length := range []int{2000, 60_000} {
		r := w.request(t, "POST", "/photos/?delete", doc, map[string]string{"User-Agent": strings.Repeat("a", length)})
		w.refused(t, w.send(t, r), 403, "AccessDenied")
	}
	w.must(t, w.do(t, "DELETE", "/photos/?policy", "", map[string]string{"User-Agent": strings.Repeat("a", 2000)}), 204)
}

// TestPassRole holds that with the setting, a caller who puts a configuration needs
// ram:PassRole on its role.
func TestPassRole(t *testing.T) {
	doc := func(id string) string {
		return strings.NewReplacer("REPORT", id).Replace(`<InventoryConfiguration><Id>REPORT</Id><IsEnabled>true</IsEnabled>` +
			`<Destination><OSSBucketDestination><Format>CSV</Format><AccountId>` + account + `</AccountId><RoleArn>acs:ram::` + account + `:role/admin</RoleArn><Bucket>acs:oss:::photos</Bucket></OSSBucketDestination></Destination>` +
			`<Schedule><Frequency>Daily</Frequency></Schedule><IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>`)
	}
	for _, required := range []bool{false, true} {
		w := newWorld(t, func(c *ossapi.Config) { c.RequirePassRole = required })
		w.bucket(t, "photos")
		putter := w.user(t, "putter", "oss:* *")
		_, err := w.access.CreateUser(account, "passer")
		check(t, err)
		check(t, w.access.PutPolicy(account, "passer", []byte(`{"Version":"1","Statement":[{"Effect":"Allow","Action":["oss:*","ram:PassRole"],"Resource":"*"}]}`)))
		check(t, w.access.AttachUserPolicy(account, "passer", "passer"))
		key, err := w.access.CreateKey(account, "passer")
		check(t, err)
		if m := putter("PUT", "/photos/?inventory&inventoryId=a", doc("a"), nil); required {
			p := w.refused(t, m, 403, "AccessDenied")
			if !strings.Contains(m.body, "<AuthAction>ram:PassRole</AuthAction>") {
				t.Errorf("%+v", p)
			}
		} else {
			w.must(t, m, 200)
		}
		r := w.request(t, "PUT", "/photos/?inventory&inventoryId=b", doc("b"), nil)
		w.must(t, w.send(t, w.signedAs(t, r, signature.Credentials{ID: key.ID, Secret: key.Secret}, signature.Target{Bucket: "photos"})), 200)
		w.must(t, w.do(t, "PUT", "/photos/?inventory&inventoryId=c", doc("c"), nil), 200)
	}
}
