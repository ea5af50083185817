package cluster

import (
	"sync"
	"time"

	"github.com/stocktake/stocktake"
)

// previousKept is how long the summary of the last report is kept for the next slice
// of a run: it is the same for all slices, and large.
const previousKept = time.Minute

// previous caches summaries of last reports, by run.
type previous struct {
	mu   sync.Mutex
	runs map[string]*previousOf
}

type previousOf struct {
	turn    chan struct{} // held by the one that reads
	done    bool
	summary *stocktake.Summary // nil: there is no last report

	forget *time.Timer
}

// of returns the summary of the report before a run. Of concurrent callers one calls
// read; after an error it is called again.
func (p *previous) of(run string, read func() (*stocktake.Summary, error)) (*stocktake.Summary, error) {
	p.mu.Lock()
	o := p.runs[run]
	if o == nil {
		o = &previousOf{turn: make(chan struct{}, 1)}
		o.forget = time.AfterFunc(previousKept, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.runs, run)
		})
		if p.runs == nil {
			p.runs = map[string]*previousOf{}
		}
		p.runs[run] = o
	}
	o.forget.Reset(previousKept)
	p.mu.Unlock()
	o.turn <- struct{}{}
	defer func() { <-o.turn }()
	if o.done {
		return o.summary, nil
	}
	s, err := read()
	if err == nil {
		o.summary, o.done = s, true
	}
	return s, err
}
