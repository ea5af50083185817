package ram

import (
	"fmt"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// An Identity is the caller of a request. The zero Identity is anonymous. Rights are looked up for
// each request, so changes take effect at once.
type Identity struct {
	Kind    PrincipalKind
	Account string // id of its account
	ID      string // UID: of the account or user; of a session "<role id>:<session>"
	Name    string // of the user or session; of a service its domain; else empty
	Role    string // name of the role of a session; else empty

	// ARN is "acs:ram::<account>:root", ":user/<name>" or ":role/<role>/<session>".
	ARN string

	roleID string
	policy *Policy // of the session; nil: no restriction
}

// Anonymous reports whether the request was not signed.
func (i *Identity) Anonymous() bool { return i.Kind == KindAnonymous }

// Key returns the secret of an access key and its identity. token is the security token of a
// temporary key, else empty: a permanent key with a token does not exist. Errors:
// ErrNoSuchAccessKey, ErrKeyDisabled, ErrTokenRequired, ErrTokenInvalid, ErrTokenExpired, and that
// of [securefile.Storage.Confirmed] for every key but the root key, which no change of the directory
// can revoke.
func (d *Directory) Key(accessKeyID, token string) (secret string, who Identity, err error) {
	s := d.current()
	if accessKeyID != d.root.AccessKeyID || accessKeyID == "" {
		if err := d.doc.Confirmed(); err != nil {
			return "", Identity{}, err
		}
	}
	if isTemporary(accessKeyID) {
		return d.temporaryKey(s, accessKeyID, token)
	}
	k := s.keys[accessKeyID]
	switch {
	case k == nil:
		return "", Identity{}, ErrNoSuchAccessKey
	case k.Disabled:
		return "", Identity{}, ErrKeyDisabled
	case token != "":
		return "", Identity{}, fmt.Errorf("the access key has no token: %w", ErrNoSuchAccessKey) // as OSS answers
	case k.User == "":
		return k.Secret, accountIdentity(k.Account), nil
	}
	u := s.users[ref{k.Account, k.User}]
	if u == nil { // the file now declares its user under another name
		return "", Identity{}, ErrNoSuchAccessKey
	}
	return k.Secret, userIdentity(k.Account, u), nil
}

// current returns the present state of the files.
func (d *Directory) current() *state { return d.doc.Current() }

// ChecksRoles reports whether the service checks configurations against the rights
// of their roles: in production mode, or once a role is defined in the account of
// the root key.
func (d *Directory) ChecksRoles() bool {
	if d.opts.Production {
		return true
	}
	for r := range d.current().roles {
		if r.account == d.root.Account {
			return true
		}
	}
	return false
}

func isTemporary(accessKeyID string) bool { return strings.HasPrefix(accessKeyID, temporaryPrefix) }

func accountARN(account string) string { return "acs:ram::" + account + ":root" }

func accountIdentity(account string) Identity {
	return Identity{Kind: KindAccount, Account: account, ID: account, ARN: accountARN(account)}
}

// A Decider decides whether one caller may do one action on many keys of a bucket.
// It evaluates once what does not depend on the key, and bounds the work of all its
// decisions together. It uses the rights at the time when it was made. It is not
// safe for concurrent use.
type Decider struct {
	directory *Directory
	state     *state
	ask       evaluation
	budget    int // of the work that all decisions may take, in bytes compared
}

// Decider returns a Decider for the action, caller and bucket of q. It ignores Key
// and ObjectACL.
func (d *Directory) Decider(who Identity, q Request) *Decider {
	x := d.decider(who, q)
	x.ask.applicable = make(map[*Policy][]*statement)
	return &x
}

func (d *Directory) decider(who Identity, q Request) Decider {
	if q.Time.IsZero() {
		q.Time = d.opts.Now()
	}
	x := Decider{directory: d, state: d.current(), budget: maxBatchWork}
	x.ask = evaluation{
		Request: q, who: &who, service: "oss", account: q.Owner, region: d.opts.Region,
		ignorePublic: q.BlockPublic, action: lowerASCII(q.Action),
	}
	if x.ask.account == "" {
		x.ask.account = who.Account
	}
	x.ask.owner = x.state.ownsAsAccount(&who, d.opts.Production) && x.ask.account == who.Account
	return x
}

// Allowed is [Directory.Allowed] for a key, or for the bucket if key is empty.
func (x *Decider) Allowed(key string, acl stocktake.ACL) error {
	ev := &x.ask
	ev.Key, ev.ObjectACL = key, acl
	switch {
	case ev.Bucket == "":
		ev.name = "*"
	case key != "":
		ev.name = ev.Bucket + "/" + key
	default:
		ev.name = ev.Bucket
	}
	ev.budget.left = min(x.budget, maxWork)
	before := ev.budget.left
	err := x.decide(ev)
	x.budget -= before - ev.budget.left
	return err
}

func (x *Decider) decide(ev *evaluation) error {
	if ev.who.Anonymous() {
		return x.directory.allowAnonymous(ev)
	}
	if policy := ev.who.policy; policy != nil {
		switch policy.evaluate(ev) {
		case none:
			return denied(ev, Implicit, "session policy")
		case deny:
			return denied(ev, Explicit, "session policy")
		}
	}
	identity := x.state.identityEffect(ev)
	if identity == deny {
		return denied(ev, Explicit, "RAM policy")
	}
	bucket, err := x.directory.bucketEffect(ev)
	switch {
	case err != nil:
		return err
	case bucket == deny && !(ev.owner && repairsPolicy(ev.Action)):
		return denied(ev, Explicit, "bucket policy")
	case ev.owner || identity == allow || bucket == allow || aclAllows(&ev.Request):
		return nil
	}
	return denied(ev, Implicit, "")
}

// bucketEffect evaluates the bucket policy.
func (d *Directory) bucketEffect(ev *evaluation) (effect, error) {
	if len(ev.Policy) == 0 || ev.Bucket == "" {
		return none, nil
	}
	p, err := d.bucketPolicies.Get(ev.Policy)
	if err != nil {
		// The policy was valid when it was put, but can no longer be parsed. Only its
		// repair is allowed.
		if ev.owner && repairsPolicy(ev.Action) {
			return none, nil
		}
		return none, denied(ev, Explicit, "bucket policy")
	}
	return p.evaluate(ev), nil
}

// identityEffect evaluates the policies attached to who. They apply only to buckets
// of who's own account.
//
// Source: OSS user guide, "Authorization process".
func (s *state) identityEffect(ev *evaluation) effect {
	if ev.account != ev.who.Account {
		return none
	}
	e := none
	for _, p := range s.attached(ev.who) {
		if e = e.merge(p.evaluate(ev)); e == deny {
			break
		}
	}
	return e
}

// attached returns the present policies of who. A deleted principal has none.
func (s *state) attached(who *Identity) []*Policy {
	switch who.Kind {
	case KindUser:
		if r := (ref{who.Account, who.Name}); s.users[r] != nil && s.users[r].ID == who.ID {
			return s.attach[r]
		}
	case KindSession:
		if r := s.roles[ref{who.Account, who.Role}]; r != nil && r.ID == who.roleID {
			return r.policies
		}
	}
	return nil
}

// ownsAsAccount reports whether who has the rights of its account.
func (s *state) ownsAsAccount(who *Identity, production bool) bool {
	return who.Kind == KindAccount ||
		who.Kind == KindSession && who.roleID == undefinedRoleID && !production && len(s.roles) == 0
}

// BucketRequest returns the request for action on b or, with a key, on an object of
// b, with the properties of the bucket that the decision needs: owner, ACL, policy
// and the block of public access. It is the only place that reads these from a
// bucket. The caller adds what it knows of the caller and of the object.
func BucketRequest(action string, b *object.Bucket, key string) Request {
	return Request{
		Action: action, Bucket: b.Name, Owner: b.Owner, Key: key,
		BucketACL:   b.ACL,
		Policy:      b.Policy,
		BlockPublic: b.BlockPublicAccess,
	}
}

// lowerASCII returns s with the letters A to Z in lower case.
func lowerASCII(s string) string {
	for i := range len(s) {
		if s[i] == lower(s[i]) {
			continue
		}
		b := []byte(s)
		for ; i < len(b); i++ {
			b[i] = lower(b[i])
		}
		return string(b)
	}
	return s
}

// repairsPolicy reports whether action repairs a bucket policy. We let the account that owns a bucket
// do these always: otherwise a policy that denies everything could not be undone.
func repairsPolicy(action string) bool {
	switch action {
	case "oss:GetBucketPolicy", "oss:PutBucketPolicy", "oss:DeleteBucketPolicy":
		return true
	}
	return false
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}
