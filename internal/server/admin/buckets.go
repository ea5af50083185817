package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/stocktake/stocktake/internal/signature"
)

// BucketsPath is where the account lists the buckets of named stores that have
// configurations (GET), by name. ListBuckets has those of the embedded store alone.
const BucketsPath = "/-/buckets"

// bucketsTarget is what a request to bucketsPath signs.
var bucketsTarget = signature.Target{Bucket: "-", Key: "buckets"}

// bucketsReply is the answer to a GET.
type bucketsReply struct {
	Buckets []string `json:"buckets"`
}

// bucketsHandler serves the names to the account itself.
type bucketsHandler struct {
	Account
	from    BucketLister
	storeOf func(bucket string) string // empty: the embedded store
	log     *slog.Logger
}

// Buckets returns the handler of bucketsPath. storeOf returns the store of a bucket,
// empty for the embedded one.
func Buckets(account Account, from BucketLister, storeOf func(bucket string) string, log *slog.Logger) http.Handler {
	return &bucketsHandler{account, from, storeOf, log}
}

func (h *bucketsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.refuses(w, r, bucketsTarget) {
		return
	}
	names, err := ConfiguredElsewhere(r.Context(), h.from, h.storeOf)
	if err != nil {
		h.log.LogAttrs(r.Context(), slog.LevelError, "cannot list the buckets of other stores: the catalog failed", slog.Any("err", err))
		http.Error(w, "the catalog does not answer; see the server's log", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(bucketsReply{names}) // the client has left
}

// A BucketLister lists, by name, up to max buckets that have configurations and
// whose name sorts after after. A catalog is one.
type BucketLister interface {
	Buckets(ctx context.Context, after string, max int) ([]string, error)
}

// bucketsAtOnce is how many buckets are read from the catalog at once.
const bucketsAtOnce = 1000

// ConfiguredElsewhere returns the buckets of named stores that have configurations, by
// name. storeOf returns the store of a bucket, empty for the embedded one.
func ConfiguredElsewhere(ctx context.Context, from BucketLister, storeOf func(bucket string) string) ([]string, error) {
	all := []string{}
	for after, more := "", true; more; {
		page, err := from.Buckets(ctx, after, bucketsAtOnce)
		if err != nil {
			return nil, err
		}
		for _, name := range page {
			if storeOf(name) != "" {
				all = append(all, name)
			}
			after = name
		}
		more = len(page) == bucketsAtOnce
	}
	return all, nil
}
