package console

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/console/session"
)

// runData is the page of one run.
type runData struct {
	Bucket string `json:"bucket"`
	ID     string `json:"id"`
	Run    runRow `json:"run"`
	Base   string `json:"-"` // path of the configuration

	Work *workRow `json:"work,omitempty"` // which machines work on it; nil: it has ended, or waits
}

func (v *visit) readRun() (*runData, error) {
	runs, err := v.client.Runs(v.ctx, v.bucket(), v.id())
	if err != nil {
		return nil, err
	}
	for i := range runs {
		if runs[i].ID == v.r.PathValue("run") {
			data := &runData{Bucket: v.bucket(), ID: v.id(), Run: newRunRow(&runs[i], v.Now()), Base: inventoryHref(v.bucket(), v.id())}
			if data.Run.State.Ended() {
				return data, v.checkReport(&data.Run)
			}
			return data, v.readWork(data)
		}
	}
	return nil, &statusError{http.StatusNotFound, "there is no such run", "The history keeps a number of runs (--keep-runs); older ones are removed."}
}

// readWork reads which machines work on a run.
func (v *visit) readWork(d *runData) error {
	work, err := v.client.Work(v.ctx, d.Bucket, d.ID)
	if errors.Is(err, stocktake.ErrNoSuchInventory) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	for i := range work.Runs {
		if work.Runs[i].Run.ID == d.Run.ID {
			row := newWorkRow(&work.Runs[i], v.Now())
			d.Work = &row
		}
	}
	return nil
}

// checkReport removes the link to the report of a run if the report pages cannot
// find it: the configuration is deleted, or has another destination.
func (v *visit) checkReport(r *runRow) error {
	if r.Report == "" {
		return nil
	}
	cfg, err := v.client.Get(v.ctx, r.Bucket, r.Configuration)
	if err != nil && !errors.Is(err, stocktake.ErrNoSuchInventory) {
		return err
	}
	if err != nil || !reportedBy(&cfg, &r.Run) {
		r.Report = ""
	}
	return nil
}

// run shows the state of a run.
func (v *visit) run() (*page, error) {
	data, err := v.readRun()
	if err != nil {
		return nil, err
	}
	title := "Run of " + data.Run.Due.UTC().Format("2006-01-02 15:04") + " UTC"
	return &page{Template: "run", Title: title, Trail: trail(data.Bucket, data.ID), Data: data}, nil
}

// pace is the interval between updates of a live page.
const pace = time.Second

// followRun sends updates of the state of a run until it has ended. Each is the
// fragment of the page that shows it.
func (v *visit) followRun() (*page, error) {
	return v.follow(func() (*page, bool, error) {
		data, err := v.readRun()
		if err != nil {
			return nil, false, err
		}
		return &page{Template: "run", Fragment: "progress", Data: data}, data.Run.State.Ended(), nil
	})
}

// patience is how many updates in a row may fail, for instance while the database
// restarts, before the user sees an error.
const patience = 5

// follow sends updates of a part of a page until the last one, until the user
// leaves, or until the session ends.
func (v *visit) follow(read func() (part *page, last bool, err error)) (*page, error) {
	part, last, err := read()
	if err != nil {
		return nil, err
	}
	s, err := v.stream()
	if err != nil {
		return nil, err
	}
	defer s.close()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for failures := 0; ; {
		if err == nil {
			failures = 0
			if err := s.send(part); err != nil {
				return nil, nil // the user has left
			}
		} else if failures++; failures == patience {
			return nil, nil // the browser reconnects and receives the error
		}
		if last {
			s.end()
			return nil, nil
		}
		select {
		case <-tick.C:
		case <-v.ctx.Done():
			return nil, nil
		case <-v.ended:
			return nil, nil
		}
		if !v.isSignedIn() {
			return nil, nil
		}
		part, last, err = read()
		if gone, ok := errors.AsType[*statusError](err); ok && gone.status == http.StatusNotFound || errors.Is(err, stocktake.ErrNoSuchInventory) {
			s.end()
			return nil, nil
		}
	}
}

// Live reports whether the page of the run is updated automatically.
func (d *runData) Live() bool { return !d.Run.State.Ended() }

// Failed reports whether the run has failed.
func (d *runData) Failed() bool { return d.Run.State == stocktake.Failed }

// A stream is an answer that consists of events (Server-Sent Events).
type stream struct {
	v  *visit
	rc *http.ResponseController
}

// stream begins an answer of events. The caller closes it.
func (v *visit) stream() (*stream, error) {
	select {
	case v.streams <- struct{}{}:
	default:
		return nil, &statusError{http.StatusServiceUnavailable, "too many pages are kept up to date at the same time", "Close some, or load the page again to see how it stands."}
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	return &stream{v, http.NewResponseController(v.w)}, nil
}

func (s *stream) close() { <-s.v.streams }

// streamWriteTimeout is how long a browser may take to receive one event.
const streamWriteTimeout = 20 * time.Second

// send sends a part of a page as one event.
func (s *stream) send(p *page) error {
	html, err := s.v.html(p)
	if err != nil {
		s.v.Log.Error("a part of a page of the console cannot be written", "page", s.v.route.Name, "err", err)
		return err
	}
	return s.event("", html)
}

// end tells the browser that the stream is complete, so that it does not reconnect.
func (s *stream) end() { _ = s.event("ended", []byte("ended")) } // the browser may have left

func (s *stream) event(kind string, data []byte) error {
	var b bytes.Buffer
	if kind != "" {
		fmt.Fprintf(&b, "event: %s\n", kind)
	}
	for line := range bytes.Lines(data) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	_ = s.rc.SetWriteDeadline(time.Now().Add(streamWriteTimeout)) // writers in tests may have none
	if _, err := s.v.w.Write(b.Bytes()); err != nil {
		return err
	}
	return s.rc.Flush()
}

// isSignedIn reports whether the session of the visit still exists.
func (v *visit) isSignedIn() bool {
	cookie, err := v.r.Cookie(session.CookieName(v.r))
	return err == nil && v.sessions.Find(cookie.Value) != nil
}
