package ram_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ram"
)

// naiveMatch is match with a regular expression.
func naiveMatch(pattern, s string) bool {
	r := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile(`(?s)^` + r + `$`).MatchString(s)
}

// A naive evaluator of a small language: it knows a document as a generic JSON
// value and evaluates every question from the start.
func naiveEffect(doc []byte, uid string, action, resource string, secure bool) (allow, deny bool) {
	var policy struct{ Statement []map[string]any }
	if err := json.Unmarshal(doc, &policy); err != nil {
		panic(err)
	}
	some := func(v any, fits func(string) bool) bool {
		for _, s := range v.([]any) {
			if fits(s.(string)) {
				return true
			}
		}
		return false
	}
	for _, s := range policy.Statement {
		applies := true
		for element, not := range map[string]bool{"Action": false, "NotAction": true} {
			if v, ok := s[element]; ok {
				applies = applies && some(v, func(p string) bool { return naiveMatch(p, action) }) != not
			}
		}
		for element, not := range map[string]bool{"Resource": false, "NotResource": true} {
			if v, ok := s[element]; ok {
				applies = applies && some(v, func(p string) bool {
					return p == "*" || naiveMatch(strings.Replace(p, "acs:oss:*:*:", "", 1), resource)
				}) != not
			}
		}
		_, conditional := s["Condition"]
		if v, ok := s["Principal"]; ok {
			applies = applies && some(v, func(p string) bool { return p == uid || p == "*" && (uid != owner || conditional) })
		}
		if conditional {
			applies = applies && s["Condition"].(map[string]any)["Bool"].(map[string]any)["acs:SecureTransport"] == map[bool]string{true: "true", false: "false"}[secure]
		}
		if applies && s["Effect"] == "Allow" {
			allow = true
		}
		if applies && s["Effect"] == "Deny" {
			deny = true
		}
	}
	return allow, deny
}

func drawPolicy(t *rapid.T, label string, principals []string) []byte {
	texts := func(from ...string) *rapid.Generator[[]string] { return rapid.SliceOfN(rapid.SampledFrom(from), 1, 2) }
	statements := make([]map[string]any, rapid.IntRange(1, 3).Draw(t, label))
	for i := range statements {
		s := map[string]any{
			"Effect": rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect"),
			rapid.SampledFrom([]string{"Action", "NotAction"}).Draw(t, "action"): texts("oss:GetObject", "oss:Put*", "oss:*Object", "*", "ram:*").Draw(t, "actions"),
			rapid.SampledFrom([]string{"Resource", "NotResource"}).Draw(t, "resource"): texts(
				"*", "acs:oss:*:*:photos/*", "acs:oss:*:*:photos", "acs:oss:*:*:*", "acs:oss:*:*:ph?tos/c*").Draw(t, "resources"),
		}
		if principals != nil {
			s["Principal"] = texts(principals...).Draw(t, "principals")
		}
		if rapid.Bool().Draw(t, "conditional") {
			s["Condition"] = map[string]any{"Bool": map[string]any{"acs:SecureTransport": rapid.SampledFrom([]string{"true", "false"}).Draw(t, "value")}}
		}
		statements[i] = s
	}
	b, err := json.Marshal(map[string]any{"Version": "1", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The decision is the result of the documented order over a naive evaluator.
func TestAllowedAgainstNaive(t *testing.T) {
	d := newDirectory(t, ram.Options{})
	who := identities(t, d, `{"Effect":"Allow","Action":"oss:x","Resource":"*"}`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"anonymous", "alice", "root", "stranger", "strange alice"}).Draw(t, "who")
		i := who[name]
		identity := drawPolicy(t, "identity", nil)
		for _, account := range []string{owner, other} {
			if err := d.PutPolicy(account, "alice", identity); err != nil {
				t.Fatal(err)
			}
		}
		bucket := drawPolicy(t, "bucket", []string{"*", owner, other, who["alice"].ID})
		q := ram.Request{
			Action: rapid.SampledFrom([]string{"oss:GetObject", "oss:PutObject", "oss:PutBucketAcl"}).Draw(t, "ask"),
			Bucket: "photos", Owner: owner, Key: rapid.SampledFrom([]string{"", "cat", "dog"}).Draw(t, "key"),
			BucketACL: rapid.SampledFrom([]stocktake.ACL{stocktake.Private, stocktake.PublicRead, stocktake.PublicReadWrite}).Draw(t, "acl"),
			ObjectACL: rapid.SampledFrom([]stocktake.ACL{stocktake.DefaultACL, stocktake.Private, stocktake.PublicRead}).Draw(t, "object acl"),
			Secure:    rapid.Bool().Draw(t, "secure"), SourceIP: netip.MustParseAddr("10.0.0.1"),
		}
		if rapid.Bool().Draw(t, "with policy") {
			q.Policy = bucket
		}
		resource := q.Bucket
		if q.Key != "" {
			resource += "/" + q.Key
		}

		var allow, deny bool
		if name == "alice" {
			allow, deny = naiveEffect(identity, "", q.Action, resource, q.Secure)
		}
		if q.Policy != nil {
			a, dn := naiveEffect(bucket, i.ID, q.Action, resource, q.Secure)
			allow, deny = allow || a, deny || dn
		}
		acl := q.BucketACL
		if q.ObjectACL != stocktake.DefaultACL {
			acl = q.ObjectACL
		}
		public := q.Key != "" && (q.Action == "oss:GetObject" && acl != stocktake.Private || q.Action == "oss:PutObject" && acl == stocktake.PublicReadWrite)
		want := !deny && (allow || name == "root" || public)
		if err := d.Allowed(i, q); (err == nil) != want {
			t.Errorf("%s: %v, want allowed=%v\nRAM policy %s\nbucket policy %s\n%+v", name, err, want, identity, q.Policy, q)
		}
	})
}

// A policy that parses can be evaluated for any request, and evaluating it twice
// returns the same. Otherwise the error says why it does not parse.
func FuzzParsePolicy(f *testing.F) {
	for _, s := range []string{
		`{"Version":"1","Statement":[{"Action":["oss:PutObject","oss:GetObject"],"Effect":"Deny","Principal":["1234567890","*","arn:sts::1:assumed-role/a/*"],"Resource":["acs:oss:*:1234567890:*/*"]}]}`,
		`{"Version":"1","Statement":{"Effect":"Allow","NotAction":"*","NotResource":"*","Condition":{"IpAddress":{"acs:SourceIp":["10.0.0.0/8"]},"NumericLessThan":{"a":1e3}}}}`,
		string(ram.DefaultTrust("1")),
	} {
		f.Add(s, uint8(0), "oss:GetObject", "b", "k")
		f.Add(s, uint8(1), "oss:GetObject", "b", "k")
		f.Add(s, uint8(2), "sts:AssumeRole", "", "")
	}
	d := newDirectory(f, ram.Options{})
	f.Fuzz(func(t *testing.T, doc string, kind uint8, action, bucket, key string) {
		k := ram.PolicyKind(kind % 3)
		p, err := ram.ParsePolicy(k, []byte(doc))
		if err != nil {
			if e, ok := err.(*ram.PolicyError); !ok || p != nil || e.Reason == "" || len(e.Value) > 200 || len(e.Element) > 300 {
				t.Fatalf("%v, %#v", p, err)
			}
			return
		}
		if k != ram.BucketPolicy {
			return
		}
		q := ram.Request{Action: action, Bucket: bucket, Key: key, Owner: owner, Policy: []byte(doc), SourceIP: netip.MustParseAddr("10.0.0.1"), Time: now}
		first, blocked := d.Allowed(ram.Identity{}, q), q
		if again := d.Allowed(ram.Identity{}, q); (first == nil) != (again == nil) {
			t.Fatalf("%v, then %v", first, again)
		}
		blocked.BlockPublic = true
		if err := d.Allowed(ram.Identity{}, blocked); err == nil && bucket != "" {
			// A statement for everyone that a condition narrows is not public.
			if !strings.Contains(doc, "Condition") {
				t.Fatal("anonymous gets through a bucket that blocks public access")
			}
		}
		if first == nil && !p.Public() && !strings.Contains(doc, "Condition") {
			t.Fatal("anonymous is allowed by a policy that is not public")
		}
	})
}
