package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
)

// The pause between two polls of a run grows from firstPoll to lastPoll, so that
// the end of a short run is seen at once and a long one costs little.
const (
	firstPoll = 50 * time.Millisecond
	lastPoll  = 2 * time.Second
)

// patience is how long the service may be unavailable while a run is followed:
// enough to restart it.
const patience = time.Minute

// Wait follows a run until it has ended, with any result, and returns its last
// state. A failed run is not an error of Wait. progress, unless nil, is called with
// every state seen, the one given and the last among them.
//
// Wait tolerates an outage of the service of up to a minute. If ctx ends, or the server no longer
// keeps the run ([stocktake.ErrNoSuchRun]), it returns the last state with the error.
func (c *Client) Wait(ctx context.Context, run stocktake.Run, progress func(stocktake.Run)) (stocktake.Run, error) {
	if progress == nil {
		progress = func(stocktake.Run) {}
	}
	progress(run)
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C

	lastSeen := time.Now()
	for pause := firstPoll; !run.State.Ended(); pause = min(pause*3/2, lastPoll) {
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return run, fmt.Errorf("wait for run %s: %w", run.ID, context.Cause(ctx))
		case <-timer.C:
		}
		seen, err := c.find(ctx, run)
		switch {
		case err == nil:
			lastSeen = time.Now()
			run = seen
			progress(run)
		case ctx.Err() != nil || !isTemporary(err) || time.Since(lastSeen) > patience:
			return run, fmt.Errorf("wait for run %s: %w", run.ID, err)
		}
	}
	return run, nil
}

// find returns the present state of run.
func (c *Client) find(ctx context.Context, run stocktake.Run) (stocktake.Run, error) {
	runs, err := c.Runs(ctx, run.Bucket, run.Configuration)
	if err != nil {
		return run, err
	}
	for _, r := range runs {
		if r.ID == run.ID {
			return r, nil
		}
	}
	return run, stocktake.ErrNoSuchRun
}

// isTemporary reports whether err may end when the service returns.
func isTemporary(err error) bool {
	if serr, ok := errors.AsType[*oss.ServiceError](err); ok {
		return serr.StatusCode >= http.StatusInternalServerError || serr.StatusCode == http.StatusTooManyRequests
	}
	_, unreachable := errors.AsType[*url.Error](err)
	return unreachable || errors.Is(err, io.ErrUnexpectedEOF)
}
