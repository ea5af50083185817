package ram_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/ram"
)

func TestParsePolicyRefuses(t *testing.T) {
	const ok = `"Effect":"Allow","Action":"oss:GetObject","Resource":"*"`
	for _, tt := range []struct {
		kind ram.PolicyKind
		doc  string
		want string // in the error
	}{
		{ram.IdentityPolicy, ``, "a JSON object is expected"},
		{ram.IdentityPolicy, `[]`, "a JSON object is expected"},
		{ram.IdentityPolicy, `{"Version":"1","Statement":[{` + ok + `}]} x`, "a JSON object is expected"},
		{ram.IdentityPolicy, `{"Version":}`, "not JSON"},
		{ram.IdentityPolicy, "{\"Version\":\"1\xff\"}", "it is not UTF-8"},
		{ram.IdentityPolicy, strings.Repeat(" ", ram.MaxPolicy+1), "more than 6144"},
		{ram.BucketPolicy, strings.Repeat(" ", ram.MaxBucketPolicy+1), "more than 16384"},
		{ram.IdentityPolicy, `{"Version":"1"}`, "policy, Statement: there is none"},
		{ram.IdentityPolicy, `{"Version":"1","Statement":[]}`, "policy, Statement: there is none"},
		{ram.IdentityPolicy, `{"Statement":[{` + ok + `}]}`, "policy, Version: it is missing"},
		{ram.IdentityPolicy, `{"Version":"2","Statement":[{` + ok + `}]}`, `policy, Version "\"2\"": it must be "1"`},
		{ram.IdentityPolicy, `{"version":"1","Statement":[{` + ok + `}]}`, "policy, version: unknown element"},
		{ram.IdentityPolicy, `{"Version":"1","Version":"1","Statement":[{` + ok + `}]}`, "Version: it is given twice"},
		{ram.IdentityPolicy, `{"Version":"1","Statement":[{` + ok + `},7]}`, "policy, statement 2: a JSON object is expected"},
		{ram.IdentityPolicy, statement(`"Action":"oss:GetObject","Resource":"*"`), "statement 1, Effect: it is missing"},
		{ram.IdentityPolicy, statement(`"Effect":"allow","Action":"oss:GetObject","Resource":"*"`), `it must be "Allow" or "Deny"`},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Resource":"*"`), "Action: it is missing"},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Action":"oss:GetObject"`), "Resource: it is missing"},
		{ram.IdentityPolicy, statement(ok + `,"NotAction":"oss:*"`), "it cannot be used together with NotAction"},
		{ram.IdentityPolicy, statement(ok + `,"NotResource":"*"`), "it cannot be used together with NotResource"},
		{ram.IdentityPolicy, statement(ok + `,"Principal":["*"]`), "Principal: unknown element, or one that this kind of policy does not have"},
		{ram.BucketPolicy, statement(ok + `,"NotPrincipal":["1"]`), "NotPrincipal: unknown element"},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Action":"GetObject","Resource":"*"`), `Action "GetObject": it must be of the form`},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Action":[],"Resource":"*"`), "Action: it is empty"},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Action":[""],"Resource":"*"`), "Action: it holds an empty string"},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Action":[1],"Resource":"*"`), "Action: a string or a list of strings is expected"},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Action":null,"Resource":"*"`), "Action:"},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Action":"*","Resource":"mybucket/*"`), `Resource "mybucket/*": it must be of the form`},
		{ram.IdentityPolicy, statement(`"Effect":"Allow","Action":"*","Resource":"acs:oss:*:mybucket"`), `it must be of the form`},
		{ram.BucketPolicy, statement(ok + `,"Principal":["alice"]`), `Principal "alice": it must be a UID`},
		{ram.BucketPolicy, statement(ok + `,"Principal":{"AWS":"*"}`), "Principal: a string or a list of strings is expected"},
		{ram.BucketPolicy, statement(ok + `,"Principal":["arn:sts::*:assumed-role/a/b"]`), "it must be a UID"},
		{ram.TrustPolicy, statement(`"Effect":"Allow","Action":"sts:AssumeRole"`), "Principal: it is missing"},
		{ram.TrustPolicy, statement(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Federated":"x"}`), "Principal/Federated: unknown kind of principal"},
		{ram.TrustPolicy, statement(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":"*"}`), `Principal/RAM "*"`},
		{ram.TrustPolicy, statement(`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":"acs:ram::1:root"},"Resource":"*"`), "Resource: unknown element"},
		{ram.IdentityPolicy, statement(ok + `,"Condition":{"StringIs":{"a":"b"}}`), "Condition/StringIs: unknown operator"},
		{ram.IdentityPolicy, statement(ok + `,"Condition":{"Bool":{}}`), "Condition/Bool: it has no key"},
		{ram.IdentityPolicy, statement(ok + `,"Condition":{"Bool":{"acs:SecureTransport":"yes"}}`), `Condition/Bool/acs:SecureTransport "yes": it is not true or false`},
		{ram.IdentityPolicy, statement(ok + `,"Condition":{"IpAddress":{"acs:SourceIp":["10.0.0.0/8","10.0.0.300"]}}`), `"10.0.0.300": it is not an address`},
		{ram.IdentityPolicy, statement(ok + `,"Condition":{"DateLessThan":{"acs:CurrentTime":"soon"}}`), "it is not a date"},
		{ram.IdentityPolicy, statement(ok + `,"Condition":{"NumericEquals":{"oss:x":"NaN"}}`), "it is not a number"},
		{ram.IdentityPolicy, statement(ok + `,"Condition":{"StringEquals":{"oss:Prefix":[]}}`), "it has no value"},
		{ram.IdentityPolicy, statement(ok + `,"Condition":{"StringEquals":{"oss:Prefix":{"a":1}}}`), "a value or a list of values is expected"},
		{ram.IdentityPolicy, statement(ok + `,"Condition":[]`), "a JSON object is expected"},
	} {
		p, err := ram.ParsePolicy(tt.kind, []byte(tt.doc))
		if _, ok := errors.AsType[*ram.PolicyError](err); !ok || p != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.200s\n  %v\n  want %s", tt.doc, err, tt.want)
		}
	}
}

func statement(members string) string { return string(policy("{" + members + "}")) }

// The real service accepts the policies of the SDKs' own tests.
func TestParsePolicyAccepts(t *testing.T) {
	for kind, docs := range map[ram.PolicyKind][]string{
		ram.BucketPolicy: {
			`{"Version":"1","Statement":[{"Action":["oss:PutObject","oss:GetObject"],"Effect":"Allow","Resource":["acs:oss:*:*:*"]}]}`,
			`{"Version":"1","Statement":[{"Action":["oss:PutObject","oss:GetObject"],"Effect":"Deny","Principal":["1234567890"],"Resource":["acs:oss:*:1234567890:*/*"]}]}`,
			`{"Version":"1","Statement":{"Sid":"x","Action":"*","Effect":"Deny","Principal":"*","NotResource":"acs:oss:*:*:b/*","Condition":{"NotIpAddress":{"acs:SourceIp":["10.0.0.0/8","::1"]},"StringEquals":{"acs:SourceVpc":"vpc-1"}}}}`,
		},
		ram.IdentityPolicy: {
			`{"Version":"1","Statement":[{"Effect":"Allow","NotAction":"oss:Delete*","Resource":"acs:oss:oss-cn-hangzhou:1:b","Condition":{"StringLike":{"oss:Prefix":["","a/*"]},"Bool":{"acs:SecureTransport":true}}}]}`,
		},
		ram.TrustPolicy: {string(ram.DefaultTrust("1"))},
	} {
		for _, doc := range docs {
			if _, err := ram.ParsePolicy(kind, []byte(doc)); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
}

func TestPublic(t *testing.T) {
	for members, want := range map[string]bool{
		`"Effect":"Allow","Principal":["*"]`:   true,
		`"Effect":"Allow","Principal":[]`:      true,
		`"Effect":"Allow"`:                     true,
		`"Effect":"Deny","Principal":["*"]`:    false,
		`"Effect":"Allow","Principal":["123"]`: false,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":["10.0.0.0/8"]}}`:                       false,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":["10.0.0.0/8","0.0.0.0/0"]}}`:           true,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":["0.0.0.0/1","128.0.0.0/1"]}}`:          true,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":["::ffff:0.0.0.0/96"]}}`:                true,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":["::/1","8000::/1"]}}`:                  true,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":["2001:db8::/32"]}}`:                    false,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":[` + eights(1, 16) + `]}}`:              false,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":[` + eights(1, 16) + `,"1.2.0.0/16"]}}`: false,
		`"Effect":"Allow","Principal":["*"],"Condition":{"IpAddress":{"acs:SourceIp":[` + eights(1, 17) + `]}}`:              true,
		`"Effect":"Allow","Principal":["*"],"Condition":{"NotIpAddress":{"acs:SourceIp":["10.0.0.0/8"]}}`:                    true,
		`"Effect":"Allow","Principal":["*"],"Condition":{"StringEquals":{"acs:SourceVpc":["vpc-1"]}}`:                        false,
		`"Effect":"Allow","Principal":["*"],"Condition":{"StringLike":{"acs:SourceVpc":["vpc-*"]}}`:                          true,
		`"Effect":"Allow","Principal":["*"],"Condition":{"Bool":{"acs:SecureTransport":"true"}}`:                             true,
	} {
		p, err := ram.ParsePolicy(ram.BucketPolicy, []byte(statement(members+`,"Action":"oss:GetObject","Resource":"*"`)))
		must(t, err)
		if p.Public() != want {
			t.Errorf("%s: public=%v", members, p.Public())
		}
	}
}

// eights returns the IPv4 ranges from first to last of 8 bits, as JSON.
func eights(first, last int) string {
	var list []string
	for i := first; i <= last; i++ {
		list = append(list, fmt.Sprintf(`"%d.0.0.0/8"`, i))
	}
	return strings.Join(list, ",")
}

// Several narrow statements can together allow everyone.
func TestPublicByManyStatements(t *testing.T) {
	part := func(effect string, first, last int) string {
		return `{"Effect":"` + effect + `","Principal":["*"],"Action":"oss:GetObject","Resource":"*","Condition":{"IpAddress":{"acs:SourceIp":[` + eights(first, last) + `]}}}`
	}
	for want, doc := range map[bool][]byte{
		true:  policy(part("Allow", 1, 15), part("Allow", 16, 30)),
		false: policy(part("Allow", 1, 15), part("Deny", 16, 30)),
	} {
		p, err := ram.ParsePolicy(ram.BucketPolicy, doc)
		must(t, err)
		if p.Public() != want {
			t.Errorf("%s: public=%v", doc, p.Public())
		}
		d := newDirectory(t, ram.Options{})
		q := ram.Request{Action: "oss:GetObject", Bucket: "b", Key: "k", Owner: owner, Policy: doc, BlockPublic: true, SourceIP: netip.MustParseAddr("2.3.4.5")}
		if err := d.Allowed(ram.Identity{}, q); (err == nil) == want {
			t.Errorf("%s: with a block of public access %v", doc, err)
		}
	}
}

// Each operator, with a value that matches, one that does not, and none.
func TestConditions(t *testing.T) {
	type given map[string]string
	for _, tt := range []struct {
		condition string
		given     given
		want      bool
	}{
		{`"StringEquals":{"oss:Prefix":["a","b"]}`, given{"oss:Prefix": "b"}, true},
		{`"StringEquals":{"oss:Prefix":["a","b"]}`, given{"oss:Prefix": "B"}, false},
		{`"StringEquals":{"oss:Prefix":"a"}`, nil, false},
		{`"StringEquals":{"oss:Prefix":""}`, given{"oss:Prefix": ""}, true},
		{`"StringEquals":{"OSS:prefix":"a"}`, given{"oss:Prefix": "a"}, true},
		{`"StringNotEquals":{"oss:Prefix":["a","b"]}`, given{"oss:Prefix": "b"}, false},
		{`"StringNotEquals":{"oss:Prefix":["a","b"]}`, given{"oss:Prefix": "c"}, true},
		{`"StringNotEquals":{"oss:Prefix":"a"}`, nil, true},
		{`"StringEqualsIgnoreCase":{"oss:Prefix":"Äb"}`, given{"oss:Prefix": "äB"}, true},
		{`"StringNotEqualsIgnoreCase":{"oss:Prefix":"ab"}`, given{"oss:Prefix": "aB"}, false},
		{`"StringLike":{"oss:Prefix":"a*c?"}`, given{"oss:Prefix": "a/b/c猫"}, true},
		{`"StringLike":{"oss:Prefix":"a*c?"}`, given{"oss:Prefix": "a/b/c"}, false},
		{`"StringNotLike":{"oss:Prefix":"a*"}`, given{"oss:Prefix": "ba"}, true},
		{`"NumericEquals":{"oss:MaxKeys":10}`, given{"oss:MaxKeys": "10.0"}, true},
		{`"NumericNotEquals":{"oss:MaxKeys":["10"]}`, given{"oss:MaxKeys": "10"}, false},
		{`"NumericLessThan":{"oss:MaxKeys":"10"}`, given{"oss:MaxKeys": "9"}, true},
		{`"NumericLessThan":{"oss:MaxKeys":"10"}`, given{"oss:MaxKeys": "10"}, false},
		{`"NumericLessThan":{"oss:MaxKeys":"10"}`, given{"oss:MaxKeys": "many"}, false},
		{`"NumericLessThanEquals":{"oss:MaxKeys":"10"}`, given{"oss:MaxKeys": "10"}, true},
		{`"NumericGreaterThan":{"oss:MaxKeys":"10"}`, given{"oss:MaxKeys": "11"}, true},
		{`"NumericGreaterThanEquals":{"oss:MaxKeys":"10"}`, given{"oss:MaxKeys": "9"}, false},
		{`"DateLessThan":{"acs:CurrentTime":"2026-01-06T00:00:00+08:00"}`, nil, false},
		{`"DateLessThan":{"acs:CurrentTime":"2026-01-06T00:00:01+08:00"}`, nil, true},
		{`"DateLessThanEquals":{"acs:CurrentTime":"2026-01-05T16:00Z"}`, nil, true},
		{`"DateGreaterThan":{"acs:CurrentTime":"2026-01-05"}`, nil, true},
		{`"DateGreaterThanEquals":{"acs:CurrentTime":"2026-01-07"}`, nil, false},
		{`"DateEquals":{"oss:When":"2026-01-05T16:00:00Z"}`, given{"oss:When": "2026-01-05T16:00:00Z"}, true},
		{`"DateNotEquals":{"oss:When":"2026-01-05T16:00:00Z"}`, given{"oss:When": "rubbish"}, true},
		{`"Bool":{"acs:SecureTransport":"true"}`, nil, true},
		{`"Bool":{"acs:SecureTransport":[false]}`, nil, false},
		{`"IpAddress":{"acs:SourceIp":["192.168.0.0/16","10.1.2.3"]}`, nil, true},
		{`"IpAddress":{"acs:SourceIp":"10.1.2.0/31"}`, nil, false},
		{`"IpAddress":{"acs:SourceIp":"::/0"}`, nil, false},
		{`"NotIpAddress":{"acs:SourceIp":"10.0.0.0/8"}`, nil, false},
		{`"IpAddress":{"acs:SourceIp":"::ffff:10.0.0.0/104"}`, nil, true},
		{`"IpAddress":{"acs:SourceIp":"::ffff:10.1.2.3"}`, nil, true},
		{`"IpAddress":{"acs:SourceIp":"::ffff:0:0/90"}`, nil, true},
		{`"IpAddress":{"acs:SourceIp":"::ffff:11.0.0.0/104"}`, nil, false},
		{`"NotIpAddress":{"acs:SourceIp":"::ffff:10.1.0.0/112"}`, nil, false},
		{`"StringLike":{"acs:SourceIp":"10.*"}`, nil, true},
		{`"Bool":{"acs:SecureTransport":"true"},"StringEquals":{"oss:Prefix":"a","oss:Delimiter":"/"}`, given{"oss:Prefix": "a", "oss:Delimiter": "/"}, true},
		{`"Bool":{"acs:SecureTransport":"true"},"StringEquals":{"oss:Prefix":"a","oss:Delimiter":"/"}`, given{"oss:Prefix": "a"}, false},
	} {
		d := newDirectory(t, ram.Options{})
		who := identities(t, d, `{"Effect":"Allow","Action":"oss:*","Resource":"*","Condition":{`+tt.condition+`}}`)
		err := d.Allowed(who["alice"], ram.Request{
			Action: "oss:ListObjects", Bucket: "b", Owner: owner, Secure: true, SourceIP: netip.MustParseAddr("::ffff:10.1.2.3"),
			Time: time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC), Conditions: tt.given,
		})
		if (err == nil) != tt.want {
			t.Errorf("%s with %v: %v, want %v", tt.condition, tt.given, err == nil, tt.want)
		}
	}
}

func TestResources(t *testing.T) {
	for _, tt := range []struct {
		resource, bucket, key string
		want                  bool
	}{
		{"*", "b", "k", true},
		{"*", "", "", true},
		{"acs:oss:*:*:*", "", "", true},
		{"acs:oss:*:*:*", "b", "k", true},
		{"acs:*:*:*:*", "b", "k", true},
		{"acs:oss:*:*:b", "", "", false},
		{"acs:oss:*:*:b", "b", "", true},
		{"acs:oss:*:*:b", "b", "k", false},
		{"acs:oss:*:*:b/*", "b", "", false},
		{"acs:oss:*:*:b/*", "b", "k/l:m", true},
		{"acs:oss:*:*:b*", "b", "k", true},
		{"acs:oss:*:*:b/k?", "b", "k猫", true},
		{"acs:oss:cn-hangzhou:*:b", "b", "", true},
		{"acs:oss:oss-cn-hangzhou:*:b", "b", "", true},
		{"acs:oss:cn-beijing:*:b", "b", "", false},
		{"acs:oss:*:" + owner + ":b", "b", "", true},
		{"acs:oss:*:" + other + ":b", "b", "", false},
		{"acs:oss:::b", "b", "", true},
		{"acs:ram:*:*:b", "b", "", false},
		{"acs:oss:*:*:B", "b", "", false},
	} {
		for element, want := range map[string]bool{"Resource": tt.want, "NotResource": !tt.want} {
			d := newDirectory(t, ram.Options{Region: "cn-hangzhou"})
			who := identities(t, d, `{"Effect":"Allow","Action":"OSS:getobject","`+element+`":["`+tt.resource+`","acs:oss:*:*:never"]}`)
			q := ram.Request{Action: "oss:GetObject", Bucket: tt.bucket, Key: tt.key, Owner: owner}
			if err := d.Allowed(who["alice"], q); (err == nil) != want {
				t.Errorf("%s %s for %s/%s: %v, want allowed=%v", element, tt.resource, tt.bucket, tt.key, err, want)
			}
		}
	}
}
