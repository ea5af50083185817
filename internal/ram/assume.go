package ram

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/stocktake/stocktake"
)

// AssumeRole is a request to STS.
//
// Source: STS API reference, AssumeRole.
type AssumeRole struct {
	RoleARN     string        // "acs:ram::<account>:role/<name>"
	SessionName string        // 2 to 64 letters, digits and . @ - _
	Duration    time.Duration // 15 minutes to what the role allows; 0 means an hour
	Policy      []byte        // restricts what the role may do, at most MaxSessionPolicy bytes; nil: no restriction

	// Of the request, for the conditions of policies.
	SourceIP  netip.Addr // invalid: the condition key is absent
	Secure    bool       // came over TLS
	UserAgent string
}

// Credentials are a temporary access key and its identity.
type Credentials struct {
	AccessKeyID, Secret, Token string
	Expires                    time.Time // in whole seconds
	Identity                   Identity  // its ARN and ID are those of AssumedRoleUser
}

// temporaryPrefix is the prefix of the ids of temporary access keys.
const temporaryPrefix = "STS."

// Assume returns a temporary access key of a role for who. The trust policy of the
// role must allow it and, for users and sessions, a policy of their own. Errors:
// ErrInvalidName, ErrDuration, ErrNoSuchRole, ErrNotTrusted, *PolicyError,
// *DeniedError.
//
// Unlike STS, we let an account assume a role with its own key. The key is valid
// until it expires or its role is deleted; it is not stored.
func (d *Directory) Assume(who Identity, req AssumeRole) (Credentials, error) {
	s := d.current()
	account, name, ok := stocktake.ParseRoleARN(req.RoleARN)
	if !ok {
		return Credentials{}, fmt.Errorf("RoleArn %q: %w", bounded(req.RoleARN), ErrInvalidName)
	}
	if !validSessionName(req.SessionName) {
		return Credentials{}, fmt.Errorf("RoleSessionName %q: %w", bounded(req.SessionName), ErrInvalidName)
	}
	var policy *Policy
	if len(req.Policy) > 0 {
		if len(req.Policy) > MaxSessionPolicy {
			return Credentials{}, &PolicyError{Reason: fmt.Sprintf("it has %d bytes, more than %d", len(req.Policy), MaxSessionPolicy)}
		}
		var err error
		if policy, err = d.sessionPolicies.Get(req.Policy); err != nil {
			return Credentials{}, err
		}
	}
	q := d.assuming(&who, account, name)
	q.SourceIP, q.Secure, q.Conditions = req.SourceIP, req.Secure, map[string]string{"acs:UserAgent": req.UserAgent}
	if err := s.mayAssume(q, d.opts.Production); err != nil {
		return Credentials{}, err
	}
	r, err := d.role(s, account, name)
	if err != nil {
		return Credentials{}, err
	}
	if r.trust == nil { // undefined: only for callers that have the rights already
		if !s.ownsAsAccount(&who, d.opts.Production) || who.Account != account {
			return Credentials{}, fmt.Errorf("%s: %w", req.RoleARN, ErrNoSuchRole)
		}
	} else if r.trust.evaluate(q) != allow {
		return Credentials{}, fmt.Errorf("%s does not trust %s: %w", req.RoleARN, who, ErrNotTrusted)
	}

	longest := max(DefaultSession, time.Duration(r.MaxSession)*time.Second)
	length := req.Duration
	if length == 0 {
		length = DefaultSession
	}
	if length < MinSession || length > longest {
		return Credentials{}, fmt.Errorf("DurationSeconds is not between %d and %d: %w", MinSession/time.Second, longest/time.Second, ErrDuration)
	}
	expires := d.opts.Now().Add(length).Truncate(time.Second).UTC()
	id, secret, err := newSecretKey(d.opts.Rand, temporaryPrefix)
	if err != nil {
		return Credentials{}, err
	}
	token, err := s.seal(id, claims{
		Account: account, Role: name, RoleID: r.ID, Session: req.SessionName,
		Secret: secret, Expires: expires.Unix(), Policy: string(req.Policy),
	})
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{
		AccessKeyID: id, Secret: secret, Token: token, Expires: expires,
		Identity: sessionIdentity(account, name, r.ID, req.SessionName, policy),
	}, nil
}

// mayAssume evaluates the policies of the caller. The caller and the role may be of
// different accounts.
func (s *state) mayAssume(q *evaluation, production bool) error {
	if q.who.Anonymous() {
		return denied(q, Unsigned, "")
	}
	if q.who.policy != nil {
		if e := q.who.policy.evaluate(q); e != allow {
			return denied(q, reasonOf(e), "session policy")
		}
	}
	if s.ownsAsAccount(q.who, production) {
		return nil
	}
	e := none
	for _, p := range s.attached(q.who) {
		e = e.merge(p.evaluate(q))
	}
	if e != allow {
		return denied(q, reasonOf(e), "RAM policy")
	}
	return nil
}

func reasonOf(e effect) Reason {
	if e == deny {
		return Explicit
	}
	return Implicit
}

// claims are the content of a token. Only servers with the same token key can read
// or make one.
type claims struct {
	Account string `json:"a"`
	Role    string `json:"r"`
	RoleID  string `json:"i"`
	Session string `json:"n"`
	Secret  string `json:"s"`
	Expires int64  `json:"x"` // Unix seconds
	Policy  string `json:"p,omitempty"`
}

// Forms of a token; see docs/formats/directory.md.
const (
	tokenVersion = 1
	tokenContext = "stocktake security token 1\x00" // followed by the access key id: the sealed text is bound to both
	maxToken     = 8 << 10                          // bytes
)

// seal makes the token of a temporary access key:
//
//	base64url( version 1, 1 byte | nonce, 12 bytes | AES-256-GCM of the claims in JSON )
func (s *state) seal(accessKeyID string, c claims) (string, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sealed := s.tokens.Seal([]byte{tokenVersion}, nil, plain, []byte(tokenContext+accessKeyID))
	token := base64.RawURLEncoding.EncodeToString(sealed)
	if len(token) > maxToken {
		return "", fmt.Errorf("the security token has %d bytes: %w", len(token), ErrLimit)
	}
	return token, nil
}

func (s *state) open(accessKeyID, token string) (c claims, err error) {
	if len(token) > maxToken {
		return c, ErrTokenInvalid
	}
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(sealed) == 0 || sealed[0] != tokenVersion {
		return c, ErrTokenInvalid
	}
	plain, err := s.tokens.Open(nil, nil, sealed[1:], []byte(tokenContext+accessKeyID))
	if err != nil || json.Unmarshal(plain, &c) != nil {
		return c, ErrTokenInvalid
	}
	return c, nil
}

// temporaryKey implements Key for temporary keys.
func (d *Directory) temporaryKey(s *state, accessKeyID, token string) (string, Identity, error) {
	if token == "" {
		return "", Identity{}, ErrTokenRequired
	}
	c, err := s.open(accessKeyID, token)
	if err != nil {
		return "", Identity{}, err
	}
	if !d.opts.Now().Before(time.Unix(c.Expires, 0)) {
		return "", Identity{}, ErrTokenExpired
	}
	if r, err := d.role(s, c.Account, c.Role); err != nil || r.ID != c.RoleID {
		return "", Identity{}, fmt.Errorf("its role is gone: %w", ErrTokenInvalid)
	}
	var policy *Policy
	if c.Policy != "" {
		if policy, err = d.sessionPolicies.Get([]byte(c.Policy)); err != nil {
			return "", Identity{}, ErrTokenInvalid
		}
	}
	return c.Secret, sessionIdentity(c.Account, c.Role, c.RoleID, c.Session, policy), nil
}
