package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/inventory"
)

// Headers of a notice.
const (
	HeaderID        = "Stocktake-Id"        // of the notice; the same each time it is sent
	HeaderTimestamp = "Stocktake-Timestamp" // when it was sent, in Unix seconds
	HeaderSignature = "Stocktake-Signature" // see [Sign]
)

// Sign returns the value of HeaderSignature: "v1=" and, in lower-case hex, the
// HMAC-SHA256 of the timestamp, a '.' and the body. The timestamp is part of it
// so that a receiver can refuse a notice that an attacker sends again later.
func Sign(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp + ".")) // never fails
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// retryPauses are the pauses between the attempts of a notice: two days in all.
var retryPauses = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 16 * time.Hour,
}

const (
	// maxAge is the age after which a notice is dead at the next failure, even after
	// few attempts, for instance if a receiver with very many notices is down for
	// days.
	maxAge = 3 * 24 * time.Hour

	// After strikes consecutive failures, a receiver is not tried for respite.
	failuresInRow = 3
	failurePause  = 30 * time.Second

	batchSize = 100 // notices read at once
)

// A worker delivers the notices of one webhook, one at a time.
type worker struct {
	Webhook
	notifier *Notifier
	changed  chan struct{} // has a token if new notices may exist

	mu    sync.Mutex
	latch clock.Latch // holds the clock until the worker has checked
}

// wake makes the worker check for new notices; the clock is held until it has.
func (w *worker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latch.Hold()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// releaseClock releases the clock if the worker has checked, or has ended.
func (w *worker) releaseClock(ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ended || len(w.changed) == 0 {
		w.latch.Release()
	}
}

func (w *worker) serve(ctx context.Context) {
	timer := w.notifier.clock.NewTimer()
	defer timer.Stop()
	defer w.releaseClock(true)
	for {
		next, err := w.deliver(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			next = w.notifier.clock.Now().Add(time.Minute)
			w.notifier.log.Error("catalog failed; notices are not sent; trying again", "webhook", w.Name, "retry_at", next, "err", err)
		}
		timer.Set(next)
		w.releaseClock(false)
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		case <-timer.C():
		}
	}
}

// deliver sends what is due and returns when to check again. A notice that is due later than the
// longest pause comes from a clock that was ahead; it is sent, too.
func (w *worker) deliver(ctx context.Context) (next time.Time, err error) {
	failures := 0 // consecutive
	until := w.notifier.clock.Now()
	for {
		notices, err := w.notifier.catalog.DueNotices(ctx, w.Name, until, batchSize)
		if err != nil {
			return time.Time{}, err
		}
		for i := range notices {
			received, err := w.try(ctx, &notices[i])
			if err != nil {
				return time.Time{}, err
			}
			if failures++; received {
				failures = 0
			}
			if failures == failuresInRow {
				return w.notifier.clock.Now().Add(failurePause), nil
			}
		}
		if len(notices) == batchSize {
			continue
		}
		next, err := w.notifier.catalog.NextNotice(ctx, w.Name)
		if err != nil || !next.After(w.notifier.clock.Now().Add(retryPauses[len(retryPauses)-1])) {
			return next, err
		}
		until = next
	}
}

// try makes one attempt and records its result. The error is that of the catalog.
func (w *worker) try(ctx context.Context, n *inventory.Notice) (received bool, err error) {
	final, answer, err := w.send(ctx, n)
	if ctx.Err() != nil {
		return false, ctx.Err() // not the receiver's fault
	}
	n.Answer = answer
	n.Attempts++
	if err == nil {
		w.notifier.attempted(w.Name, Received)
		n.Due, n.Delivered, n.Error = time.Time{}, w.notifier.clock.Now(), ""
		if err := w.notifier.catalog.DeliverNotice(ctx, *n, KeepDelivered); err != nil && !errors.Is(err, inventory.ErrNoSuchNotice) {
			return false, err
		}
		return true, nil
	}
	log := w.notifier.log.With("webhook", w.Name, "notice", n.ID, "err", err)
	now := w.notifier.clock.Now()
	n.Error = err.Error()
	dead := final || n.Attempts > len(retryPauses) || now.Sub(n.Made) > maxAge
	if dead {
		n.Due = time.Time{}
		w.notifier.attempted(w.Name, Dead)
		log.Error("notice given up; stocktake notice list shows it", "attempt", n.Attempts)
	} else {
		n.Due = now.Add(retryPauses[n.Attempts-1])
		w.notifier.attempted(w.Name, Failed)
		log.Warn("notice not received; trying again", "attempt", n.Attempts, "retry_at", n.Due)
	}
	if err := w.notifier.catalog.SetNotice(ctx, *n); err != nil && !errors.Is(err, inventory.ErrNoSuchNotice) {
		return false, err // a notice that was dropped meanwhile is not an error
	}
	if dead {
		return false, w.notifier.removeOld(ctx)
	}
	return false, nil
}

// send posts a notice and returns the status of the answer; 0: no answer. final
// reports that another attempt is useless.
func (w *worker) send(ctx context.Context, n *inventory.Notice) (final bool, answer int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, strings.NewReader(n.Payload))
	if err != nil {
		return true, 0, errors.New("the URL of the webhook cannot be requested")
	}
	timestamp := strconv.FormatInt(w.notifier.clock.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "stocktake")
	req.Header.Set(HeaderID, n.ID)
	req.Header.Set(HeaderTimestamp, timestamp)
	req.Header.Set(HeaderSignature, Sign(w.Secret, timestamp, []byte(n.Payload)))
	resp, err := w.notifier.client.Do(req)
	if err != nil {
		// A url.Error quotes the URL, which may be secret.
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return false, 0, err
	}
	// Read a little, so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, resp.Body, 4096)
	_ = resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return false, resp.StatusCode, nil
	}
	return resp.StatusCode == http.StatusGone, resp.StatusCode, fmt.Errorf("the receiver answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
}
