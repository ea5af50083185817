package console

import (
	"encoding/json"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
)

// webhooksData is the page of webhooks and of the notices that they did not take.
type webhooksData struct {
	Webhooks []Webhook `json:"webhooks"`
	Dead     []deadRow `json:"undelivered"`
	More     bool      `json:"more,omitempty"`
}

// A deadRow is a notice that was given up.
type deadRow struct {
	client.DeadNotice
	Event string        `json:"event"`
	Run   stocktake.Run `json:"run"`
	Href  string        `json:"-"`
	At    time.Time     `json:"-"`
}

// noticesOfPage is how many notices the page lists.
const noticesOfPage = 200

// webhooks shows the receivers of notices. The API answers the account only.
func (v *visit) webhooks() (*page, error) {
	data := &webhooksData{Webhooks: []Webhook{}, Dead: []deadRow{}}
	for n, err := range v.admin.DeadNotices(v.ctx) {
		if err != nil {
			return nil, err
		}
		if len(data.Dead) == noticesOfPage {
			data.More = true
			break
		}
		row := deadRow{DeadNotice: n, At: n.Made}
		var told struct {
			Event string        `json:"event"`
			Run   stocktake.Run `json:"run"`
		}
		if json.Unmarshal(n.Notice, &told) == nil { // ours; if not, there is less to show
			row.Event, row.Run = told.Event, told.Run
			row.Href = newRunRow(&told.Run, v.Now()).Href
		}
		data.Dead = append(data.Dead, row)
	}
	data.Webhooks = append(data.Webhooks, v.Webhooks...)
	return &page{Template: "webhooks", Title: "Webhooks", Trail: []crumb{{"Buckets", "/"}}, Data: data}, nil
}

// retryNotice has a notice delivered again.
func (v *visit) retryNotice() (*page, error) {
	if err := v.admin.RetryNotice(v.ctx, v.r.PostForm.Get("id")); err != nil {
		return nil, err
	}
	return v.redirect("/webhooks")
}

// dropNotice gives a notice up for good.
func (v *visit) dropNotice() (*page, error) {
	if err := v.admin.DropNotice(v.ctx, v.r.PostForm.Get("id")); err != nil {
		return nil, err
	}
	return v.redirect("/webhooks")
}
