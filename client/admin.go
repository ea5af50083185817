package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/signature"
)

// Admin calls the paths below /-/ of a Stocktake server that only the account itself may use: its
// clock, notices, the buckets of other stores, the work of servers, backups and scrubs. It may be
// used by many goroutines at once. OSS has no such paths.
//
// Errors: an [*AdminError] if the server refused, else the error of the connection.
type Admin struct {
	Endpoint string // URL of the server; without a scheme, https
	Region   string // that requests are signed for

	AccessKeyID     string // of the account
	AccessKeySecret string
	SecurityToken   string // of a temporary key; empty for others

	// HTTPClient sends the requests. nil means a client like that of NewHTTPClient without a time
	// limit except the context, because backups, scrubs and advancing the clock may take long.
	HTTPClient *http.Client
}

// An AdminError is a refusal by the server.
type AdminError struct {
	StatusCode int    // of HTTP
	Message    string // what the server said, at most 1,000 bytes
}

func (e *AdminError) Error() string {
	return fmt.Sprintf("the server answered %d %s: %s", e.StatusCode, http.StatusText(e.StatusCode), e.Message)
}

// ErrNoClockControl reports a server whose clock cannot be moved.
var ErrNoClockControl = errors.New("the server's clock cannot be moved: start it with --clock-control")

// Now returns the server's time, or ErrNoClockControl.
func (a *Admin) Now(ctx context.Context) (time.Time, error) {
	return a.clock(ctx, http.MethodGet, nil)
}

// AdvanceClock moves the server's time ahead by d, which must not be negative,
// and returns the new time once everything that fell due on the way has been
// started; or ErrNoClockControl.
func (a *Admin) AdvanceClock(ctx context.Context, d time.Duration) (time.Time, error) {
	return a.clock(ctx, http.MethodPost, url.Values{"advance": {d.String()}})
}

func (a *Admin) clock(ctx context.Context, method string, q url.Values) (time.Time, error) {
	var reply struct {
		Now time.Time `json:"now"`
	}
	err := a.call(ctx, method, "clock", q, &reply)
	if refused, ok := errors.AsType[*AdminError](err); ok && refused.StatusCode == http.StatusNotFound {
		err = ErrNoClockControl
	}
	return reply.Now, err
}

// BucketsElsewhere returns the buckets of named stores that have configurations, by name.
// ListBuckets has those of the server's own store alone. An *AdminError with status 403 means that
// the key is not that of the account, with status 404 that the server is an earlier version or not
// a Stocktake server.
func (a *Admin) BucketsElsewhere(ctx context.Context) ([]string, error) {
	var reply struct {
		Buckets []string `json:"buckets"`
	}
	err := a.call(ctx, http.MethodGet, "buckets", nil, &reply)
	return reply.Buckets, err
}

// Work returns the machines, and their tasks of the runs of all buckets. An *AdminError with status
// 404 means that the server is an earlier version or not a Stocktake server.
func (a *Admin) Work(ctx context.Context) (work stocktake.Work, err error) {
	err = a.call(ctx, http.MethodGet, "work", nil, &work)
	return work, err
}

// patient is the default of Admin.HTTPClient.
var patient = sync.OnceValue(func() *http.Client { return newHTTPClient(new(time.Duration)) })

// call sends a request to a path below /-/ and decodes the answer into reply.
func (a *Admin) call(ctx context.Context, method, path string, q url.Values, reply any) error {
	base := a.Endpoint
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+"/-/"+path+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	signer := signature.Credentials{ID: a.AccessKeyID, Secret: a.AccessKeySecret, Token: a.SecurityToken}
	if err := signature.Sign(req, signature.Target{Bucket: "-", Key: path}, signer, a.Region, signature.V4, time.Now()); err != nil {
		return err
	}
	c := a.HTTPClient
	if c == nil {
		c = patient()
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(&boundedBody{resp.Body, maxAnswer})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &AdminError{resp.StatusCode, strings.TrimSpace(string(body[:min(len(body), 1000)]))}
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return fmt.Errorf("not an answer of a Stocktake server: %w", err)
	}
	return nil
}
