package ram_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ram"
)

// A Decider decides about each key like Allowed.
func TestDeciderAgreesWithAllowed(t *testing.T) {
	d := newDirectory(t, ram.Options{})
	who := identities(t, d, `{"Effect":"Allow","Action":"oss:x","Resource":"*"}`)
	rapid.Check(t, func(t *rapid.T) {
		i := who[rapid.SampledFrom([]string{"anonymous", "alice", "root", "stranger"}).Draw(t, "who")]
		if err := d.PutPolicy(owner, "alice", drawPolicy(t, "identity", nil)); err != nil {
			t.Fatal(err)
		}
		q := ram.Request{
			Action: rapid.SampledFrom([]string{"oss:GetObject", "oss:PutObject"}).Draw(t, "ask"),
			Bucket: "photos", Owner: owner, BucketACL: stocktake.PublicRead,
			Policy: drawPolicy(t, "bucket", []string{"*", owner, other, who["alice"].ID}),
			Secure: rapid.Bool().Draw(t, "secure"), SourceIP: netip.MustParseAddr("10.0.0.1"),
		}
		x := d.Decider(i, q)
		for _, key := range []string{"cat", "dog", "", "cat"} {
			q.Key = key
			if got, want := x.Allowed(key, q.ObjectACL), d.Allowed(i, q); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q: %v, alone %v", key, got, want)
			}
		}
	})
}

// A condition of an attacker's policy, and the attacker's header.
func slowPolicy(pattern string) []byte {
	return policy(`{"Effect":"Allow","Action":"oss:*","Principal":["*"],"Resource":["acs:oss:*:*:*"],"Condition":{"StringLike":{"acs:UserAgent":["` + pattern + `"]}}}`)
}

// A value that is too long for conditions, or patterns that take too long, deny.
func TestWhatTakesTooLongIsDenied(t *testing.T) {
	d := newDirectory(t, ram.Options{})
	who := identities(t, d, `{"Effect":"Allow","Action":"oss:x","Resource":"*"}`)
	q := ram.Request{Action: "oss:GetObject", Bucket: "b", Owner: owner, Key: strings.Repeat("a", 1023), SourceIP: netip.MustParseAddr("10.0.0.1")}
	agent := func(s string) map[string]string { return map[string]string{"acs:UserAgent": s} }
	long := agent(strings.Repeat("a", 2049))
	for name, c := range map[string]struct {
		policy  []byte
		values  map[string]string
		allowed bool
	}{
		"as long as may be":     {slowPolicy("a*"), agent(strings.Repeat("a", 2048)), true},
		"longer, Allow":         {slowPolicy("a*"), long, false},
		"longer, negated Allow": {policy(`{"Effect":"Allow","Action":"oss:*","Principal":["*"],"Resource":["*"],"Condition":{"StringNotLike":{"acs:UserAgent":"b"}}}`), long, false},
		"longer, Deny": {policy(
			`{"Effect":"Allow","Action":"oss:*","Principal":["*"],"Resource":["*"]}`,
			`{"Effect":"Deny","Action":"oss:*","Principal":["*"],"Resource":["*"],"Condition":{"StringLike":{"acs:UserAgent":"b"}}}`), long, false},
		"slow Deny on the resource": {policy(
			`{"Effect":"Deny","Action":"oss:*","Principal":["*"],"Resource":["acs:oss:*:*:b/`+strings.Repeat("*"+strings.Repeat("a?", 250)+"b", 25)+`"]}`,
			`{"Effect":"Deny","Action":"oss:*","Principal":["*"],"Resource":["acs:oss:*:*:b/*`+strings.Repeat("a?", 250)+`b*", "acs:oss:*:*:b/*`+strings.Repeat("a?", 250)+`c*", "acs:oss:*:*:b/*`+strings.Repeat("a?", 250)+`d*", "acs:oss:*:*:b/*`+strings.Repeat("a?", 250)+`e*", "acs:oss:*:*:b/*`+strings.Repeat("a?", 250)+`f*"]}`,
			`{"Effect":"Allow","Action":"oss:*","Principal":["*"],"Resource":["*"]}`), nil, false},
	} {
		q.Policy, q.Conditions = c.policy, c.values
		err := d.Allowed(who["anonymous"], q)
		var denied *ram.DeniedError
		if c.allowed != (err == nil) || err != nil && !errors.As(err, &denied) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "slow") && (denied == nil || !denied.TooCostly || !strings.Contains(err.Error(), "take too long")) {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Allowed(who["root"], ram.Request{Action: "oss:PutBucketPolicy", Bucket: "b", Owner: owner, Policy: c.policy, Conditions: c.values}); err != nil {
			t.Errorf("%s: the owner cannot replace the policy: %v", name, err)
		}
	}
}

// All decisions of one request share a budget.
func TestDeciderIsBounded(t *testing.T) {
	d := newDirectory(t, ram.Options{})
	who := identities(t, d, `{"Effect":"Allow","Action":"oss:x","Resource":"*"}`)
	x := d.Decider(who["anonymous"], ram.Request{
		Action: "oss:DeleteObject", Bucket: "b", Owner: owner, SourceIP: netip.MustParseAddr("10.0.0.1"),
		Policy: policy(
			`{"Effect":"Deny","Action":"oss:*","Principal":["*"],"Resource":["acs:oss:*:*:b/*`+strings.Repeat("a?", 200)+`b*"]}`,
			`{"Effect":"Allow","Action":"oss:*","Principal":["*"],"Resource":["*"]}`),
	})
	key := strings.Repeat("a", 1023)
	allowed := 0
	for range 1000 {
		err := x.Allowed(key, stocktake.Private)
		var denied *ram.DeniedError
		switch {
		case err == nil:
			allowed++
		case !errors.As(err, &denied) || !denied.TooCostly:
			t.Fatal(err)
		}
	}
	if allowed == 0 || allowed == 1000 {
		t.Errorf("%d of 1,000 keys were decided about", allowed)
	}
}

// Policies of 14 KB that are slow to evaluate, for one key and for a thousand. The
// first pattern took 4 s per key when stars were matched by trying every place.
func BenchmarkHostilePolicy(b *testing.B) {
	d := newDirectory(b, ram.Options{})
	who := identities(b, d, `{"Effect":"Allow","Action":"oss:x","Resource":"*"}`)
	for name, c := range map[string]struct {
		pattern string
		agent   int
	}{
		"long":     {"*" + strings.Repeat("a", 13000) + "b", 60 << 10},
		"stars":    {strings.Repeat("*a", 6500) + "b", 2 << 10},
		"several":  {strings.Repeat("*"+strings.Repeat("a", 1000)+`b*","`, 12) + "c", 2 << 10},
		"question": {strings.Repeat("*"+strings.Repeat("a?", 500)+`b*","`, 12) + "c", 2 << 10},
	} {
		q := ram.Request{
			Action: "oss:DeleteObject", Bucket: "b", Owner: owner, SourceIP: netip.MustParseAddr("10.0.0.1"),
			Policy:     slowPolicy(c.pattern),
			Conditions: map[string]string{"acs:UserAgent": strings.Repeat("a", c.agent)},
		}
		b.Run(name+"/one", func(b *testing.B) {
			for b.Loop() {
				_ = d.Allowed(who["anonymous"], q)
			}
		})
		b.Run(name+"/thousand", func(b *testing.B) {
			for b.Loop() {
				x := d.Decider(who["anonymous"], q)
				for range 1000 {
					_ = x.Allowed("k", stocktake.Private)
				}
			}
		})
	}
}
