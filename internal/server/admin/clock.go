package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/server/listen"
	"github.com/stocktake/stocktake/internal/signature"
)

// ClockPath is where the account reads the time of a server started with
// --clock-control (GET) and moves it ahead (POST ?advance=24h). Without the flag
// the path does not exist.
const ClockPath = "/-/clock"

// maxAdvance is the longest step. A step starts all runs that fall due in it.
const maxAdvance = 10 * 366 * 24 * time.Hour

// clockTarget is what a request to clockPath signs.
var clockTarget = signature.Target{Bucket: "-", Key: "clock"}

// clockHandler serves the clock to the account itself.
type clockHandler struct {
	Account
	clock *clock.Movable
}

// clockReply is the answer.
type clockReply struct {
	Now time.Time `json:"now"`
}

// Clock returns the handler of clockPath.
func Clock(account Account, c *clock.Movable) http.Handler { return &clockHandler{account, c} }

func (h *clockHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.refuses(w, r, clockTarget) {
		return
	}
	if r.Method == http.MethodPost {
		d, err := time.ParseDuration(r.URL.Query().Get("advance"))
		if err != nil || d < 0 || d > maxAdvance {
			http.Error(w, "advance must be a duration such as 24h, not negative and at most ten years", http.StatusBadRequest)
			return
		}
		err = h.clock.Advance(r.Context(), d)
		listen.Hasten(w) // the runs may have taken long
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		h.audited(r, "clock advanced", "advance", d.String())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(clockReply{h.clock.Now()}) // the client has left
}
