package inventory

import "container/list"

// waiting is a run that waits for a free place.
type waiting struct {
	id, bucket, configuration string
	urgent                    bool   // somebody waits for it
	release                   func() // of the clock that the run holds
}

// A queue holds the runs that wait. Buckets take turns, so that a bucket with a
// thousand configurations does not make the others wait for all of them; and
// runs that somebody waits for go before scheduled ones, but for every fourth
// place.
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

func (q *queue) pop() (waiting, bool) {
	const favour = 3
	if q.urgent.len > 0 && (q.favoured < favour || q.scheduled.len == 0) {
		q.favoured++
		return q.urgent.pop()
	}
	q.favoured = 0
	return q.scheduled.pop()
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
}

func newTurns() turns { return turns{order: list.New(), byName: map[string]*line{}} }

func (t *turns) push(w waiting) {
	l := t.byName[w.bucket]
	if l == nil {
		l = &line{bucket: w.bucket}
		t.byName[w.bucket] = l
		t.order.PushBack(l)
	}
	l.runs = append(l.runs, w)
	t.len++
}

func (t *turns) pop() (waiting, bool) {
	front := t.order.Front()
	if front == nil {
		return waiting{}, false
	}
	l := front.Value.(*line)
	w := l.runs[0]
	l.runs[0] = waiting{}
	l.runs = l.runs[1:]
	t.len--
	if len(l.runs) == 0 {
		t.order.Remove(front)
		delete(t.byName, l.bucket)
	} else {
		t.order.MoveToBack(front)
	}
	return w, true
}
