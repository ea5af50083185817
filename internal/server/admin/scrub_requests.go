package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
)

// ScrubPath is where the account starts a scrub of the store (POST, with ?rate=N for bytes a
// second, 0 for no limit, and with ?restart=true to start at the first object) and reads the state
// of the last scrub (GET ?after=N: the problems after the first N). POST during a scrub answers
// with its state, so that a client can resume watching it; it is refused if it asks for another
// rate or a restart.
const ScrubPath = "/-/scrub"

// scrubTarget is what a request to scrubPath signs.
var scrubTarget = signature.Target{Bucket: "-", Key: "scrub"}

const (
	scrubProblems = 1000 // damaged objects that are described; all are counted, and logged
	scrubPage     = 100  // of them in one answer
)

// scrubReply is the state of the last scrub since the start.
type scrubReply struct {
	Number    int64          `json:"number"` // of the scrub, from 1; 0: there was none
	Running   bool           `json:"running"`
	Objects   int64          `json:"objects"`
	Bytes     int64          `json:"bytes"`
	Damaged   int64          `json:"damaged"`
	Unchecked int64          `json:"unchecked"`
	Described int            `json:"described"` // number of described problems
	Problems  []scrubProblem `json:"problems"`  // the requested page of them
	Error     string         `json:"error,omitempty"`
}

type scrubProblem struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

var (
	errScrubRunning = errors.New("a scrub is running already: watch it without a rate and without a restart, or wait for its end")
	errScrubRate    = errors.New("rate is a number of bytes a second, at least 0")
	errScrubRestart = errors.New("restart is true or false")
	errScrubAfter   = errors.New("after is a number, at least 0")
)

func (s *Scrubs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.refuses(w, r, scrubTarget) {
		return
	}
	q := r.URL.Query()
	after := 0
	if q.Has("after") {
		var err error
		if after, err = strconv.Atoi(q.Get("after")); err != nil || after < 0 {
			http.Error(w, errScrubAfter.Error(), http.StatusBadRequest)
			return
		}
	}
	if r.Method == http.MethodPost {
		opts := store.ScrubOptions{BytesPerSecond: s.rate}
		if q.Has("rate") {
			n, err := strconv.ParseInt(q.Get("rate"), 10, 64)
			if err != nil || n < 0 {
				http.Error(w, errScrubRate.Error(), http.StatusBadRequest)
				return
			}
			opts.BytesPerSecond = n
		}
		if q.Has("restart") {
			var err error
			if opts.Restart, err = strconv.ParseBool(q.Get("restart")); err != nil {
				http.Error(w, errScrubRestart.Error(), http.StatusBadRequest)
				return
			}
		}
		began := s.begin(opts)
		if !began && (q.Has("rate") || opts.Restart) {
			http.Error(w, errScrubRunning.Error(), http.StatusConflict)
			return
		}
		if began {
			s.audited(r, "scrub started", "rate", opts.BytesPerSecond, "restart", opts.Restart)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.reply(after)) // the client may have left
}

// reply returns the state of the last scrub, with a page of its problems after the first after.
func (s *Scrubs) reply(after int) scrubReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := s.last
	after = min(after, len(s.last.Problems))
	reply.Described = len(s.last.Problems)
	reply.Problems = append([]scrubProblem{}, s.last.Problems[after:min(after+scrubPage, len(s.last.Problems))]...)
	return reply
}
