package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/console/session"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/report"
)

// A visit is one request of a user.
type visit struct {
	*Console
	ctx     context.Context
	w       http.ResponseWriter
	r       *http.Request
	route   *route
	session *session.Session // nil on pages that need none
	who     ram.Identity

	oss    *oss.Client
	client *client.Client
	admin  *client.Admin
}

// handler returns the handler of a route.
func (c *Console) handler(rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{Console: c, ctx: r.Context(), w: w, r: r, route: rt}
		if !rt.Public {
			if done := v.authenticate(); done {
				return
			}
		}
		answer, err := rt.handle(v)
		if err != nil {
			answer = v.failure(err)
		}
		if answer != nil {
			v.render(answer)
		}
	})
}

// authenticate finds the session of the visit. It reports whether it has sent an answer.
func (v *visit) authenticate() (done bool) {
	if !private(v.r) {
		v.render(&page{Template: "error", Status: http.StatusForbidden, Title: "Not over plain HTTP", Data: failure{
			What: "The console is open over plain HTTP to this machine only.",
			Help: "Give the server a certificate (--tls-cert, --tls-key), or reach it through an SSH tunnel.",
		}})
		return true
	}
	if cookie, err := v.r.Cookie(session.CookieName(v.r)); err == nil {
		v.session = v.sessions.Find(cookie.Value)
	}
	if v.session == nil {
		v.signInFirst()
		return true
	}
	secret, who, err := v.Keys.Key(v.session.Key, v.session.Token)
	if err != nil {
		v.endSession()
		v.signInFirst()
		return true
	}
	v.who = who
	v.Authenticated(v.r.Context(), who.ID)
	if v.r.Method == http.MethodPost {
		if err := v.r.ParseForm(); err != nil {
			v.render(v.failure(badRequest("the form cannot be read: %v", err)))
			return true
		}
		if !v.session.HasCSRF(v.r.PostForm.Get("csrf")) {
			v.render(v.failure(&statusError{http.StatusForbidden, "this form is out of date", "Go back, load the page again, and send the form once more."}))
			return true
		}
	}
	v.oss = v.sdk(v.r, v.session, secret)
	v.client = client.New(v.oss)
	v.admin = &client.Admin{
		Endpoint: localEndpoint, Region: v.Region, HTTPClient: v.http(v.r, v.session, secret),
		AccessKeyID: v.session.Key, AccessKeySecret: secret, SecurityToken: v.session.Token,
	}
	return false
}

// signInFirst redirects a user without a session to the sign-in page, which leads
// back.
func (v *visit) signInFirst() {
	switch {
	case v.wantsJSON(), v.r.Header.Get("HX-Request") != "", v.route.Streams:
		http.Error(v.w, "sign in first", http.StatusUnauthorized)
	case v.r.Method == http.MethodGet:
		http.Redirect(v.w, v.r, "/sign-in?next="+url.QueryEscape(v.r.URL.RequestURI()), http.StatusSeeOther)
	default:
		http.Redirect(v.w, v.r, "/sign-in", http.StatusSeeOther)
	}
}

// endSession ends the session.
func (v *visit) endSession() {
	if cookie, err := v.r.Cookie(session.CookieName(v.r)); err == nil {
		v.sessions.End(cookie.Value)
	}
	session.SetCookie(v.w, v.r, "", 0)
	v.session = nil
}

// redirect sends the user to another page of the console.
func (v *visit) redirect(to string) (*page, error) {
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil, nil
}

func (v *visit) bucket() string { return v.r.PathValue("bucket") }
func (v *visit) id() string     { return v.r.PathValue("id") }

// caller returns the description of the user's connection.
func (v *visit) caller(prefix string) Caller {
	return Caller{remote(v.r), v.r.TLS != nil, v.r.UserAgent(), prefix}
}

// storeOf returns the named store of a bucket; empty: the embedded one.
func (v *visit) storeOf(bucket string) string {
	if v.Stores == nil {
		return ""
	}
	return v.Stores.StoreOf(bucket)
}

// reports returns the bucket with the reports of cfg, for reading with the rights
// of the user.
func (v *visit) reports(cfg *stocktake.InventoryConfiguration) (report.Bucket, error) {
	name := cfg.Destination.Bucket
	if v.storeOf(name) == "" {
		return client.NewBucket(v.oss, name), nil
	}
	there, err := v.Stores.Reports(v.ctx, cfg)
	if err != nil {
		return nil, err
	}
	return checkedBucket{there, func(ctx context.Context, action, key, prefix string) error {
		return v.Stores.Allow(ctx, v.who, action, name, key, v.caller(prefix))
	}}, nil
}

// A statusError is an error of the console itself.
type statusError struct {
	status     int
	what, help string
}

func (e *statusError) Error() string { return e.what }

func badRequest(format string, args ...any) error {
	return &statusError{http.StatusBadRequest, fmt.Sprintf(format, args...), ""}
}

// A failure is the content of an error page.
type failure struct {
	What string `json:"error"`
	Help string `json:"help,omitempty"` // what to do
	Code string `json:"code,omitempty"` // of OSS
	ID   string `json:"requestId,omitempty"`
}

func (v *visit) notFound() (*page, error) {
	return nil, &statusError{http.StatusNotFound, "there is no such page", "Look at the address, or begin at the list of buckets."}
}

// failure returns the page for an error.
func (v *visit) failure(err error) *page {
	f := failure{What: err.Error()}
	status, title := http.StatusInternalServerError, "Something failed"
	serr, isService := serviceError(err)
	admin, isAdmin := errors.AsType[*client.AdminError](err)
	own, isOwn := errors.AsType[*statusError](err)
	switch {
	case isOwn:
		status, f.Help = own.status, own.help
	case isService:
		status, f.Code, f.ID = serr.StatusCode, serr.Code, serr.RequestID
		f.What = serr.Message
		if serr.Code == "" {
			f.What = err.Error()
		}
	case isAdmin:
		status, f.What = admin.StatusCode, admin.Message
	case errors.Is(err, stocktake.ErrAccessDenied):
		status = http.StatusForbidden
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, report.ErrNoReport), errors.Is(err, stocktake.ErrNoSuchRun),
		errors.Is(err, stocktake.ErrNoSuchInventory), errors.Is(err, stocktake.ErrNoSuchBucket):
		status = http.StatusNotFound
	case isInvalidName(err):
		status, f.What = http.StatusNotFound, "there is no such bucket: its name has 3 to 63 of a-z, 0-9 and '-'"
	case errors.Is(err, object.ErrUnreachable):
		status = http.StatusBadGateway
	case v.ctx.Err() != nil:
		return nil // the user has left
	default:
		v.Log.Error("a page of the console failed", "page", v.route.Name, "err", err)
	}
	switch status {
	case http.StatusForbidden:
		title = "Not allowed"
		if f.Help == "" && v.session != nil {
			f.Help = "Sign in with a key that may do this, or ask the account to allow it: " + v.route.needs()
		}
	case http.StatusNotFound:
		title = "Not found"
		if f.Help == "" {
			f.Help = "It may have been deleted since the link was made."
		}
	case http.StatusBadRequest, http.StatusConflict:
		title = "That does not work"
	}
	return &page{Template: "error", Status: status, Title: title, Data: f}
}

// isInvalidName reports whether the SDK has rejected the name of a bucket.
func isInvalidName(err error) bool {
	bad, ok := errors.AsType[oss.InvalidParamError](err)
	return ok && strings.HasSuffix(bad.Field(), ".Bucket")
}
