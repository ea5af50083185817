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

// A Question is a request about one object for values that listings lack. The zero
// value is no question.
type Question uint8

// The questions.
const (
	AskHead Question = iota + 1 // HEAD
	AskACL                      // GetObjectAcl
	AskTags                     // GetObjectTagging
	numQuestions
)

var questions = [numQuestions]struct{ method, query string }{
	AskHead: {http.MethodHead, ""},
	AskACL:  {http.MethodGet, "acl"},
	AskTags: {http.MethodGet, "tagging"},
}

// maxDocumentSize bounds the ACL or the tags of an object, in bytes.
const maxDocumentSize = 1 << 20

// Availability returns where the values of a column come from in reports on buckets
// of the store.
func (s *Store) Availability(f stocktake.Field) engine.Availability {
	if q := s.dialect.Tells(f); q != 0 {
		if s.unknown[q].Load() {
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
	return len(s.questionsOf(columns))
}

// questionsOf returns the questions that the columns need, each with the columns
// that it answers.
func (s *Store) questionsOf(columns []stocktake.Field) map[Question]stocktake.Missing {
	asked := map[Question]stocktake.Missing{}
	for _, f := range columns {
		if q := s.dialect.Tells(f); q != 0 && !s.unknown[q].Load() {
			asked[q] |= stocktake.MissingOf(f)
		}
	}
	return asked
}

// answers is the state of one of the questions about a bucket.
type answers struct {
	given  atomic.Bool            // the store has answered it
	denied atomic.Pointer[string] // the missing right, if the store has refused it; nil: it has not
}

// Availability implements [engine.DetailedSnapshot].
func (sn *snapshot) Availability(f stocktake.Field) engine.Availability { return sn.s.Availability(f) }

// Fetch implements [engine.DetailedSnapshot]. All scans together make as many
// requests about objects concurrently as requests for pages of listings.
func (sn *snapshot) Fetch(ctx context.Context, batch []stocktake.Record, columns []stocktake.Field, wanted func(i int) bool) error {
	asked := sn.s.questionsOf(columns)
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
		case sn.s.asking <- struct{}{}:
		case <-ctx.Done():
			if err := group.Wait(); err != nil {
				return err // which has ended ctx
			}
			return ctx.Err()
		}
		group.Go(func() error {
			defer func() { <-sn.s.asking }()
			for q, m := range asked {
				if r.Missing&m != 0 {
					if err := sn.ask(ctx, q, r); err != nil {
						return about(sn.bucket+"/"+string(r.Key), err)
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
		if right := sn.answers[q].denied.Load(); right != nil && !sn.answers[q].given.Load() {
			return fmt.Errorf("%s: %s: %w", sn.bucket, q, &Error{Status: http.StatusForbidden, Code: "AccessDenied", Right: *right, Err: errDenied})
		}
	}
	return nil
}

// String returns the name of the request in policies.
func (q Question) String() string {
	return [...]string{"", "HeadObject", "GetObjectAcl", "GetObjectTagging"}[q]
}

var errDenied = errors.New("the store has refused this request for every object so far")

// ask asks a question about an object, and sets the values in the answer. If the
// store will never answer the question, ask does nothing.
func (sn *snapshot) ask(ctx context.Context, q Question, r *stocktake.Record) error {
	if sn.s.unknown[q].Load() {
		return nil
	}
	resp, err := sn.request(ctx, q, questions[q].method, r)
	if err == nil && q == AskHead && resp.StatusCode != http.StatusNotFound && final(resp.StatusCode) {
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
		return sn.refusal(q, refused(resp), r)
	}
	if err := sn.read(q, resp, r); err != nil {
		return fmt.Errorf("%s: %w", q, err)
	}
	sn.answers[q].given.Store(true)
	return nil
}

func (sn *snapshot) request(ctx context.Context, q Question, method string, r *stocktake.Record) (*http.Response, error) {
	u := sn.s.wire.object(sn.bucket, string(r.Key))
	u.RawQuery = questions[q].query
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
	if q == AskHead && method == http.MethodGet {
		req.Header.Set("Range", "bytes=0-0")
	}
	return sn.s.wire.Client.Do(req)
}

// refusal returns nil if the refusal of a question concerns only this object, or if
// the store does not support such questions.
func (sn *snapshot) refusal(q Question, err error, r *stocktake.Record) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", q, err)
	}
	state := &sn.answers[q]
	switch e.Code {
	case "NoSuchTagSet", "NoSuchTagSetError": // Ceph, of an object without tags
		r.TaggingCount = 0
		r.Missing &^= stocktake.MissingTags
		state.given.Store(true)
		return nil
	case "NotImplemented", "XNotImplemented", "AccessControlListNotSupported":
		if !sn.s.unknown[q].Swap(true) {
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
func (sn *snapshot) read(q Question, resp *http.Response, r *stocktake.Record) error {
	if q == AskHead {
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
	case q == AskACL && doc.Name == "AccessControlPolicy":
		if r.ACL, err = sn.s.dialect.ReadACL(doc); err != nil {
			return err
		}
		r.Missing &^= stocktake.MissingACL
	case q == AskTags && doc.Name == "Tagging":
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
