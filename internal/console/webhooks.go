package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
)

// webhooksData is the page of webhooks and of the notices sent to them.
type webhooksData struct {
	Webhooks []Webhook          `json:"webhooks"`
	Notices  []noticeRow        `json:"notices"`                 // a page of them, the newest first
	State    client.NoticeState `json:"state,omitempty"`         // of the notices; empty: all
	Bucket   string             `json:"bucket,omitempty"`        // that the notices are about; empty: any
	ID       string             `json:"configuration,omitempty"` // of that bucket; empty: any
	Next     string             `json:"next,omitempty"`          // parameter before of the next page
	Later    bool               `json:"-"`                       // this is not the first page
}

// A noticeRow is a notice with values read from it.
type noticeRow struct {
	client.Notice
	Event string        `json:"event"`
	Run   stocktake.Run `json:"run"`
	Href  string        `json:"-"` // of the run; empty: the notice is not about a run
}

// Tone returns the color class of the notice's state.
func (n noticeRow) Tone() string {
	switch n.State {
	case client.NoticeDelivered:
		return "good"
	case client.NoticeDead:
		return "bad"
	}
	if n.Error != "" {
		return "warn"
	}
	return "busy"
}

// Word returns the notice's state in words.
func (n noticeRow) Word() string {
	switch {
	case n.State == client.NoticeDead:
		return "given up"
	case n.State == client.NoticeWaiting && n.Error != "":
		return "trying again"
	}
	return string(n.State)
}

// Said returns the receiver's last response.
func (n noticeRow) Said() string {
	switch {
	case n.Error != "":
		return n.Error
	case n.Answer != 0:
		return fmt.Sprint(n.Answer, " ", http.StatusText(n.Answer))
	}
	return ""
}

// With returns the URL of the page with the notices of a state, or of all states.
func (d *webhooksData) With(state string) string {
	q := url.Values{}
	for name, value := range map[string]string{"state": state, "bucket": d.Bucket, "configuration": d.ID} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/webhooks"
	}
	return "/webhooks?" + q.Encode()
}

// Fresh reports whether a notice has not been sent yet, as right after a test. The
// page then refreshes.
func (d *webhooksData) Fresh() bool {
	return slices.ContainsFunc(d.Notices, func(n noticeRow) bool { return n.State == client.NoticeWaiting && n.Attempts == 0 })
}

// Earlier returns the URL of the next page.
func (d *webhooksData) Earlier() string {
	return "/webhooks?" + url.Values{"state": {string(d.State)}, "bucket": {d.Bucket}, "configuration": {d.ID}, "before": {d.Next}}.Encode()
}

// webhooks shows the receivers of notices and the state of the notices. The API
// answers this to the account only.
func (v *visit) webhooks() (*page, error) {
	q := v.r.URL.Query()
	data := &webhooksData{
		Webhooks: append([]Webhook{}, v.Webhooks...), Notices: []noticeRow{}, State: client.NoticeState(q.Get("state")),
		Bucket: q.Get("bucket"), ID: q.Get("configuration"), Later: q.Get("before") != "",
	}
	filter := client.NoticeFilter{State: data.State, Bucket: data.Bucket, Configuration: data.ID}
	notices, next, err := v.admin.Notices(v.ctx, filter, q.Get("before"))
	if err != nil {
		return nil, err
	}
	data.Next = next
	for _, n := range notices {
		row := noticeRow{Notice: n}
		var told struct {
			Event string        `json:"event"`
			Run   stocktake.Run `json:"run"`
		}
		if json.Unmarshal(n.Notice, &told) == nil { // our own format; on an error the row shows less
			row.Event, row.Run = told.Event, told.Run
			if told.Run.ID != "" {
				row.Href = newRunRow(&told.Run, v.Now()).Href
			}
		}
		data.Notices = append(data.Notices, row)
	}
	return &page{Template: "webhooks", Title: "Webhooks", Trail: []crumb{{"Buckets", "/"}}, Data: data}, nil
}

// retryNotice requests another delivery of a notice.
func (v *visit) retryNotice() (*page, error) {
	if err := v.admin.RetryNotice(v.ctx, v.r.PostForm.Get("id")); err != nil {
		return nil, err
	}
	return v.backToNotices()
}

// dropNotice drops a notice permanently.
func (v *visit) dropNotice() (*page, error) {
	if err := v.admin.DropNotice(v.ctx, v.r.PostForm.Get("id")); err != nil {
		return nil, err
	}
	return v.backToNotices()
}

// backToNotices redirects to the list of notices that the user came from.
func (v *visit) backToNotices() (*page, error) {
	f := v.r.PostForm
	d := &webhooksData{Bucket: f.Get("bucket"), ID: f.Get("configuration")}
	return v.redirect(d.With(f.Get("state")))
}

// testWebhook sends a test notice to a receiver.
func (v *visit) testWebhook() (*page, error) {
	if _, err := v.admin.TestWebhook(v.ctx, v.r.PostForm.Get("webhook")); err != nil {
		return nil, err
	}
	return v.redirect("/webhooks")
}
