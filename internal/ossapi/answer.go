package ossapi

import (
	"io"
	"net/http"
	"strconv"

	"github.com/stocktake/stocktake/internal/ossxml"
)

// piece is how many bytes of an object are sent before the write deadline is
// extended. At a minute a piece, a client that reads 9 KB/s gets the whole object.
const piece = 512 << 10

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n := 0
	for {
		w.extendDeadline()
		m, err := w.ResponseWriter.Write(p[n:min(n+piece, len(p))])
		n += m
		w.sent += int64(m)
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

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
			part.R, part.N = whole.R, min(whole.N, piece) // net/http uses sendfile only below a single limit
		}
		want := part.N
		w.extendDeadline()
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

// Unwrap returns the underlying writer, for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// document answers with a complete body.
func (c *call) document(status int, contentType string, body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // an error means that the client has left
	return nil
}

// xml answers 200 with the document that fill writes.
func (c *call) xml(fill func(*ossxml.Writer)) error {
	x := ossxml.Writer{Buf: append(make([]byte, 0, 1024), ossxml.Header...)}
	fill(&x)
	return c.document(http.StatusOK, "application/xml", x.Buf)
}
