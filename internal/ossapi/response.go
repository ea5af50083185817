package ossapi

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/stocktake/stocktake/internal/ossxml"
)

// A responseWriter counts what is answered and adds the headers that are known
// last. It keeps the way to sendfile open: ReadFrom hands a file on as it is.
type responseWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	start   time.Time
	timeout time.Duration // of one write; see Config.BodyTimeout
	leave   func()        // called before the first byte of the answer; may be nil
	status  int           // 0: nothing sent yet
	sent    int64         // bytes of body
}

// WriteHeader sends the status and the headers.
func (w *responseWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.Header()["X-Oss-Server-Time"] = []string{strconv.FormatInt(time.Since(w.start).Milliseconds(), 10)}
	if w.leave != nil {
		w.leave()
	}
	w.patience()
	w.ResponseWriter.WriteHeader(status)
}

// patience gives the client another timeout to read what comes next, and one
// more for what net/http may do first: discard the rest of the request. Not
// every writer of a test can do that, which does no harm.
func (w *responseWriter) patience() { _ = w.rc.SetWriteDeadline(time.Now().Add(2 * w.timeout)) }

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// piece is how much of an object is sent before the client's patience is
// renewed. At a minute a piece, a client that reads 9 KB/s gets the whole.
const piece = 512 << 10

// ReadFrom sends r. An [io.LimitedReader] of a file goes out by sendfile, in
// pieces.
func (w *responseWriter) ReadFrom(r io.Reader) (sent int64, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	for {
		part := &io.LimitedReader{R: r, N: piece}
		whole, limited := r.(*io.LimitedReader)
		if limited {
			part.R, part.N = whole.R, min(whole.N, piece) // one limit only, or sendfile is missed
		}
		want := part.N
		w.patience()
		n, err := io.Copy(w.ResponseWriter, part)
		sent += n
		w.sent += n
		if limited {
			whole.N -= n
		}
		if err != nil || n < want || limited && whole.N <= 0 {
			return sent, err
		}
	}
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// empty answers without a body.
func (c *call) empty(status int) error {
	if status != http.StatusNoContent && status != http.StatusNotModified {
		c.w.Header()["Content-Length"] = []string{"0"}
	}
	c.w.WriteHeader(status)
	return nil
}

// document answers with a whole body.
func (c *call) document(status int, contentType string, body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // if the client is gone, nobody is left to be told
	return nil
}

// xml answers 200 with the document that fill writes.
func (c *call) xml(fill func(*ossxml.Writer)) error {
	x := ossxml.Writer{Buf: append(make([]byte, 0, 1024), ossxml.Header...)}
	fill(&x)
	return c.document(http.StatusOK, "application/xml", x.Buf)
}

// set sets a response header, unless the value is empty.
func (c *call) set(name, value string) {
	if value != "" {
		c.w.Header()[name] = []string{value}
	}
}
