package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stocktake/stocktake/internal/inflate"
	"github.com/stocktake/stocktake/internal/listpage"
	"github.com/stocktake/stocktake/internal/ossxml"
)

const (
	// brokenPages is how often a page is requested that arrives broken with status
	// 200. AWS documents that this can happen.
	brokenPages = 5

	// brokenPause is the pause before the second attempt; each pause is twice as long
	// as the one before.
	brokenPause = 100 * time.Millisecond

	maxErrorBody = 64 << 10 // bytes of the body of an error

	// maxPreallocated bounds the memory that is allocated only because a service announces a
	// long body, in bytes.
	maxPreallocated = 2 << 20
)

// A lister requests pages, one after another.
type lister struct {
	s           *Store
	bucket      string
	buffers     *bufferPool
	*pageBuffer // the last one; nil: it has been returned to the pool
}

// A pageBuffer is the memory of a page.
type pageBuffer struct {
	page  listpage.Page
	body  []byte
	plain *inflate.Reader // of a compressed answer; nil: there was none yet
}

// bufferPool is a pool of page buffers. The buffer that was returned last is reused
// first, because it is in the caches of the processor. A lister takes a buffer when
// the service begins to answer, so that waiting requests, which are most of them,
// hold none.
type bufferPool struct {
	mu   sync.Mutex
	idle []*pageBuffer // at most as many as were in use at once
}

func (r *bufferPool) get() *pageBuffer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.idle); n > 0 {
		a := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return a
	}
	return new(pageBuffer)
}

func (r *bufferPool) put(a *pageBuffer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, a)
}

// release returns the buffer of the last answer, which is no longer used.
func (l *lister) release() {
	if l.pageBuffer != nil {
		l.buffers.put(l.pageBuffer)
		l.pageBuffer = nil
	}
}

// errBroken reports a page that is not the requested one, or is incomplete. The
// request may be repeated.
var errBroken = errors.New("the page is broken")

// get requests the page that begins after marker, and calls check on it.
func (l *lister) get(ctx context.Context, query url.Values, marker string, check func() error) error {
	pause := brokenPause
	for n := 1; ; n++ {
		err := l.try(ctx, query)
		if err == nil && !l.page.Continues(marker) {
			err = fmt.Errorf("%w: it is not the page after %.200q", errBroken, marker)
		}
		if err == nil {
			err = check()
		}
		broken := errors.Is(err, errBroken) || errors.Is(err, listpage.ErrMalformed) || errors.Is(err, listpage.ErrOrder)
		if broken && n == brokenPages && ctx.Err() == nil {
			err = &UnansweredError{err}
		}
		if err == nil || !broken || n == brokenPages || ctx.Err() != nil {
			return withBucket("list "+l.bucket, err)
		}
		l.s.log.WarnContext(ctx, "requesting a page of a listing again", "bucket", l.bucket, "attempt", n, "err", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause *= 2
	}
}

func (l *lister) try(ctx context.Context, query url.Values) error {
	u := l.s.conn.url(l.bucket)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set(acceptEncoding, "gzip")
	resp, err := l.s.conn.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Needs(l.s.dialect.ListRight(query.Has("versions")), errorOf(resp))
	}
	if l.pageBuffer == nil {
		l.pageBuffer = l.buffers.get()
	}
	if err := l.read(resp); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return l.page.Parse(l.body)
}

// read reads the body of an answer, or enough of it to see that it is too long. If
// the service announces the length, the buffer is allocated for the whole body
// before the first byte, with room for a slightly longer page: most pages then need
// few reads and no allocation.
//
// MinIO, for example, compresses pages to a twentieth. The transport would decompress
// them too, but that takes longer than parsing them.
func (l *lister) read(resp *http.Response) error {
	body, src := l.body[:0], io.Reader(resp.Body)
	if compressed(resp) {
		if l.plain == nil {
			l.plain = new(inflate.Reader)
		}
		l.plain.ResetGzip(resp.Body)
		src = l.plain
	}
	if n := int(min(resp.ContentLength, maxPreallocated)); n >= cap(body) {
		body = make([]byte, 0, n+n/8+1)
	}
	for len(body) <= listpage.MaxBody {
		if len(body) == cap(body) {
			body = slices.Grow(body, max(len(body), 64<<10))
		}
		n, err := src.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		l.body = body
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// acceptEncoding is the header that asks for a compressed answer. It is not signed,
// because proxies change it.
const acceptEncoding = "Accept-Encoding"

// compressed reports whether the body of an answer is compressed.
func compressed(resp *http.Response) bool {
	return strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip")
}

// errorOf returns the error that the service has answered.
func errorOf(resp *http.Response) error {
	src := io.Reader(resp.Body)
	if compressed(resp) {
		src = inflate.NewGzip(src)
	}
	raw, err := io.ReadAll(io.LimitReader(src, maxErrorBody))
	if err != nil {
		return fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	var code, message string
	if doc, err := ossxml.Parse(raw, "Error"); err == nil {
		code, message = doc.Value("Code"), doc.Value("Message")
	}
	return &Error{Status: resp.StatusCode, Code: code, Err: fmt.Errorf("status %d: %.100q: %.300q", resp.StatusCode, code, message)}
}
