package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// A NoticeState is the state of a notice's delivery.
type NoticeState string

// The states of a notice.
const (
	NoticeWaiting   NoticeState = "waiting"   // to be sent, for the first time or again
	NoticeDelivered NoticeState = "delivered" // the receiver has accepted it
	NoticeDead      NoticeState = "dead"      // given up
)

// A Notice is a message about a run for a webhook. The server keeps the newest 200 that a webhook
// has accepted, and those that were given up, for 30 days.
type Notice struct {
	ID        string          `json:"id"`
	Webhook   string          `json:"webhook"` // name of the receiver
	State     NoticeState     `json:"state"`
	Made      time.Time       `json:"made"`
	Attempts  int             `json:"attempts"`           // so far
	Error     string          `json:"error"`              // of the last attempt; empty: it has succeeded, or there was none
	Answer    int             `json:"answer,omitempty"`   // status of HTTP that the receiver answered last; 0: none
	Next      time.Time       `json:"next,omitzero"`      // when it is tried next; zero: never
	Delivered time.Time       `json:"delivered,omitzero"` // zero: it was not
	Notice    json.RawMessage `json:"notice"`             // what the receiver gets
}

// noticesPage is how many notices an answer has; one with fewer is the last.
const noticesPage = 100

// DeadNotices yields the notices that were given up, by id. An error is the last
// thing yielded.
func (a *Admin) DeadNotices(ctx context.Context) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		for after := ""; ; {
			var page struct {
				Notices []Notice `json:"notices"`
			}
			if err := a.call(ctx, http.MethodGet, "notices", url.Values{"after": {after}}, &page); err != nil {
				yield(Notice{}, err)
				return
			}
			for _, n := range page.Notices {
				if !yield(n, nil) {
					return
				}
			}
			if len(page.Notices) < noticesPage {
				return
			}
			after = page.Notices[len(page.Notices)-1].ID
		}
	}
}

// A NoticeFilter selects notices; empty fields select all.
type NoticeFilter struct {
	State         NoticeState
	Bucket        string
	Configuration string // only with Bucket
}

// Notices returns a page of at most 100 notices, the newest first, and where the next
// page begins; empty: this is the last. before is empty, or what the page before has
// returned.
func (a *Admin) Notices(ctx context.Context, f NoticeFilter, before string) (page []Notice, next string, err error) {
	var reply struct {
		Notices []Notice `json:"notices"`
		Next    string   `json:"next"`
	}
	q := url.Values{
		"history": {""}, "state": {string(f.State)}, "bucket": {f.Bucket}, "configuration": {f.Configuration}, "before": {before},
	}
	err = a.call(ctx, http.MethodGet, "notices", q, &reply)
	return reply.Notices, reply.Next, err
}

// RetryNotice sends a notice again, at once. An *AdminError with status 404 says that
// the notice does not exist, with 409 that its receiver is not configured.
func (a *Admin) RetryNotice(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodPost, "notices", url.Values{"retry": {id}}, new(struct{}))
}

// DropNotice forgets a notice. An *AdminError with status 404 says that there is no
// such notice.
func (a *Admin) DropNotice(ctx context.Context, id string) error {
	return a.call(ctx, http.MethodPost, "notices", url.Values{"drop": {id}}, new(struct{}))
}

// TestWebhook sends a notice with the event "test" to a webhook and returns its id. An *AdminError
// with status 409 says that the webhook is not configured.
func (a *Admin) TestWebhook(ctx context.Context, webhook string) (id string, err error) {
	var reply struct {
		ID string `json:"id"`
	}
	err = a.call(ctx, http.MethodPost, "notices", url.Values{"test": {webhook}}, &reply)
	return reply.ID, err
}
