package ram

import (
	"fmt"
	"strings"
)

// A PolicyKind is what a policy document is for: which elements it has follows.
type PolicyKind uint8

// The kinds of policy documents.
const (
	IdentityPolicy PolicyKind = iota // of a user, a role or a session: no Principal
	BucketPolicy                     // of a bucket: with a Principal
	TrustPolicy                      // who may assume a role: Principal, no Resource
)

// Largest documents, in bytes.
//
// Source: RAM, limits: 6,144 characters; STS API reference, AssumeRole,
// parameter Policy: 2,048; OSS: 16 KB.
const (
	MaxPolicy        = 6144
	MaxSessionPolicy = 2048
	MaxBucketPolicy  = 16 << 10
)

func (k PolicyKind) max() int {
	if k == BucketPolicy {
		return MaxBucketPolicy
	}
	return MaxPolicy
}

// A PolicyError says what to correct in a policy document.
type PolicyError struct {
	Statement int    // from 1; 0: the document as a whole
	Element   string // such as "Condition/IpAddress/acs:SourceIp"; may be empty
	Value     string // as received, at most 200 bytes; may be empty
	Reason    string
}

func (e *PolicyError) Error() string {
	var b strings.Builder
	b.WriteString("policy")
	if e.Statement > 0 {
		fmt.Fprintf(&b, ", statement %d", e.Statement)
	}
	if e.Element != "" {
		b.WriteString(", " + e.Element)
	}
	if e.Value != "" {
		fmt.Fprintf(&b, " %q", e.Value)
	}
	return b.String() + ": " + e.Reason
}

// A Policy is a parsed policy document. It does not change; many goroutines may
// use it.
type Policy struct {
	kind       PolicyKind
	statements []statement
}

type statement struct {
	deny       bool
	actions    patterns
	resources  []resource // of a TrustPolicy none
	notRes     bool       // NotResource
	principals []principal
	anyone     bool // Principal "*"
	conditions []condition
}

// patterns are those of Action or, with not, of NotAction.
type patterns struct {
	not  bool
	list []string
}

func (p patterns) match(s string) bool {
	for _, pattern := range p.list {
		if match(pattern, s, true) {
			return !p.not
		}
	}
	return p.not
}

// A resource is a pattern "acs:oss:region:account:bucket/key" in its parts.
// The pattern "*" is all parts "*".
type resource struct{ service, region, account, name string }

// A principal is one whom a statement is about: one of the fields is set.
type principal struct {
	id      string // UID of an account or a user
	session string // pattern of "arn:sts::<account>:assumed-role/<role>/<session>"
	account string // everybody of an account: "acs:ram::<account>:root"
	arn     string // "acs:ram::<account>:user/<name>" or ":role/<name>"
	service string // such as "oss.aliyuncs.com"
}

// An effect is what policies say of a request.
type effect uint8

const (
	none  effect = iota // neither Allow nor Deny
	allow               // an Allow and no Deny
	deny                // a Deny
)

// merge is the effect of both a and b: Deny wins, then Allow.
func (a effect) merge(b effect) effect { return max(a, b) }

// A question is a request as policies are asked about it.
type question struct {
	Request
	who     *Identity
	service string // "oss", "ram" or "sts": of the resource
	account string // the account that the resource belongs to
	name    string // of the resource: "bucket", "bucket/key", "role/name"; "*" of the service itself
	owner   bool   // who is the account that owns the bucket
	region  string // of the server; empty: any

	// ignorePublic leaves out what a bucket policy grants to everyone.
	ignorePublic bool
}

// evaluate is the effect of p on q.
func (p *Policy) evaluate(q *question) effect {
	e := none
	for i := range p.statements {
		s := &p.statements[i]
		if !s.applies(p.kind, q) {
			continue
		}
		if s.deny {
			return deny
		}
		e = allow
	}
	return e
}

// applies checks what is cheap and likely to differ first.
func (s *statement) applies(kind PolicyKind, q *question) bool {
	if !s.actions.match(q.Action) || kind != IdentityPolicy && !s.concerns(q) {
		return false
	}
	if kind != TrustPolicy && s.matchesResource(q) == s.notRes {
		return false
	}
	if kind == BucketPolicy && !s.deny && q.ignorePublic && s.public() {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(q) {
			return false
		}
	}
	return true
}

func (s *statement) matchesResource(q *question) bool {
	for i := range s.resources {
		if s.resources[i].match(q) {
			return true
		}
	}
	return false
}

func (r *resource) match(q *question) bool {
	return match(r.service, q.service, false) &&
		(r.region == "*" || r.region == "" || q.region == "" ||
			match(r.region, q.region, false) || match(r.region, "oss-"+q.region, false)) &&
		(r.account == "*" || r.account == "" || match(r.account, q.account, false)) &&
		match(r.name, q.name, false)
}

// concerns reports whether s is about q.who. Everyone without a condition does
// not mean the account that owns the bucket, lest it locks itself out.
//
// Source: OSS user guide, "Bucket policy", special rules for the bucket owner.
func (s *statement) concerns(q *question) bool {
	if s.anyone && (!q.owner || len(s.conditions) > 0) {
		return true
	}
	for i := range s.principals {
		if s.principals[i].is(q.who) {
			return true
		}
	}
	return false
}

func (p *principal) is(who *Identity) bool {
	switch {
	case who.Anonymous():
		return false
	case p.id != "":
		return p.id == who.ID && who.Kind != KindSession
	case p.account != "":
		return p.account == who.Account && who.Kind != KindService
	case p.service != "":
		return who.Kind == KindService && p.service == who.Name
	case who.Kind != KindSession:
		return p.arn != "" && p.arn == who.ARN
	case p.session != "":
		return match(p.session, "arn:sts::"+who.Account+":assumed-role/"+who.Role+"/"+who.Name, false)
	default:
		return p.arn == roleARN(who.Account, who.Role)
	}
}

// Public reports whether p allows anything to everyone: a statement whose
// Principal is "*" and that no condition narrows to known addresses, networks
// or callers.
//
// Source: OSS user guide, "Block Public Access".
func (p *Policy) Public() bool {
	if p.kind != BucketPolicy {
		return false
	}
	for i := range p.statements {
		if s := &p.statements[i]; !s.deny && s.public() {
			return true
		}
	}
	return false
}

func (s *statement) public() bool {
	if !s.anyone {
		return false
	}
	for i := range s.conditions {
		if s.conditions[i].narrows() {
			return false
		}
	}
	return true
}
