package ossapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/signature"
)

// keysOfListings are the operations that have oss:Prefix and oss:Delimiter. For
// every other operation these are absent, whatever the query contains.
var keysOfListings = map[string]bool{"ListObjects": true, "ListObjectsV2": true, "ListObjectVersions": true, "ListMultipartUploads": true}

// A conditionKey is a condition key with conditions on it, as they are written in
// policies, for a request of the matrix.
type conditionKey struct {
	holds, fails string // conditions on the value that each request has; the latter fails for any
	negated      string // condition of a negated operator that names the value; empty: none
	has          func(operation string) bool
}

func always(string) bool       { return true }
func never(string) bool        { return false }
func ofListings(o string) bool { return keysOfListings[o] }

// conditionKeys are all condition keys that OSS documents and the server supports.
var conditionKeys = map[string]conditionKey{
	"acs:SourceIp":        {`"IpAddress":{"acs:SourceIp":"127.0.0.0/8"}`, `"IpAddress":{"acs:SourceIp":"10.0.0.0/8"}`, `"NotIpAddress":{"acs:SourceIp":"127.0.0.0/8"}`, always},
	"acs:SecureTransport": {`"Bool":{"acs:SecureTransport":"false"}`, `"Bool":{"acs:SecureTransport":"true"}`, "", always},
	"acs:CurrentTime":     {`"DateGreaterThan":{"acs:CurrentTime":"2000-01-01"}`, `"DateLessThan":{"acs:CurrentTime":"2000-01-01"}`, "", always},
	"acs:UserAgent":       {`"StringLike":{"acs:UserAgent":"matrix/*"}`, `"StringLike":{"acs:UserAgent":"other/*"}`, `"StringNotLike":{"acs:UserAgent":"matrix/*"}`, always},
	"acs:SourceVpc":       {`"StringLike":{"acs:SourceVpc":"*"}`, `"StringEquals":{"acs:SourceVpc":"vpc-1"}`, `"StringNotLike":{"acs:SourceVpc":"*"}`, never},
	"oss:Prefix":          {`"StringLike":{"oss:Prefix":"home/bob/*"}`, `"StringLike":{"oss:Prefix":"home/al/*"}`, `"StringNotLike":{"oss:Prefix":"home/bob/*"}`, ofListings},
	"oss:Delimiter":       {`"StringEquals":{"oss:Delimiter":"/"}`, `"StringEquals":{"oss:Delimiter":"-"}`, `"StringNotEquals":{"oss:Delimiter":"/"}`, ofListings},
}

// TestAccessMatrix sends a request for every operation of the routing table as
// every kind of caller, with a condition on every condition key, and each request
// has a prefix and a delimiter in its query. Whether it is denied must be as the
// tables above say.
func TestAccessMatrix(t *testing.T) {
	w := newWorld(t)
	const bucket = "photos"
	w.bucket(t, bucket)
	w.must(t, w.do(t, "DELETE", "/"+bucket+"/?publicAccessBlock", "", nil), 204)
	w.must(t, w.do(t, "PUT", "/"+bucket+"/keep", "meow", nil), 200)

	everything := `"Effect":"Allow","Action":"oss:*","Resource":"*"`
	deny := `"Effect":"Deny","Action":"oss:*","Resource":"*"`
	callers := []caller{
		{name: "the account", key: signature.Credentials{ID: keyID, Secret: secret}, allowed: func(row) bool { return true }},
		{name: "anonymous", allowed: func(row) bool { return false }},
		w.matrixUser(t, "nothing", `"Effect":"Allow","Action":"ram:*","Resource":"*"`, func(row) bool { return false }),
		w.matrixUser(t, "everything", everything, func(row) bool { return true }),
	}
	for _, key := range slices.Sorted(maps.Keys(conditionKeys)) {
		k := conditionKeys[key]
		has := func(r row) bool { return k.has(r.Name) }
		lacks := func(r row) bool { return !k.has(r.Name) }
		if_ := func(s, condition string) string { return s + `,"Condition":{` + condition + `}` }
		callers = append(callers,
			w.matrixUser(t, "Allow if "+k.holds, if_(everything, k.holds), has),
			w.matrixUser(t, "Allow if "+k.fails, if_(everything, k.fails), func(row) bool { return false }),
			w.matrixUser(t, "Deny if "+k.holds, everything+`},{`+if_(deny, k.holds), lacks))
		if k.negated != "" {
			callers = append(callers,
				w.matrixUser(t, "Allow if "+k.negated, if_(everything, k.negated), lacks),
				w.matrixUser(t, "Deny if "+k.negated, everything+`},{`+if_(deny, k.negated), has))
		}
	}
	operations := slices.DeleteFunc(ossapi.Operations(), func(r row) bool {
		return r.Method == http.MethodOptions // needs no rights: TestPreflight
	})
	for _, o := range operations {
		for _, c := range callers {
			w.checkAccess(t, o, c)
		}
	}

	// A user of another account that a bucket policy allows. Only existing buckets
	// have a policy.
	stranger := signature.Credentials{ID: otherID, Secret: otherPass}
	for _, key := range slices.Sorted(maps.Keys(conditionKeys)) {
		k := conditionKeys[key]
		w.must(t, w.do(t, "PUT", "/"+bucket+"/?policy", `{"Version":"1","Statement":[{`+everything+`,"Principal":["`+strangerID+`"],"Condition":{`+k.holds+`}}]}`, nil), 200)
		c := caller{name: "stranger, bucket policy: Allow if " + k.holds, key: stranger, allowed: func(r row) bool { return k.has(r.Name) }}
		for _, o := range operations {
			if o.Level != request.ServiceLevel && !o.CreatesBucket && o.Name != "DeleteBucketPolicy" {
				w.checkAccess(t, o, c)
			}
		}
	}
}

const strangerID = stranger

type row = ossapi.OperationRow

// A caller sends requests of the matrix.
type caller struct {
	name    string
	key     signature.Credentials // zero: anonymous
	allowed func(row) bool        // whether it may do an operation
}

// matrixUser makes a user with a policy of the statements, without the outer
// braces.
func (w *world) matrixUser(t *testing.T, name, statements string, allowed func(row) bool) caller {
	t.Helper()
	users, err := w.access.Users(account)
	check(t, err)
	user := fmt.Sprintf("u%d", len(users))
	_, err = w.access.CreateUser(account, user)
	check(t, err)
	check(t, w.access.PutPolicy(account, user, []byte(`{"Version":"1","Statement":[{`+statements+`}]}`)))
	check(t, w.access.AttachUserPolicy(account, user, user))
	key, err := w.access.CreateKey(account, user)
	check(t, err)
	return caller{name, signature.Credentials{ID: key.ID, Secret: key.Secret}, allowed}
}

// checkAccess sends a request for an operation and compares the result with the
// caller's rights.
func (w *world) checkAccess(t *testing.T, o row, c caller) {
	t.Helper()
	at := signature.Target{}
	query := []string{"prefix=home%2Fbob%2Fx", "delimiter=%2F"}
	header := map[string]string{"User-Agent": "matrix/1"}
	body := ""
	switch {
	case o.CreatesBucket:
		at.Bucket = "made-by-the-matrix"
	case o.Level == request.BucketLevel:
		at.Bucket = "photos"
	case o.Level == request.ObjectLevel:
		at = signature.Target{Bucket: "photos", Key: "home/bob/cat"}
	}
	if o.Sub != "" {
		query = append(query, o.Sub+strings.Repeat("=0A", min(1, strings.Count(o.Sub, "uploadId"))))
	}
	if name, isHeader := strings.CutSuffix(o.With, ":"); isHeader {
		header[name] = "/photos/keep"
	} else if o.With != "" {
		query = append(query, o.With)
	}
	switch o.Name {
	case "DeleteMultipleObjects":
		body = "<Delete><Object><Key>home/bob/cat</Key></Object></Delete>"
	case "PostObject":
		header["Content-Type"] = "multipart/form-data; boundary=x"
		body = "--x\r\nContent-Disposition: form-data; name=key\r\n\r\nhome/bob/cat\r\n--x\r\nContent-Disposition: form-data; name=file\r\n\r\nmeow\r\n--x--\r\n"
	}
	path := "/" + at.Bucket
	if at.Bucket != "" {
		path += "/" + at.Key
	}
	r := w.request(t, o.Method, path+"?"+strings.Join(query, "&"), body, header)
	if c.key.ID != "" {
		r = w.signedAs(t, r, c.key, at)
	}
	m := w.send(t, r)

	w.seen.mu.Lock()
	seen := w.seen.list[len(w.seen.list)-1]
	w.seen.list = w.seen.list[:0]
	w.seen.mu.Unlock()
	if seen.Operation != o.Name {
		t.Fatalf("the request for %s was taken for %s (%d %s): the matrix cannot make one for it\n%s", o.Name, seen.Operation, seen.Status, seen.Code, m.body)
	}
	if allowed := seen.Code != "AccessDenied"; allowed != c.allowed(o) {
		t.Errorf("%s by %s: allowed is %v, want %v (%d %s)", o.Name, c.name, allowed, !allowed, seen.Status, seen.Code)
	}
}
