package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// A DetailRequest is a request about one object for values that listings lack. The zero
// value makes no request.
type DetailRequest uint8

// The requests for details.
const (
	RequestHead DetailRequest = iota + 1 // HEAD
	RequestACL                           // GetObjectAcl
	RequestTags                          // GetObjectTagging
	numDetailRequests
)

var detailRequests = [numDetailRequests]struct{ method, query string }{
	RequestHead: {http.MethodHead, ""},
	RequestACL:  {http.MethodGet, "acl"},
	RequestTags: {http.MethodGet, "tagging"},
}

// maxDocumentSize bounds the ACL or the tags of an object, in bytes.
const maxDocumentSize = 1 << 20

// Availability returns where the values of a column come from in reports on buckets
// of the store.
func (s *Store) Availability(f stocktake.Field) engine.Availability {
	if q := s.dialect.RequestFor(f); q != 0 {
		if s.unsupported[q].Load() {
			return engine.Unavailable
		}
		return engine.Fetched
	}
	if s.dialect.Lists(f) {
		return engine.Listed
	}
	return engine.Unavailable
}

// RequestsPerObject returns how many requests per object the columns need.
func (s *Store) RequestsPerObject(columns []stocktake.Field) int {
	return len(s.detailRequestsFor(columns))
}

// detailRequestsFor returns the requests that the columns need, each with the columns
// that it answers.
func (s *Store) detailRequestsFor(columns []stocktake.Field) map[DetailRequest]stocktake.Missing {
	asked := map[DetailRequest]stocktake.Missing{}
	for _, f := range columns {
		if q := s.dialect.RequestFor(f); q != 0 && !s.unsupported[q].Load() {
			asked[q] |= stocktake.MissingOf(f)
		}
	}
	return asked
}

// detailState is the state of one of the requests about a bucket.
type detailState struct {
	answered atomic.Bool            // the store has answered it
	denied   atomic.Pointer[string] // the missing right, if the store has refused it; nil: it has not
}

// Availability implements [engine.DetailedSnapshot].
func (sn *snapshot) Availability(f stocktake.Field) engine.Availability { return sn.s.Availability(f) }

// Fetch implements [engine.DetailedSnapshot]. All scans together make as many
// requests about objects concurrently as requests for pages of listings.
func (sn *snapshot) Fetch(ctx context.Context, batch []stocktake.Record, columns []stocktake.Field, wanted func(i int) bool) error {
	asked := sn.s.detailRequestsFor(columns)
	var lacking stocktake.Missing
	for _, m := range asked {
		lacking |= m
	}
	if lacking == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range batch {
		r := &batch[i]
		if r.IsDeleteMarker || r.Missing&lacking == 0 || !wanted(i) {
			continue
		}
		select {
		case sn.s.detailSlots <- struct{}{}:
		case <-ctx.Done():
			if err := group.Wait(); err != nil {
				return err // which has ended ctx
			}
			return ctx.Err()
		}
		group.Go(func() error {
			defer func() { <-sn.s.detailSlots }()
			for q, m := range asked {
				if r.Missing&m != 0 {
					if err := sn.fetchDetail(ctx, q, r); err != nil {
						return withBucket(sn.bucket+"/"+string(r.Key), err)
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for q := range asked {
		if right := sn.details[q].denied.Load(); right != nil && !sn.details[q].answered.Load() {
			return fmt.Errorf("%s: %s: %w", sn.bucket, q, &Error{Status: http.StatusForbidden, Code: "AccessDenied", Right: *right, Err: errDenied})
		}
	}
	return nil
}

// String returns the name of the request in policies.
func (q DetailRequest) String() string {
	return [...]string{"", "HeadObject", "GetObjectAcl", "GetObjectTagging"}[q]
}

var errDenied = errors.New("the store has refused this request for every object so far")

// fetchDetail makes a request about an object, and sets the values in the answer. If the
// store will never answer the request, ask does nothing.
func (sn *snapshot) fetchDetail(ctx context.Context, q DetailRequest, r *stocktake.Record) error {
	if sn.s.unsupported[q].Load() {
		return nil
	}
	resp, err := sn.request(ctx, q, detailRequests[q].method, r)
	if err == nil && q == RequestHead && resp.StatusCode != http.StatusNotFound && final(resp.StatusCode) {
		// A HEAD has no body with the reason; the answer to another method does.
		if err := resp.Body.Close(); err != nil {
			return err
		}
		resp, err = sn.request(ctx, q, http.MethodGet, r)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", q, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		return sn.refusal(q, errorOf(resp), r)
	}
	if err := sn.read(q, resp, r); err != nil {
		return fmt.Errorf("%s: %w", q, err)
	}
	sn.details[q].answered.Store(true)
	return nil
}

func (sn *snapshot) request(ctx context.Context, q DetailRequest, method string, r *stocktake.Record) (*http.Response, error) {
	u := sn.s.conn.object(sn.bucket, string(r.Key))
	u.RawQuery = detailRequests[q].query
	if len(r.VersionID) > 0 {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += "versionId=" + url.QueryEscape(string(r.VersionID))
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if q == RequestHead && method == http.MethodGet {
		req.Header.Set("Range", "bytes=0-0")
	}
	return sn.s.conn.Client.Do(req)
}

// refusal returns nil if the refusal of a request concerns only this object, or if
// the store does not support such requests.
func (sn *snapshot) refusal(q DetailRequest, err error, r *stocktake.Record) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", q, err)
	}
	state := &sn.details[q]
	switch e.Code {
	case "NoSuchTagSet", "NoSuchTagSetError": // Ceph, of an object without tags
		r.TaggingCount = 0
		r.Missing &^= stocktake.MissingTags
		state.answered.Store(true)
		return nil
	case "NotImplemented", "XNotImplemented", "AccessControlListNotSupported":
		if !sn.s.unsupported[q].Swap(true) {
			sn.s.log.Warn("the store does not support a request: its columns stay empty", "bucket", sn.bucket, "operation", q, "err", err)
		}
		return nil
	}
	switch {
	case e.Code == "NoSuchBucket", e.credentials(), !final(e.Status):
		return fmt.Errorf("%s: %w", q, err)
	case e.Status == http.StatusForbidden:
		right := sn.s.dialect.DetailRight(q, len(r.VersionID) > 0)
		state.denied.Store(&right)
	}
	sn.s.log.Debug("the store does not provide a value for an object", "bucket", sn.bucket, "key", string(r.Key), "operation", q, "err", err)
	return nil
}

// credentials reports whether the service has refused the credentials as such.
func (e *Error) credentials() bool {
	switch e.Code {
	case "AccessDenied", "Forbidden", "AllAccessDisabled":
		return false
	case "RequestTimeTooSkewed":
		return true
	}
	return errors.Is(e, stocktake.ErrAccessDenied)
}

// final reports whether the service would refuse the same request again.
func final(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// read sets the values in an answer.
func (sn *snapshot) read(q DetailRequest, resp *http.Response, r *stocktake.Record) error {
	if q == RequestHead {
		sn.s.dialect.ReadHead(resp.Header, r)
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxDocumentSize))
	if err != nil {
		return err
	}
	doc, err := ossxml.ParseDocument(raw, maxDocumentSize)
	if err != nil {
		return err
	}
	switch {
	case q == RequestACL && doc.Name == "AccessControlPolicy":
		if r.ACL, err = sn.s.dialect.ReadACL(doc); err != nil {
			return err
		}
		r.Missing &^= stocktake.MissingACL
	case q == RequestTags && doc.Name == "Tagging":
		r.TaggingCount = 0
		if set := doc.Child("TagSet"); set != nil {
			r.TaggingCount = uint16(min(len(set.Children), 1<<16-1))
		}
		r.Missing &^= stocktake.MissingTags
	default:
		return fmt.Errorf("the answer is an unexpected document %.100q", doc.Name)
	}
	return nil
}
