package inventory

import (
	"container/list"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/tracing"
)

// waiting is a run that waits for a free place.
type waiting struct {
	id, bucket, configuration string
	urgent                    bool            // a person waits for it
	lane                      string          // source store and destination store; see lanes
	parent                    *tracing.Parent // span of the request; nil: not traced, or scheduled
}

// lane returns the lane of a run from bucket to destination.
func (s *Service) lane(bucket, destination string) string {
	from, to := s.buckets.StoreOf(bucket), s.buckets.StoreOf(destination)
	if from == "" && to == "" {
		return ""
	}
	return from + "\x00" + to
}

// newRun returns a queued run of e.
func (s *Service) newRun(e *Entry, kind stocktake.RunKind, trigger stocktake.Trigger, due time.Time) stocktake.Run {
	r := stocktake.Run{
		Bucket: e.Bucket, Configuration: e.Configuration.ID, Kind: kind,
		Trigger: trigger, State: stocktake.Queued, Attempt: 1,
		Due: due, Queued: s.now(), Destination: e.Configuration.Destination.Bucket,
	}
	r.ID = s.opts.NewID(r)
	return r
}

// randomID is the default of Options.NewID.
func randomID(stocktake.Run) string { return uuid.NewString() }

// holderOfNew returns the holder of a new run: this process, or none if other processes may take
// it.
func (s *Service) holderOfNew() Holder {
	if s.opts.Shared {
		return Holder{}
	}
	return s.holder
}

// startAdded starts a recorded run as soon as a place is free, here or in another process.
func (s *Service) startAdded(ctx context.Context, r stocktake.Run) {
	if !s.opts.Shared {
		s.enqueue(ctx, r)
		return
	}
	s.checkWhenLate(&r)
	s.wake()
}

// enqueue queues a run that is queued in the catalog. ctx is that of the request
// for it.
func (s *Service) enqueue(ctx context.Context, r stocktake.Run) {
	lane := s.lane(r.Bucket, r.Destination)
	if r.Kind == stocktake.IncrementalRun {
		lane += "\x00windows" // they are short, and do not wait for runs that take hours
	}
	w := waiting{id: r.ID, bucket: r.Bucket, configuration: r.Configuration, urgent: r.Trigger != stocktake.TriggerScheduled, lane: lane}
	if s.opts.Traced {
		w.parent = tracing.ParentOf(ctx)
	}
	s.mu.Lock()
	s.latch.Hold()
	s.queue.push(w)
	s.mu.Unlock()
	s.checkWhenLate(&r)
	s.nudge()
}

// lanes are queues, one for each pair of source store and destination store, each with the same
// number of places. So a store that is slow, or does not answer, delays only runs that use it.
type lanes map[string]*lane

type lane struct {
	queue
	running int
}

func (l lanes) push(w waiting) {
	if l[w.lane] == nil {
		l[w.lane] = &lane{queue: newQueue()}
	}
	l[w.lane].push(w)
}

// pop takes the next run from a lane with fewer than most running runs, of a bucket that is not
// busy.
func (l lanes) pop(most int, busy func(bucket string) bool) (waiting, bool) {
	for _, lane := range l {
		if lane.running >= most {
			continue
		}
		if w, ok := lane.pop(busy); ok {
			lane.running++
			return w, true
		}
	}
	return waiting{}, false
}

// take removes all runs of a bucket and returns them, manual ones first. They take no places.
func (l lanes) take(bucket string) (taken []waiting) {
	for _, urgent := range []bool{true, false} {
		for name, lane := range l {
			lane.drop(bucket, func(w *waiting) bool {
				if w.urgent == urgent {
					taken = append(taken, *w)
				}
				return w.urgent == urgent
			})
			if lane.running == 0 && lane.len() == 0 {
				delete(l, name)
			}
		}
	}
	return taken
}

// leave releases the place of a run that pop returned.
func (l lanes) leave(w *waiting) {
	lane := l[w.lane]
	if lane.running--; lane.running == 0 && lane.len() == 0 {
		delete(l, w.lane)
	}
}

// count returns how many runs of a lane wait or run.
func (l lanes) count(name string) int {
	if lane := l[name]; lane != nil {
		return lane.running + lane.len()
	}
	return 0
}

// len returns how many runs wait.
func (l lanes) len() (n int) {
	for _, lane := range l {
		n += lane.len()
	}
	return n
}

// all returns the runs that wait, in no order.
func (l lanes) all() (all []waiting) {
	for _, lane := range l {
		all = append(all, lane.all()...)
	}
	return all
}

// drop removes the selected runs of a bucket and returns their number.
func (l lanes) drop(bucket string, selected func(*waiting) bool) (dropped int) {
	for _, lane := range l {
		dropped += lane.drop(bucket, selected)
	}
	return dropped
}

// A queue holds waiting runs. Buckets take turns, so that a bucket with a thousand configurations
// does not delay the others. Manual runs precede scheduled ones, except that every fourth slot goes
// to a scheduled run.
type queue struct {
	urgent, scheduled turns
	favoured          int // urgent ones taken since a scheduled one was
}

func newQueue() queue { return queue{urgent: newTurns(), scheduled: newTurns()} }

func (q *queue) push(w waiting) {
	if w.urgent {
		q.urgent.push(w)
	} else {
		q.scheduled.push(w)
	}
}

func (q *queue) pop(busy func(bucket string) bool) (waiting, bool) {
	const favour = 3
	if q.favoured < favour {
		if w, ok := q.urgent.pop(busy); ok {
			q.favoured++
			return w, true
		}
	}
	if w, ok := q.scheduled.pop(busy); ok {
		q.favoured = 0
		return w, true
	}
	return q.urgent.pop(busy)
}

// len returns how many runs wait.
func (q *queue) len() int { return q.urgent.len + q.scheduled.len }

// all returns the runs that wait, in no order.
func (q *queue) all() (all []waiting) {
	for _, t := range []*turns{&q.urgent, &q.scheduled} {
		for _, l := range t.byName {
			all = append(all, l.runs...)
		}
	}
	return all
}

// drop removes the selected runs of a bucket and returns their number.
func (q *queue) drop(bucket string, selected func(*waiting) bool) int {
	return q.urgent.drop(bucket, selected) + q.scheduled.drop(bucket, selected)
}

// turns are queues, one for each bucket, that are served in turn.
type turns struct {
	len    int
	order  *list.List // of *line, the next to be served first; none is empty
	byName map[string]*line
}

type line struct {
	bucket string
	runs   []waiting
	at     *list.Element // of order
}

func newTurns() turns { return turns{order: list.New(), byName: map[string]*line{}} }

func (t *turns) push(w waiting) {
	l := t.byName[w.bucket]
	if l == nil {
		l = &line{bucket: w.bucket}
		t.byName[w.bucket] = l
		l.at = t.order.PushBack(l)
	}
	l.runs = append(l.runs, w)
	t.len++
}

func (t *turns) pop(busy func(bucket string) bool) (waiting, bool) {
	front := t.order.Front()
	for front != nil && busy(front.Value.(*line).bucket) {
		front = front.Next()
	}
	if front == nil {
		return waiting{}, false
	}
	l := front.Value.(*line)
	w := l.runs[0]
	l.runs[0] = waiting{}
	l.runs = l.runs[1:]
	t.len--
	if len(l.runs) == 0 {
		t.remove(l)
	} else {
		t.order.MoveToBack(front)
	}
	return w, true
}

func (t *turns) remove(l *line) {
	t.order.Remove(l.at)
	delete(t.byName, l.bucket)
}

func (t *turns) drop(bucket string, selected func(*waiting) bool) (dropped int) {
	l := t.byName[bucket]
	if l == nil {
		return 0
	}
	l.runs = slices.DeleteFunc(l.runs, func(w waiting) bool {
		if !selected(&w) {
			return false
		}
		dropped++
		return true
	})
	if t.len -= dropped; len(l.runs) == 0 {
		t.remove(l)
	}
	return dropped
}
