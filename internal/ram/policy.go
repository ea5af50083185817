package ram

import (
	"fmt"
	"strings"
)

// A PolicyKind is the purpose of a policy document, which decides its elements.
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

// A PolicyError reports what to correct in a policy document.
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

// A Policy is a parsed policy document. It is immutable and safe for concurrent
// use.
type Policy struct {
	kind       PolicyKind
	statements []statement
}

type statement struct {
	deny        bool
	actions     patterns
	resources   []resource // empty for a TrustPolicy
	notResource bool       // NotResource
	principals  []principal
	anyone      bool // Principal "*"
	public      bool // no condition narrows it; see public.go
	conditions  []condition
}

// patterns are those of Action or, if not is true, of NotAction, in lower case.
type patterns struct {
	not  bool
	list []string
}

func (p patterns) match(q *evaluation) bool {
	for _, pattern := range p.list {
		if q.budget.match(pattern, q.action) {
			return !p.not
		}
	}
	return p.not
}

// A resource is a pattern "acs:oss:region:account:bucket/key" in its parts.
// The pattern "*" is all parts "*".
type resource struct{ service, region, account, name string }

// A principal is a caller in a statement. Exactly one field is set.
type principal struct {
	id      string // UID of an account or a user
	session string // pattern of "arn:sts::<account>:assumed-role/<role>/<session>"
	account string // every identity of an account: "acs:ram::<account>:root"
	arn     string // "acs:ram::<account>:user/<name>" or ":role/<name>"
	service string // such as "oss.aliyuncs.com"
}

// An effect is the result of policies for a request.
type effect uint8

const (
	none  effect = iota // neither Allow nor Deny
	allow               // an Allow and no Deny
	deny                // a Deny
)

// merge returns the combined effect of a and b: Deny wins, then Allow.
func (a effect) merge(b effect) effect { return max(a, b) }

// An evaluation is a request in the form that policies are evaluated with.
type evaluation struct {
	Request
	who     *Identity
	service string // "oss", "ram" or "sts": of the resource
	account string // the account that the resource belongs to
	name    string // of the resource: "bucket", "bucket/key", "role/name"; "*" of the service itself
	owner   bool   // who is the account that owns the bucket
	region  string // of the server; empty: any

	// ignorePublic leaves out what a bucket policy grants to everyone.
	ignorePublic bool

	action string // Action in lower case
	budget budget

	// settled are the statements of each policy that apply if their resource matches.
	// It is set if the same action is evaluated for many keys, else nil.
	applicable map[*Policy][]*statement
}

// evaluate returns the effect of p on q. It is deny once the budget of q is
// spent.
func (p *Policy) evaluate(q *evaluation) effect {
	if q.applicable != nil {
		return p.evaluateApplicable(q)
	}
	e := none
	for i := range p.statements {
		// Cheap checks that are likely to fail come first.
		s := &p.statements[i]
		applies := s.matchesActionAndCaller(p.kind, q) && s.appliesToResource(p.kind, q) && s.meetsConditions(q)
		switch {
		case q.budget.spent():
			return deny
		case applies && s.deny:
			return deny
		case applies:
			e = allow
		}
	}
	return e
}

// evaluateApplicable is evaluate for many keys: it evaluates
// conditions that do not depend on the key only for the first key.
func (p *Policy) evaluateApplicable(q *evaluation) effect {
	list, known := q.applicable[p]
	if !known {
		for i := range p.statements {
			if s := &p.statements[i]; s.matchesActionAndCaller(p.kind, q) && s.meetsConditions(q) {
				list = append(list, s)
			}
			if q.budget.spent() {
				return deny
			}
		}
		q.applicable[p] = list
	}
	e := none
	for _, s := range list {
		covers := s.appliesToResource(p.kind, q)
		switch {
		case q.budget.spent():
			return deny
		case covers && s.deny:
			return deny
		case covers:
			e = allow
		}
	}
	return e
}

// matchesActionAndCaller reports whether s applies to the action and the caller.
func (s *statement) matchesActionAndCaller(kind PolicyKind, q *evaluation) bool {
	return s.actions.match(q) && (kind == IdentityPolicy || s.matchesCaller(q)) &&
		!(s.public && !s.deny && q.ignorePublic)
}

// appliesToResource reports whether s applies to the resource.
func (s *statement) appliesToResource(kind PolicyKind, q *evaluation) bool {
	return kind == TrustPolicy || s.matchesResource(q) != s.notResource
}

// meetsConditions reports whether the request meets all conditions of s. A value that is
// too long to be compared meets those of a Deny only.
func (s *statement) meetsConditions(q *evaluation) bool {
	for i := range s.conditions {
		c := &s.conditions[i]
		if q.tooLong(c.key) {
			if !s.deny {
				return false
			}
		} else if !c.isMet(q) {
			return false
		}
	}
	return true
}

func (s *statement) matchesResource(q *evaluation) bool {
	for i := range s.resources {
		if s.resources[i].match(q) {
			return true
		}
	}
	return false
}

func (r *resource) match(q *evaluation) bool {
	b := &q.budget
	return b.match(r.service, q.service) &&
		(r.region == "*" || r.region == "" || q.region == "" ||
			b.match(r.region, q.region) || b.match(r.region, "oss-"+q.region)) &&
		(r.account == "*" || r.account == "" || b.match(r.account, q.account)) &&
		b.match(r.name, q.name)
}

// matchesCaller reports whether s applies to q.who. A statement for everyone without a
// condition does not apply to the account that owns the bucket, so that it cannot
// lock itself out.
//
// Source: OSS user guide, "Bucket policy", special rules for the bucket owner.
func (s *statement) matchesCaller(q *evaluation) bool {
	if s.anyone && (!q.owner || len(s.conditions) > 0) {
		return true
	}
	for i := range s.principals {
		if s.principals[i].matches(q.who, &q.budget) {
			return true
		}
	}
	return false
}

func (p *principal) matches(who *Identity, b *budget) bool {
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
		return b.match(p.session, "arn:sts::"+who.Account+":assumed-role/"+who.Role+"/"+who.Name)
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
	for i := range p.statements {
		if s := &p.statements[i]; s.public && !s.deny {
			return true
		}
	}
	return false
}
