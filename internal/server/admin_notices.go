package server

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/notify"
	"github.com/stocktake/stocktake/internal/signature"
)

// noticesPath is where the account lists the notices that could not be delivered (GET
// ?after=ID, by id), and has one delivered again (POST ?retry=ID) or dropped (POST
// ?drop=ID).
const noticesPath = "/-/notices"

// noticesTarget is what a request to noticesPath signs.
var noticesTarget = signature.Target{Bucket: "-", Key: "notices"}

// noticesPage is how many notices an answer has; one with fewer is the last.
const noticesPage = 100

// A deadNotice is a notice that was given up.
type deadNotice struct {
	ID       string          `json:"id"`
	Webhook  string          `json:"webhook"`
	Made     time.Time       `json:"made"`
	Attempts int             `json:"attempts"`
	Error    string          `json:"error"`  // of the last attempt
	Notice   json.RawMessage `json:"notice"` // what the receiver was to get
}

// noticesReply is the answer to a GET.
type noticesReply struct {
	Notices []deadNotice `json:"notices"`
}

// noticesHandler serves the notices to the account itself.
type noticesHandler struct {
	accountOnly
	hooks *notify.Hooks
	log   *slog.Logger
}

func (h *noticesHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.refuses(w, r, noticesTarget) {
		return
	}
	q := r.URL.Query()
	var reply any
	var err error
	if r.Method == http.MethodGet {
		reply, err = h.page(r, q.Get("after"))
	} else {
		reply, err = struct{}{}, h.change(r, q)
	}
	if err != nil {
		h.fail(w, err)
		return
	}
	switch {
	case r.Method == http.MethodGet:
	case q.Get("retry") != "":
		h.audited(r, "notice retried", "notice", q.Get("retry"))
	default:
		h.audited(r, "notice dropped", "notice", q.Get("drop"))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply) // the client has left
}

func (h *noticesHandler) page(r *http.Request, after string) (noticesReply, error) {
	page, err := h.hooks.Dead(r.Context(), after, noticesPage)
	reply := noticesReply{make([]deadNotice, len(page))}
	for i, n := range page {
		reply.Notices[i] = deadNotice{n.ID, n.Target, n.Made, n.Attempts, n.Error, json.RawMessage(n.Payload)}
	}
	return reply, err
}

var errNoChange = errors.New("POST needs ?retry=ID or ?drop=ID")

func (h *noticesHandler) change(r *http.Request, q url.Values) error {
	switch {
	case q.Get("retry") != "":
		return h.hooks.Retry(r.Context(), q.Get("retry"))
	case q.Get("drop") != "":
		return h.hooks.Drop(r.Context(), q.Get("drop"))
	}
	return errNoChange
}

func (h *noticesHandler) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errNoChange):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.Is(err, inventory.ErrNoSuchNotice):
		http.Error(w, inventory.ErrNoSuchNotice.Error(), http.StatusNotFound)
	case errors.Is(err, notify.ErrNoHook):
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		h.log.Error("notices cannot be read or changed: the catalog failed", "err", err)
		http.Error(w, "the catalog failed; see the server's log", http.StatusInternalServerError)
	}
}
