package ram

import (
	"strings"

	"github.com/stocktake/stocktake"
)

// A PrincipalKind is what an Identity is. The zero value is an anonymous caller.
type PrincipalKind uint8

// The kinds of principals.
const (
	KindAnonymous PrincipalKind = iota // an anonymous request
	KindAccount                        // an account by a key of its own
	KindUser                           // a user of an account
	KindSession                        // a role, assumed by a caller or by a run
	KindService                        // a service that assumes a role, such as oss.aliyuncs.com
)

// String returns the name that OSS uses in AuthPrincipalType.
func (k PrincipalKind) String() string {
	return [...]string{"Anonymous", "Account", "SubUser", "AssumedRoleUser", "Service"}[min(k, KindService)]
}

// String returns the ARN, for logs.
func (i Identity) String() string {
	if i.Anonymous() {
		return "anonymous"
	}
	return i.ARN
}

func userARN(account, name string) string { return "acs:ram::" + account + ":user/" + name }
func roleARN(account, name string) string { return "acs:ram::" + account + ":role/" + name }

func userIdentity(account string, u *User) Identity {
	return Identity{Kind: KindUser, Account: account, ID: u.ID, Name: u.Name, ARN: userARN(account, u.Name)}
}

func sessionIdentity(account, role, roleID, session string, policy *Policy) Identity {
	return Identity{
		Kind: KindSession, Account: account, ID: roleID + ":" + session, Name: session, Role: role,
		ARN: roleARN(account, role) + "/" + session, roleID: roleID, policy: policy,
	}
}

// validUserName checks a user name by the rule of RAM: 1 to 64 letters, digits and
// . @ - _.
func validUserName(s string) bool { return validName(s, 1, 64, ".@-_") }

// validSessionName checks a RoleSessionName by the rule of STS: 2 to 64 of the
// same.
func validSessionName(s string) bool { return validName(s, 2, 64, ".@-_") }

// validPolicyName checks a policy name by the rule of RAM: 1 to 128 letters, digits
// and -.
func validPolicyName(s string) bool { return validName(s, 1, 128, "-") }

func validRoleName(s string) bool {
	_, _, ok := stocktake.ParseRoleARN(roleARN("1", s))
	return ok
}

func validName(s string, least, most int, also string) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		c := lower(s[i])
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.Contains(also, string(rune(c))) {
			return false
		}
	}
	return true
}
