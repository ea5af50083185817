package ram

import (
	"github.com/stocktake/stocktake"
)

// A Decider decides whether one caller may do one action on many keys of a
// bucket. What does not depend on the key is found out once, and the work of all
// decisions together is bounded. Its decisions are by the rights as they were when
// it was made. It is for one goroutine.
type Decider struct {
	d    *Directory
	st   *state
	ask  question
	left int // of the work that all decisions may take, in bytes compared
}

// Decider returns a Decider for the action, caller and bucket of q, whose Key
// and ObjectACL do not count.
func (d *Directory) Decider(who Identity, q Request) *Decider {
	x := d.decider(who, q)
	x.ask.settled = make(map[*Policy][]*statement)
	return &x
}

func (d *Directory) decider(who Identity, q Request) Decider {
	if q.Time.IsZero() {
		q.Time = d.opts.Now()
	}
	x := Decider{d: d, st: d.current(), left: maxBatchWork}
	x.ask = question{
		Request: q, who: &who, service: "oss", account: q.Owner, region: d.opts.Region,
		ignorePublic: q.BlockPublic, action: lowerASCII(q.Action),
	}
	if x.ask.account == "" {
		x.ask.account = who.Account
	}
	x.ask.owner = x.st.ownsAsAccount(&who, d.opts.Production) && x.ask.account == who.Account
	return x
}

// Allowed is [Directory.Allowed] for a key, or for the bucket if it is empty.
func (x *Decider) Allowed(key string, acl stocktake.ACL) error {
	ask := &x.ask
	ask.Key, ask.ObjectACL = key, acl
	switch {
	case ask.Bucket == "":
		ask.name = "*"
	case key != "":
		ask.name = ask.Bucket + "/" + key
	default:
		ask.name = ask.Bucket
	}
	ask.budget.left = min(x.left, maxWork)
	before := ask.budget.left
	err := x.decide(ask)
	x.left -= before - ask.budget.left
	return err
}

func (x *Decider) decide(ask *question) error {
	if ask.who.Anonymous() {
		return x.d.anonymous(ask)
	}
	if policy := ask.who.policy; policy != nil {
		switch policy.evaluate(ask) {
		case none:
			return denied(ask, Implicit, "session policy")
		case deny:
			return denied(ask, Explicit, "session policy")
		}
	}
	identity := x.st.identityEffect(ask)
	if identity == deny {
		return denied(ask, Explicit, "RAM policy")
	}
	bucket, err := x.d.bucketEffect(ask)
	switch {
	case err != nil:
		return err
	case bucket == deny && !(ask.owner && keepsBucket(ask.Action)):
		return denied(ask, Explicit, "bucket policy")
	case ask.owner || identity == allow || bucket == allow || aclAllows(&ask.Request):
		return nil
	}
	return denied(ask, Implicit, "")
}
