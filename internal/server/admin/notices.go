package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/notify"
	"github.com/stocktake/stocktake/internal/signature"
)

// NoticesPath is where the account lists the notices that could not be delivered (GET ?after=ID, by
// id) or all of them (GET ?history, newest first; see history), retries one (POST ?retry=ID), drops
// one (POST ?drop=ID), and sends a test notice to a receiver (POST ?test=WEBHOOK).
const NoticesPath = "/-/notices"

// noticesTarget is what a request to noticesPath signs.
var noticesTarget = signature.Target{Bucket: "-", Key: "notices"}

// noticesPage is how many notices an answer has; one with fewer is the last.
const noticesPage = 100

// A noticeShown is a notice as the account sees it. client.Notice reads it.
type noticeShown struct {
	ID        string                `json:"id"`
	Webhook   string                `json:"webhook"`
	State     inventory.NoticeState `json:"state"`
	Made      time.Time             `json:"made"`
	Attempts  int                   `json:"attempts"`
	Error     string                `json:"error"` // of the last attempt
	Answer    int                   `json:"answer,omitempty"`
	Next      time.Time             `json:"next,omitzero"`
	Delivered time.Time             `json:"delivered,omitzero"`
	Notice    json.RawMessage       `json:"notice"` // what the receiver gets
}

// noticesReply is the answer to a GET.
type noticesReply struct {
	Notices []noticeShown `json:"notices"`
	Next    string        `json:"next,omitempty"` // of a history: the parameter before of the next page
}

// noticesHandler serves the notices to the account itself.
type noticesHandler struct {
	Account
	hooks *notify.Notifier
	log   *slog.Logger
}

// Notices returns the handler of noticesPath.
func Notices(account Account, hooks *notify.Notifier, log *slog.Logger) http.Handler {
	return &noticesHandler{account, hooks, log}
}

func (h *noticesHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.refuses(w, r, noticesTarget) {
		return
	}
	q := r.URL.Query()
	var reply any
	var err error
	switch {
	case r.Method == http.MethodGet && q.Has("history"):
		reply, err = h.history(r, q)
	case r.Method == http.MethodGet:
		reply, err = h.page(r, q.Get("after"))
	default:
		reply, err = h.change(r, q)
	}
	if err != nil {
		h.fail(w, err)
		return
	}
	switch {
	case r.Method == http.MethodGet:
	case q.Get("retry") != "":
		h.audited(r, "notice retried", "notice", q.Get("retry"))
	case q.Get("test") != "":
		h.audited(r, "test notice sent", "webhook", q.Get("test"))
	default:
		h.audited(r, "notice dropped", "notice", q.Get("drop"))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply) // the client has left
}

func (h *noticesHandler) page(r *http.Request, after string) (noticesReply, error) {
	page, err := h.hooks.Dead(r.Context(), after, noticesPage)
	return noticesReply{Notices: shown(page)}, err
}

// history answers with a page of all notices, the newest first: of a state (state), of
// a bucket and a configuration (bucket, configuration), after a page (before).
func (h *noticesHandler) history(r *http.Request, q url.Values) (reply noticesReply, err error) {
	asked := inventory.NoticeQuery{State: inventory.NoticeState(q.Get("state")), Bucket: q.Get("bucket"), Configuration: q.Get("configuration")}
	switch asked.State {
	case "", inventory.NoticeWaiting, inventory.NoticeDelivered, inventory.NoticeDead:
	default:
		return reply, errNoState
	}
	if before := q.Get("before"); before != "" {
		micros, id, ok := strings.Cut(before, "-")
		made, err := strconv.ParseInt(micros, 10, 64)
		if !ok || err != nil {
			return reply, errNoPage
		}
		asked.Before = inventory.Notice{ID: id, Made: time.UnixMicro(made)}
	}
	page, err := h.hooks.History(r.Context(), asked, noticesPage+1)
	if len(page) > noticesPage {
		page = page[:noticesPage]
		last := page[noticesPage-1]
		reply.Next = fmt.Sprintf("%d-%s", last.Made.UnixMicro(), last.ID)
	}
	reply.Notices = shown(page)
	return reply, err
}

func shown(page []inventory.Notice) []noticeShown {
	all := make([]noticeShown, len(page))
	for i := range page {
		n := &page[i]
		all[i] = noticeShown{n.ID, n.Target, n.State(), n.Made, n.Attempts, n.Error, n.Answer, n.Due, n.Delivered, json.RawMessage(n.Payload)}
	}
	return all
}

// Errors in requests for notices.
var (
	errNoChange = errors.New("POST needs ?retry=ID, ?drop=ID or ?test=WEBHOOK")
	errNoState  = errors.New("state is waiting, delivered or dead")
	errNoPage   = errors.New("before is not a next value of an earlier answer")
)

func (h *noticesHandler) change(r *http.Request, q url.Values) (reply any, err error) {
	switch {
	case q.Get("retry") != "":
		return struct{}{}, h.hooks.Retry(r.Context(), q.Get("retry"))
	case q.Get("drop") != "":
		return struct{}{}, h.hooks.Drop(r.Context(), q.Get("drop"))
	case q.Get("test") != "":
		id, err := h.hooks.Test(r.Context(), q.Get("test"))
		return struct {
			ID string `json:"id"`
		}{id}, err
	}
	return nil, errNoChange
}

func (h *noticesHandler) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errNoChange), errors.Is(err, errNoState), errors.Is(err, errNoPage):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.Is(err, inventory.ErrNoSuchNotice):
		http.Error(w, inventory.ErrNoSuchNotice.Error(), http.StatusNotFound)
	case errors.Is(err, notify.ErrNoSuchWebhook):
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		h.log.Error("cannot read or change notices: the catalog failed", "err", err)
		http.Error(w, "the catalog failed; see the server's log", http.StatusInternalServerError)
	}
}
