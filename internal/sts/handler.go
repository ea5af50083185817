package sts

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
)

// Access maps access keys to their owners and issues keys of roles. [ram.Directory]
// implements it.
type Access interface {
	// Key returns the secret of an access key and its owner. Errors:
	// ram.ErrNoSuchAccessKey, ErrKeyDisabled, ErrTokenInvalid, ErrTokenExpired,
	// ErrTokenRequired.
	Key(id, token string) (secret string, who ram.Identity, err error)

	// Assume returns a temporary access key for who. Errors: ram.ErrInvalidName,
	// ErrDuration, ErrNoSuchRole, ErrNotTrusted, *ram.PolicyError,
	// *ram.DeniedError.
	Assume(who ram.Identity, ask ram.AssumeRole) (ram.Credentials, error)
}

// Options tune the handler. The zero value is what production uses.
type Options struct {
	Now func() time.Time // nil means time.Now
	Log *slog.Logger     // nil means slog.Default()

	Audit *slog.Logger // of roles that were assumed; nil means Log

	// Authenticated is called with the principal of each request whose signature is valid;
	// nil means no call.
	Authenticated func(ctx context.Context, principal string)
}

// New returns the handler of AssumeRole. It answers every request, even one
// that [Is] does not recognise.
func New(access Access, opts Options) http.Handler {
	opts.Log = cmp.Or(opts.Log, slog.Default())
	opts.Audit = cmp.Or(opts.Audit, opts.Log)
	if opts.Authenticated == nil {
		opts.Authenticated = func(context.Context, string) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &server{access: access, Options: opts, nonces: nonces{perAccount: noncesPerAccount, total: noncesTotal}}
}

type server struct {
	Options
	access Access
	nonces nonces
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	p, err := parameters(w, r)
	format := strings.ToUpper(p.Get("Format"))
	if err == nil && format != "" && format != "JSON" && format != "XML" {
		err = errFormat
	}
	var response *assumeRoleResponse
	if err == nil {
		response, err = s.call(r, p)
	}
	if err != nil {
		e := replyTo(err)
		if e == errInternal {
			s.Log.Error("AssumeRole failed", "request", id, "err", err)
		} else {
			s.Log.Debug("AssumeRole refused", "request", id, "code", e.code, "err", brief(err))
		}
		writeReply(w, e.status, id, format == "JSON", newErrorResponse(e, id, r.Host))
		return
	}
	response.RequestID = id
	writeReply(w, http.StatusOK, id, format == "JSON", response)
}

// brief leaves out the request text that a signature error quotes, since it may
// contain a token.
func brief(err error) any {
	if e, ok := errors.AsType[*signature.Error](err); ok {
		return e.Message
	}
	return err
}

// call makes a call.
func (s *server) call(r *http.Request, p url.Values) (*assumeRoleResponse, error) {
	switch {
	case p.Get("Action") == "":
		return nil, errMissing("Action")
	case p.Get("Version") == "":
		return nil, errMissing("Version")
	case p.Get("Version") != version:
		return nil, errVersion
	case p.Get("Action") != action:
		return nil, errPath
	}
	who, err := s.caller(r.Method, p)
	if err != nil {
		return nil, err
	}
	s.Authenticated(r.Context(), who.ID)
	ask, err := parseAssumeRole(p)
	if err != nil {
		return nil, err
	}
	ask.SourceIP, ask.Secure, ask.UserAgent = sourceIP(r), r.TLS != nil, r.UserAgent()
	c, err := s.access.Assume(who, ask)
	if err != nil {
		return nil, err
	}
	s.Audit.InfoContext(r.Context(), "role assumed", "role", ask.RoleARN, "session", ask.SessionName, "principal", who.String(), "key_id", c.AccessKeyID, "expires", c.Expires)
	response := new(assumeRoleResponse)
	response.AssumedRoleUser.ARN, response.AssumedRoleUser.ID = c.Identity.ARN, c.Identity.ID
	response.Credentials.AccessKeyID, response.Credentials.AccessKeySecret = c.AccessKeyID, c.Secret
	response.Credentials.SecurityToken = c.Token
	response.Credentials.Expiration = c.Expires.UTC().Format(time.RFC3339)
	return response, nil
}

// sourceIP returns the address that a request came from; invalid if it is unknown.
func sourceIP(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	return from.Addr().Unmap()
}

// caller authenticates the sender of a call and checks that it was not sent before.
func (s *server) caller(method string, p url.Values) (ram.Identity, error) {
	now := s.Now()
	signed, err := signature.ParseRPC(method, p)
	if err != nil {
		return ram.Identity{}, err
	}
	secret, who, err := s.access.Key(signed.AccessKeyID, signed.SecurityToken)
	if err != nil {
		return ram.Identity{}, err
	}
	if err := signed.Verify(secret, now); err != nil {
		return ram.Identity{}, err
	}
	switch s.nonces.use(who.Account, signed.AccessKeyID, p.Get("SignatureNonce"), signed.Time.Add(signature.MaxSkew), now) {
	case replayed:
		return ram.Identity{}, errNonceUsed
	case tooMany:
		return ram.Identity{}, errThrottled
	}
	return who, nil
}

// requestID returns a random UUID in upper case, as STS has them.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
