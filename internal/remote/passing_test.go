package remote_test

import (
	"context"
	"crypto/md5"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/remote"
)

// The errors of a store say whether their reason may pass, in every call.
func TestMayPass(t *testing.T) {
	fails := func(status int, code string) wire {
		return func(*http.Request) (*http.Response, error) {
			return answer(status, "<Error><Code>"+code+"</Code></Error>"), nil
		}
	}
	for name, tt := range map[string]struct {
		store wire
		want  bool
	}{
		"unreachable":        {func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }, true},
		"throttled":          {fails(503, "SlowDown"), true},
		"too many":           {fails(429, "TooManyRequests"), true},
		"broken":             {fails(500, "InternalError"), true},
		"a gateway":          {fails(502, ""), true},
		"no such bucket":     {fails(404, "NoSuchBucket"), false},
		"denied":             {fails(403, "AccessDenied"), false},
		"not known":          {fails(501, "NotImplemented"), false},
		"cut off, listing":   {func(req *http.Request) (*http.Response, error) { return edited(listingOf(manyKeys()), req, cutOff) }, true},
		"out of order, list": {func(req *http.Request) (*http.Response, error) { return edited(listingOf(manyKeys()), req, disordered) }, true},
	} {
		for kind := range kinds {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, kind, remote.Options{WrapTransport: retried, Transport: wire(func(req *http.Request) (*http.Response, error) {
					resp, err := tt.store(req)
					if resp != nil {
						resp.Request = req // as net/http does
					}
					return resp, err
				})})
				passes := func(err error) bool {
					p, ok := errors.AsType[interface {
						error
						MayPass() bool
					}](err)
					return ok && p.MayPass()
				}
				_, err := scanKeys(t, s)
				if err == nil || passes(err) != tt.want {
					t.Errorf("%s, %s: listing: may pass %v: %v", kind, name, passes(err), err)
				}
				if strings.Contains(name, "list") {
					return
				}
				f, err := s.Destination("bucket").Create(t.Context(), "k", engine.FileOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if err := f.Commit(t.Context(), md5.Sum(nil)); err == nil || passes(err) != tt.want {
					t.Errorf("%s, %s: writing: may pass %v: %v", kind, name, passes(err), err)
				}
			})
		}
	}
	s := open(t, "s3", remote.Options{Transport: fails(200, ""), Credentials: func(ctx context.Context) (remote.Credentials, error) {
		return remote.Credentials{}, stocktake.ErrAccessDenied
	}})
	_, err := scanKeys(t, s)
	if _, ok := errors.AsType[*remote.UnansweredError](err); ok || err == nil {
		t.Errorf("without credentials: %v", err)
	}
}

func cutOff(body string) string {
	if !strings.Contains(body, "<ListBucketResult>") {
		return body
	}
	return body[:len(body)/2]
}

func disordered(body string) string { return strings.Replace(body, "<Key>k", "<Key>z", 1) }
