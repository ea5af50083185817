// Package admin serves the paths below /-/ that only the account itself may use: notices,
// buckets of other stores, machines and their tasks, scrubs, backups, and the clock of a
// server for tests.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
)

// Account guards paths below /-/ that only the account itself may use. Requests are signed like
// those of the OSS API, by signature V4, as if for the bucket "-". GET reads, POST changes.
type Account struct {
	Access        *ram.Directory
	ID            string
	Now           func() time.Time // of the server
	Audit         *slog.Logger
	Authenticated func(ctx context.Context, principal string) // told who signed
}

// audited writes the audit line of a change that the account made with the request r.
func (a *Account) audited(r *http.Request, change string, attrs ...any) {
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr // of a listener that has no ports
	}
	line := []any{"principal", a.ID, "address", address, "operation", r.Method + " " + r.URL.Path}
	a.Audit.InfoContext(r.Context(), change, append(line, attrs...)...)
}

// refuses answers a request that the account did not sign, and reports whether it
// did.
func (a *Account) refuses(w http.ResponseWriter, r *http.Request, target signature.Target) bool {
	status, text := a.judge(r, target)
	if status == 0 {
		a.Authenticated(r.Context(), a.ID)
		return false
	}
	http.Error(w, text, status)
	return true
}

// judge returns the status and text of a refusal; status 0 lets the request pass.
func (a *Account) judge(r *http.Request, target signature.Target) (status int, text string) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "GET reads, POST changes"
	}
	auth, err := signature.Parse(r)
	if err != nil || auth == nil {
		return http.StatusForbidden, "sign the request with the root access key"
	}
	if auth.Scheme != signature.V4 {
		return http.StatusForbidden, "sign the request with signature V4" // V1 does not sign the parameters
	}
	secret, who, err := a.Access.Key(auth.AccessKeyID, auth.SecurityToken)
	if errors.Is(err, object.ErrUnavailable) {
		return http.StatusServiceUnavailable, "the database of the accounts does not answer"
	}
	if err != nil {
		return http.StatusForbidden, "the access key is not known"
	}
	// Clients sign with their own time, which may differ from the server's.
	if _, err := auth.Verify(r, []signature.Target{target}, secret, time.Now()); err != nil {
		if _, err := auth.Verify(r, []signature.Target{target}, secret, a.Now()); err != nil {
			return http.StatusForbidden, "the signature does not match, or is too old"
		}
	}
	if who.Kind != ram.KindAccount || who.Account != a.ID {
		return http.StatusForbidden, "only the account itself may do this"
	}
	return 0, ""
}
