package admin

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/signature"
)

// WorkPath is where the account reads the machines and their tasks, of all buckets
// (GET).
const WorkPath = "/-/work"

// workTarget is what a request to workPath signs.
var workTarget = signature.Target{Bucket: "-", Key: "work"}

// workHandler serves a [stocktake.Work] to the account itself.
type workHandler struct {
	Account
	service *inventory.Service
	log     *slog.Logger
}

// Work returns the handler of workPath.
func Work(account Account, service *inventory.Service, log *slog.Logger) http.Handler {
	return &workHandler{account, service, log}
}

func (h *workHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.refuses(w, r, workTarget) {
		return
	}
	work, err := h.service.Work(r.Context(), "", "")
	if err != nil {
		h.log.LogAttrs(r.Context(), slog.LevelError, "cannot read the work of the servers: the database failed", slog.Any("err", err))
		http.Error(w, "the database does not answer; see the server's log", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(work) // the client has left
}
