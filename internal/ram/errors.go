package ram

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/stocktake/stocktake"
)

// Conditions of the access key of a request.
var (
	ErrNoSuchAccessKey = errors.New("no such access key")                     // OSS: InvalidAccessKeyId
	ErrKeyDisabled     = errors.New("the access key is disabled")             // OSS: InvalidAccessKeyId, "... is disabled."
	ErrTokenInvalid    = errors.New("the security token is invalid")          // OSS: InvalidSecurityToken
	ErrTokenExpired    = errors.New("the security token has expired")         // OSS: SecurityTokenExpired
	ErrTokenRequired   = errors.New("a temporary access key needs its token") // OSS: InvalidAccessKeyId
)

// Conditions of changes that an operator makes.
var (
	ErrNoSuchAccount = errors.New("no such account")
	ErrNoSuchUser    = errors.New("no such user")
	ErrNoSuchRole    = errors.New("no such role")
	ErrNoSuchPolicy  = errors.New("no such policy")
	ErrExists        = errors.New("it already exists")
	ErrInUse         = errors.New("it is in use")
	ErrDeclared      = errors.New("it is declared in a file; change it there")
	ErrInvalidName   = errors.New("the name is not valid")
	ErrNotTrusted    = errors.New("the role does not trust the caller")
	ErrLimit         = errors.New("the limit is reached")
	ErrDuration      = errors.New("the duration is out of range")
)

// A Reason is why a request was denied.
type Reason uint8

// The reasons. Explicit: a Deny. Implicit: no Allow.
const (
	Implicit Reason = iota
	Explicit
	Unsigned // an anonymous request that must be signed, or is not public
)

// String returns the name that OSS uses in NoPermissionType.
func (r Reason) String() string {
	return [...]string{"ImplicitDeny", "ExplicitDeny", "Anonymous"}[r]
}

// A DeniedError reports a request that was denied. It is stocktake.ErrAccessDenied
// to errors.Is.
type DeniedError struct {
	Reason   Reason
	By       string // "session policy", "RAM policy" or "bucket policy" for Explicit; "session policy" if that allows nothing
	Who      Identity
	Action   string // such as "oss:PutObject"
	Resource string // such as "acs:oss:*:1000000000000000:bucket/key"

	// TooCostly is set if the policies were not evaluated completely, because they
	// have too many or too long patterns.
	TooCostly bool

	Message string // the text OSS sends
	EC      string // OSS diagnostic code
}

// Error returns a text for logs and for the reason of a failed run. It names the
// missing right.
func (e *DeniedError) Error() string {
	why := "no policy and no ACL allows it"
	switch {
	case e.TooCostly:
		why = "its patterns take too long to compare, in the " + cmp.Or(e.By, "policies")
	case e.Reason == Explicit:
		why = "a Deny of the " + e.By
	case e.By != "":
		why = "the " + e.By + " does not allow it"
	}
	return fmt.Sprintf("%s may not %s on %s: %s", e.Who, e.Action, e.Resource, why)
}

// Unwrap returns [stocktake.ErrAccessDenied].
func (e *DeniedError) Unwrap() error { return stocktake.ErrAccessDenied }
