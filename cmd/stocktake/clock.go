package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
)

// clockPath is where a server that was started with --clock-control lets its
// time be read (GET) and moved ahead (POST ?advance=24h). Without the flag the
// path does not exist.
const clockPath = "/-/clock"

// maxAdvance bounds one step, which plays all that falls due on the way.
const maxAdvance = 10 * 366 * 24 * time.Hour

// clockTarget is what a request to clockPath signs.
var clockTarget = signature.Target{Bucket: "-", Key: "clock"}

// clockHandler serves the clock to the account itself; requests are signed like
// those of the OSS API.
type clockHandler struct {
	clock   *clock.Movable
	access  *ram.Directory
	account string
}

// clockReply is the answer.
type clockReply struct {
	Now time.Time `json:"now"`
}

func (h *clockHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, text := h.refuses(r); status != 0 {
		http.Error(w, text, status)
		return
	}
	if r.Method == http.MethodPost {
		d, err := time.ParseDuration(r.URL.Query().Get("advance"))
		if err != nil || d < 0 || d > maxAdvance {
			http.Error(w, "advance must be a duration such as 24h, not negative and at most ten years", http.StatusBadRequest)
			return
		}
		err = h.clock.Advance(r.Context(), d)
		hasten(w) // that may have taken long
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(clockReply{h.clock.Now()}) // nobody is left to tell
}

// refuses gives the status and text of a refusal; 0 lets the request pass.
func (h *clockHandler) refuses(r *http.Request) (status int, text string) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "GET reads the clock, POST ?advance=24h moves it"
	}
	auth, err := signature.Parse(r)
	if err != nil || auth == nil {
		return http.StatusForbidden, "sign the request with the root access key"
	}
	if auth.Scheme != signature.V4 {
		return http.StatusForbidden, "sign the request with signature V4" // V1 does not sign by how much to advance
	}
	secret, who, err := h.access.Key(auth.AccessKeyID, auth.SecurityToken)
	if err != nil {
		return http.StatusForbidden, "the access key is not known"
	}
	// Requests are signed in the time of whoever sends them, which is not ours.
	if _, err := auth.Verify(r, []signature.Target{clockTarget}, secret, time.Now()); err != nil {
		if _, err := auth.Verify(r, []signature.Target{clockTarget}, secret, h.clock.Now()); err != nil {
			return http.StatusForbidden, "the signature does not match, or is too old"
		}
	}
	if who.Kind != ram.KindAccount || who.Account != h.account {
		return http.StatusForbidden, "only the account itself may touch the clock"
	}
	return 0, ""
}
