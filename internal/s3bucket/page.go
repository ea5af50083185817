package s3bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/listpage"
	"github.com/stocktake/stocktake/internal/ossxml"
)

const (
	// emptySHA256 is the hash of a body that is empty.
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

	// brokenPages is how often a page is asked for that arrives broken, though with
	// status 200: AWS says that it can.
	brokenPages = 4

	maxError = 64 << 10 // bytes of the body of an error
)

// A lister requests pages, one after another, and reuses their memory.
type lister struct {
	s      *Store
	bucket string
	page   listpage.Page
	body   bytes.Buffer
}

// get requests one page.
func (l *lister) get(ctx context.Context, query url.Values) error {
	for n := 1; ; n++ {
		err := l.try(ctx, query)
		broken := errors.Is(err, listpage.ErrMalformed) || errors.Is(err, io.ErrUnexpectedEOF)
		if err == nil || !broken || n == brokenPages || ctx.Err() != nil {
			return err
		}
		l.s.opts.Log.Warn("a page of a listing is asked for again", "bucket", l.bucket, "attempt", n, "err", err)
	}
}

func (l *lister) try(ctx context.Context, query url.Values) error {
	req, err := l.s.request(ctx, l.bucket, query)
	if err != nil {
		return err
	}
	resp, err := l.s.http.Do(req)
	if err != nil {
		return fmt.Errorf("list %s: %w", l.bucket, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return l.refused(resp)
	}
	l.body.Reset()
	if _, err := l.body.ReadFrom(io.LimitReader(resp.Body, listpage.MaxBody+1)); err != nil {
		return fmt.Errorf("list %s: %w", l.bucket, err)
	}
	if err := l.page.Parse(l.body.Bytes()); err != nil {
		return fmt.Errorf("list %s: %w", l.bucket, err)
	}
	return nil
}

// refused returns the error that an answer of the store stands for.
func (l *lister) refused(resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	if err != nil {
		return fmt.Errorf("list %s: status %d: %w", l.bucket, resp.StatusCode, err)
	}
	var code, message string
	if doc, err := ossxml.Parse(raw, "Error"); err == nil {
		code, message = doc.Value("Code"), doc.Value("Message")
	}
	return coded(l.bucket, code, fmt.Errorf("list %s: status %d: %.100q: %.300q", l.bucket, resp.StatusCode, code, message))
}

// request returns a signed GET of a bucket.
func (s *Store) request(ctx context.Context, bucket string, query url.Values) (*http.Request, error) {
	u := *s.endpoint
	u.Path = "/" + bucket
	if s.opts.VirtualHosts {
		u.Host, u.Path = bucket+"."+u.Host, "/"
	}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	c, err := s.opts.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	req.Header.Set("X-Amz-Content-Sha256", emptySHA256)
	if err := s.signer.SignHTTP(ctx, c, req, emptySHA256, "s3", s.opts.Region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return req, nil
}
