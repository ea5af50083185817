// Package notify delivers notices of runs to webhooks. Notices are signed and retried; those that
// cannot be delivered are kept on a list.
//
// The format of a notice is in docs/formats/webhook.md.
package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/outbound"
)

// A Webhook is a receiver of notices.
type Webhook struct {
	Name   string // unique; notices are kept under it, so that the URL may change
	URL    string // http or https; never shown or logged, as many receivers put a secret into it
	Secret []byte // of the signature, at least 16 bytes

	// Events are those that the receiver gets notices of; empty means all.
	Events []inventory.EventKind
}

// Options tune [Notifier]. The zero value suits production.
type Options struct {
	Client *http.Client  // nil: one with a timeout of 10 s that reaches what [outbound.NotMetadata] allows; redirects are never followed
	Clock  clock.Clock   // nil: the machine's
	Keep   time.Duration // how long a delivered or dead notice is kept; 0: 30 days
	Log    *slog.Logger  // nil: slog.Default()

	// Attempted is called after each attempt to deliver a notice, with the name of the
	// webhook and Received, Failed or Dead; nil means no call.
	Attempted func(webhook, result string)
}

// Results of an attempt to deliver a notice.
const (
	Received = "received"
	Failed   = "failed" // it is tried again
	Dead     = "dead"   // it is not tried again
)

// Notifier delivers notices. It is the [inventory.Notifier] of a service.
type Notifier struct {
	catalog   inventory.NoticeCatalog
	workers   []*worker
	client    *http.Client
	clock     clock.Clock
	keep      time.Duration
	log       *slog.Logger
	attempted func(webhook, result string)
}

var _ inventory.Notifier = (*Notifier)(nil)

// New returns the deliverer of the notices in catalog.
func New(catalog inventory.NoticeCatalog, webhooks []Webhook, opts Options) (*Notifier, error) {
	h := &Notifier{
		catalog: catalog, clock: opts.Clock,
		keep: cmp.Or(opts.Keep, 30*24*time.Hour),
		log:  cmp.Or(opts.Log, slog.Default()), attempted: opts.Attempted,
	}
	if h.attempted == nil {
		h.attempted = func(string, string) {}
	}
	if h.clock == nil {
		h.clock = clock.Real{}
	}
	transport := outbound.Transport(outbound.NotMetadata)
	transport.Proxy = http.ProxyFromEnvironment
	client := http.Client{Timeout: 10 * time.Second, Transport: transport}
	if opts.Client != nil {
		client = *opts.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.client = &client
	for _, webhook := range webhooks {
		if err := checkWebhook(&webhook); err != nil {
			return nil, err
		}
		if h.worker(webhook.Name) != nil {
			return nil, fmt.Errorf("two webhooks are named %q", webhook.Name)
		}
		h.workers = append(h.workers, &worker{Webhook: webhook, notifier: h, changed: make(chan struct{}, 1), latch: clock.Latch{Clock: h.clock}})
	}
	return h, nil
}

// CheckReceiver returns an error for an invalid name or URL of a receiver. The
// error does not repeat the URL, which may be secret.
func CheckReceiver(name, receiver string) error {
	u, err := url.Parse(receiver)
	switch {
	case name == "" || len(name) > 100:
		return fmt.Errorf("the name of a webhook has 1 to 100 bytes, not %d", len(name))
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%q is not the name of a webhook: characters that can be printed are expected", name)
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return fmt.Errorf("webhook %s: its URL must begin with http:// or https://", name)
	}
	return nil
}

func checkWebhook(h *Webhook) error {
	if err := CheckReceiver(h.Name, h.URL); err != nil {
		return err
	}
	if len(h.Secret) < 16 {
		return fmt.Errorf("webhook %s: its secret has %d bytes, fewer than 16", h.Name, len(h.Secret))
	}
	known := []inventory.EventKind{inventory.EventSucceeded, inventory.EventFailed, inventory.EventLate, inventory.EventRecovered}
	for _, e := range h.Events {
		if !slices.Contains(known, e) {
			return fmt.Errorf("webhook %s: unknown event %q; the events are %v", h.Name, e, known)
		}
	}
	return nil
}

// payload is the body of a notice.
type payload struct {
	ID    string              `json:"id"`
	Event inventory.EventKind `json:"event"`
	Time  time.Time           `json:"time"`
	Run   stocktake.Run       `json:"run"`
}

// Notices implements [inventory.Notifier].
func (h *Notifier) Notices(e inventory.Event) (notices []inventory.Notice) {
	for _, w := range h.workers {
		if len(w.Events) > 0 && !slices.Contains(w.Events, e.Kind) {
			continue
		}
		id := uuid.NewString()
		body, err := json.Marshal(payload{id, e.Kind, e.Time, e.Run})
		if err != nil { // strings, numbers and times of our own making
			h.log.Error("cannot write a notice", "run", e.Run.ID, "event", e.Kind, "err", err)
			continue
		}
		notices = append(notices, inventory.Notice{
			ID: id, Target: w.Name, Made: e.Time, Due: e.Time, Payload: string(body),
			Bucket: e.Run.Bucket, Configuration: e.Run.Configuration, Run: e.Run.ID,
		})
	}
	return notices
}

// Stored implements [inventory.Notifier]. It requires that Serve runs or will run, since it holds the
// clock until Serve has done its work.
func (h *Notifier) Stored() {
	for _, w := range h.workers {
		w.wake()
	}
}

// Serve delivers notices until ctx ends, and then returns nil. Without webhooks it
// returns at once. Receivers do not wait for each other.
func (h *Notifier) Serve(ctx context.Context) error {
	if err := h.markUnknownDead(ctx); err != nil {
		h.log.Error("cannot give up the notices of removed webhooks", "err", err)
	}
	var wg sync.WaitGroup
	for _, w := range h.workers {
		wg.Go(func() { w.serve(ctx) })
	}
	wg.Wait()
	return nil
}

// markUnknownDead marks the notices for webhooks that are no longer configured as dead.
func (h *Notifier) markUnknownDead(ctx context.Context) error {
	targets, err := h.catalog.Targets(ctx)
	if err != nil {
		return err
	}
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, target := range targets {
		if h.worker(target) != nil {
			continue
		}
		for {
			notices, err := h.catalog.DueNotices(ctx, target, far, batchSize)
			if err != nil {
				return err
			}
			for _, n := range notices {
				n.Due, n.Error = time.Time{}, ErrNoSuchWebhook.Error()
				if err := h.catalog.SetNotice(ctx, n); err != nil && !errors.Is(err, inventory.ErrNoSuchNotice) {
					return err
				}
			}
			if len(notices) < batchSize {
				break
			}
		}
	}
	return h.removeOld(ctx)
}

// removeOld removes notices that are older than Options.Keep.
func (h *Notifier) removeOld(ctx context.Context) error {
	return h.catalog.ForgetNotices(ctx, h.clock.Now().Add(-h.keep))
}

// Dead returns up to max dead notices whose id sorts after after, in order of their
// ids.
func (h *Notifier) Dead(ctx context.Context, after string, max int) ([]inventory.Notice, error) {
	return h.catalog.DeadNotices(ctx, after, max)
}

// KeepDelivered is the number of delivered notices kept per receiver, the newest ones.
const KeepDelivered = 200

// History returns up to max notices, the newest first.
func (h *Notifier) History(ctx context.Context, q inventory.NoticeQuery, max int) ([]inventory.Notice, error) {
	return h.catalog.Notices(ctx, q, max)
}

// EventTest is the event of a test notice, which is not about a run.
const EventTest inventory.EventKind = "test"

// Test sends a notice of EventTest to a receiver, independent of its events, and returns the id of
// the notice, or [ErrNoSuchWebhook].
func (h *Notifier) Test(ctx context.Context, webhook string) (id string, err error) {
	w := h.worker(webhook)
	if w == nil {
		return "", fmt.Errorf("webhook %s: %w", webhook, ErrNoSuchWebhook)
	}
	now := h.clock.Now()
	id = uuid.NewString()
	body, err := json.Marshal(payload{ID: id, Event: EventTest, Time: now})
	if err != nil {
		return "", err
	}
	if err := h.catalog.AddNotice(ctx, inventory.Notice{ID: id, Target: w.Name, Made: now, Due: now, Payload: string(body)}); err != nil {
		return "", err
	}
	w.wake()
	return id, nil
}

// worker returns the worker with a name, or nil.
func (h *Notifier) worker(name string) *worker {
	if i := slices.IndexFunc(h.workers, func(w *worker) bool { return w.Name == name }); i >= 0 {
		return h.workers[i]
	}
	return nil
}

// ErrNoSuchWebhook reports a notice whose webhook is not configured.
var ErrNoSuchWebhook = errors.New("no webhook of this name is configured")

// Retry delivers a notice again, at once, even if it was delivered before. It
// returns [inventory.ErrNoSuchNotice] or [ErrNoSuchWebhook] if it cannot.
func (h *Notifier) Retry(ctx context.Context, id string) error {
	n, err := h.catalog.Notice(ctx, id)
	if err != nil {
		return err
	}
	w := h.worker(n.Target)
	if w == nil {
		return fmt.Errorf("webhook %s: %w", n.Target, ErrNoSuchWebhook)
	}
	n.Attempts, n.Due, n.Delivered = 0, h.clock.Now(), time.Time{}
	if err := h.catalog.SetNotice(ctx, n); err != nil {
		return err
	}
	w.wake()
	return nil
}

// Drop removes a notice, or returns [inventory.ErrNoSuchNotice].
func (h *Notifier) Drop(ctx context.Context, id string) error {
	if _, err := h.catalog.Notice(ctx, id); err != nil {
		return err
	}
	return h.catalog.RemoveNotice(ctx, id)
}
