package ossapi

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strconv"
	"time"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// Bounds on documents in bodies, in bytes.
const (
	maxDocument = 1 << 20
	maxDelete   = 2 << 20 // 1,000 names of 1,023 bytes, all of them escaped twice over
	maxComplete = 4 << 20 // 10,000 parts
)

// documentTimes is how many times Config.BodyTimeout a document may take as a
// whole: it is read before all rights are known, and costs memory meanwhile.
const documentTimes = 4

// readAhead is how much memory a document is given before it comes, in bytes.
const readAhead = 64 << 10

// A bodyReader reads a request's body. It gives up one that stands still, and
// marks the errors of reading it, so that they are not taken for the store's.
type bodyReader struct {
	c    *call
	n    int64     // bytes read
	last time.Time // when the deadline was moved
	end  time.Time // when all of it must be there; zero: it may take its time
	done bool      // read to its end, or broken
}

// body starts to read the request's body. Only now a client that sent
// "Expect: 100-continue" is told to go on.
func (c *call) body() *bodyReader {
	if c.in == nil {
		c.in = &bodyReader{c: c}
	}
	return c.in
}

func (b *bodyReader) Read(p []byte) (int, error) {
	// A deadline costs a lock in the runtime: move it when a part of it is used.
	if now := time.Now(); now.Sub(b.last) > b.c.BodyTimeout/16 {
		b.last = now
		deadline := now.Add(b.c.BodyTimeout)
		if !b.end.IsZero() && b.end.Before(deadline) {
			deadline = b.end
		}
		_ = b.c.w.rc.SetReadDeadline(deadline)
	}
	n, err := b.c.r.Body.Read(p)
	b.n += int64(n)
	if err == nil {
		return n, nil
	}
	b.done = true
	if err == io.EOF {
		// net/http goes on reading the connection to see whether the client leaves:
		// that must not end with our deadline.
		_ = b.c.w.rc.SetReadDeadline(time.Time{})
		return n, io.EOF
	}
	return n, &bodyError{err}
}

// A bodyError is why a body could not be read to its end.
type bodyError struct{ err error }

func (e *bodyError) Error() string     { return "request body: " + e.err.Error() }
func (e *bodyError) Unwrap() error     { return e.err }
func (e *bodyError) Is(err error) bool { return err == errBody }

// leaveBody makes sure that what is left of a body cannot hold the connection:
// before net/http sends an answer it discards up to 256 KiB of it for the sake
// of the next request, as fast as the client cares to send.
func (c *call) leaveBody() {
	if c.r.ContentLength == 0 || c.in != nil && c.in.done {
		return
	}
	_ = c.w.rc.SetReadDeadline(time.Now().Add(c.BodyTimeout))
}

// readDocument reads a body of at most limit bytes and checks it against the
// digests of the headers. A longer one is malformed: no document of ours is.
func (c *call) readDocument(limit int64) ([]byte, error) {
	if c.r.ContentLength > limit {
		return nil, ossxml.Malformed("the document is longer than " + strconv.FormatInt(limit, 10) + " bytes")
	}
	digests, err := c.digests()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(c.r.ContentLength, 0), readAhead)) + bytes.MinRead)
	in := c.body()
	in.end = time.Now().Add(documentTimes * c.BodyTimeout)
	if _, err := buf.ReadFrom(io.LimitReader(in, limit+1)); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, ossxml.Malformed("the document is longer than " + strconv.FormatInt(limit, 10) + " bytes")
	}
	return buf.Bytes(), digests.check(buf.Bytes())
}

// readXML reads a body that is one XML document.
func (c *call) readXML(root string, limit int64) (*ossxml.Element, error) {
	data, err := c.readDocument(limit)
	if err != nil {
		return nil, err
	}
	return ossxml.Parse(data, root)
}

// readOptionalXML is readXML, but gives nil for a body that is empty.
func (c *call) readOptionalXML(root string) (*ossxml.Element, error) {
	data, err := c.readDocument(maxDocument)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return nil, err
	}
	return ossxml.Parse(data, root)
}

// digests are what a client says of its body; nil where it does not.
type digests struct{ md5, sha256 []byte }

// digests reads Content-MD5 and, where it is one, the digest in
// x-oss-content-sha256.
func (c *call) digests() (d digests, err error) {
	if v := c.r.Header.Get("Content-Md5"); v != "" {
		if d.md5, err = base64.StdEncoding.DecodeString(v); err != nil || len(d.md5) != md5.Size {
			return digests{}, errInvalidDigest
		}
	}
	if v := c.r.Header.Get("X-Oss-Content-Sha256"); len(v) == 2*sha256.Size {
		if d.sha256, err = hex.DecodeString(v); err != nil {
			return digests{}, errInvalidDigest
		}
	}
	return d, nil
}

func (d digests) check(body []byte) error {
	if d.md5 != nil {
		if sum := md5.Sum(body); !bytes.Equal(sum[:], d.md5) {
			return object.ErrBadDigest
		}
	}
	if d.sha256 != nil {
		if sum := sha256.Sum256(body); !bytes.Equal(sum[:], d.sha256) {
			return object.ErrBadDigest
		}
	}
	return nil
}

// upload fills in what the headers say of a body that is an object's content.
func (c *call) upload(p *object.Put) error {
	d, err := c.digests()
	if err != nil {
		return err
	}
	p.Size, p.MD5, p.SHA256 = c.r.ContentLength, d.md5, d.sha256
	switch {
	case p.Size > object.MaxPartSize:
		return object.ErrTooLarge
	case p.Size == 0 && c.r.ProtoMajor == 1 && len(c.r.TransferEncoding) == 0 && c.r.Header.Get("Content-Length") == "":
		return errMissingLength
	}
	return nil
}
