package ossapi_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
)

func md5Header(body string) string {
	sum := md5.Sum([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// gone fails the test if the object exists.
func (w *world) gone(t *testing.T, path string) {
	t.Helper()
	if m := w.do(t, "GET", path, "", nil); m.status != 404 {
		t.Errorf("%s is there: %d %q", path, m.status, m.body)
	}
}

func TestDigests(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	sum := sha256.Sum256([]byte("meow"))
	for _, header := range []map[string]string{
		{"Content-MD5": md5Header("meow")},
		{"X-Oss-Content-Sha256": hex.EncodeToString(sum[:])},
	} {
		m := w.must(t, w.do(t, "PUT", "/photos/good", "meow", header), 200)
		if m.header.Get("Content-MD5") != md5Header("meow") || m.header.Get("Etag") != `"4A4BE40C96AC6314E91D93F38043A634"` {
			t.Errorf("%v", m.header)
		}
	}
	for _, header := range []map[string]string{
		{"Content-MD5": md5Header("woof")},
		{"Content-MD5": "!"},
		{"Content-MD5": "YWJj"},
		{"X-Oss-Content-Sha256": strings.Repeat("0", 64)},
		{"X-Oss-Content-Sha256": strings.Repeat("z", 64)},
		{"X-Oss-Content-Sha256": hex.EncodeToString(sum[:])[:63]},
		{"X-Oss-Content-Sha256": hex.EncodeToString(sum[:16])},
		{"X-Oss-Content-Sha256": hex.EncodeToString(sum[:]) + "00"},
		{"X-Oss-Content-Sha256": "unsigned-payload"},
	} {
		w.refused(t, w.do(t, "PUT", "/photos/bad", "meow", header), 400, "InvalidDigest")
		w.refused(t, w.do(t, "PUT", "/photos/?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", header), 400, "InvalidDigest")
	}
	w.gone(t, "/photos/bad")
	if m := w.do(t, "GET", "/photos/?versioning", "", nil); strings.Contains(m.body, "Enabled") {
		t.Error(m.body)
	}
}

// raw sends text over a new connection and returns the answer, until the server is
// silent or closes the connection.
func (w *world) raw(t *testing.T, send func(net.Conn)) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", w.Listener.Addr().String())
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	send(conn)
	check(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// head is the head of a signed request, as text.
func (w *world) head(t *testing.T, method, path string, header map[string]string) string {
	t.Helper()
	r := w.signed(t, w.request(t, method, path, "", header))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, r.Host)
	check(t, r.Header.Write(&b))
	return b.String()
}

func code(t *testing.T, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	check(t, err)
	return message{res.StatusCode, res.Header, string(body)}.problem(t).Code
}

func TestLengths(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")

	t.Run("chunked", func(t *testing.T) {
		r := w.signed(t, w.request(t, "PUT", "/photos/chunked", "", nil))
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("me"), strings.NewReader("ow"))), -1
		w.must(t, w.send(t, r), 200)
		if m := w.do(t, "GET", "/photos/chunked", "", nil); m.body != "meow" {
			t.Errorf("%q", m.body)
		}
	})
	t.Run("empty", func(t *testing.T) {
		w.must(t, w.do(t, "PUT", "/photos/empty", "", nil), 200)
	})
	t.Run("missing", func(t *testing.T) {
		for _, path := range []string{"/photos/none", "/photos/none?append&position=0", "/photos/none?partNumber=1&uploadId=x"} {
			method := "PUT"
			if strings.Contains(path, "append") {
				method = "POST"
			}
			res := w.raw(t, func(c net.Conn) { io.WriteString(c, w.head(t, method, path, nil)+"\r\n") })
			if got := code(t, res); got != "MissingContentLength" && got != "NotImplemented" || res.StatusCode != 411 && got != "NotImplemented" {
				t.Errorf("%s: %d %s", path, res.StatusCode, got)
			}
		}
		w.gone(t, "/photos/none")
	})
	t.Run("too large", func(t *testing.T) {
		head := w.head(t, "PUT", "/photos/large", nil) + fmt.Sprintf("Content-Length: %d\r\n\r\n", int64(object.MaxPartSize)+1)
		res := w.raw(t, func(c net.Conn) { io.WriteString(c, head) })
		if got := code(t, res); got != "EntityTooLarge" || res.StatusCode != 400 {
			t.Errorf("%d %s", res.StatusCode, got)
		}
	})
	t.Run("ends early", func(t *testing.T) {
		for name, body := range map[string]string{"length": "Content-Length: 100\r\n\r\nmeow", "chunks": "Transfer-Encoding: chunked\r\n\r\n4\r\nmeow\r\n"} {
			res := w.raw(t, func(c net.Conn) {
				io.WriteString(c, w.head(t, "PUT", "/photos/short", nil)+body)
				check(t, c.(*net.TCPConn).CloseWrite())
			})
			if got := code(t, res); got != "RequestTimeout" || res.StatusCode != 400 {
				t.Errorf("%s: %d %s", name, res.StatusCode, got)
			}
		}
		w.gone(t, "/photos/short")
	})
	t.Run("malformed chunks", func(t *testing.T) {
		for name, body := range map[string]string{
			"no number": "xyz\r\n", "after a chunk": "4\r\nmeow\r\nZZZ\r\n", "too long a chunk": "4\r\nmeow, meow\r\n0\r\n\r\n",
			"too large a number": "fffffffffffffffffff\r\n", "a negative number": "-4\r\nmeow\r\n", "a long extension": "4;" + strings.Repeat("a", 1<<16),
		} {
			res := w.raw(t, func(c net.Conn) {
				io.WriteString(c, w.head(t, "PUT", "/photos/malformed", nil)+"Transfer-Encoding: chunked\r\n\r\n"+body)
			})
			if got := code(t, res); got != "InvalidRequest" || res.StatusCode != 400 {
				t.Errorf("%s: %d %s", name, res.StatusCode, got)
			}
		}
		w.gone(t, "/photos/malformed")
	})
}

// TestContinue holds that a client that expects 100-continue receives it only after
// it is authenticated and authorized.
func TestContinue(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	expect := "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	for _, head := range []string{
		"PUT /photos/cat HTTP/1.1\r\nHost: x\r\n",                                                    // anonymous
		strings.Replace(w.head(t, "PUT", "/photos/cat", nil), "Signature=", "Signature=0", 1),        // not believed
		strings.Replace(w.head(t, "PUT", "/photos/cat", nil), keyID, "nobody", 1),                    // not known
		w.head(t, "PUT", "/nowhere/cat", nil),                                                        // no bucket
		w.head(t, "PUT", "/photos/cat", map[string]string{"X-Oss-Object-Acl": "everybody"}),          // no such ACL
		w.head(t, "PUT", "/photos/cat", map[string]string{"X-Oss-Callback": "e30="}),                 // not offered
		w.head(t, "PUT", "/photos/cat", map[string]string{"X-Oss-Meta-A": strings.Repeat("a", 9e3)}), // too much
	} {
		res := w.raw(t, func(c net.Conn) { io.WriteString(c, head+expect) })
		if res.StatusCode == 100 || res.StatusCode < 400 {
			t.Errorf("%d for\n%s", res.StatusCode, head[:min(len(head), 300)])
		}
	}
	res := w.raw(t, func(c net.Conn) { io.WriteString(c, w.head(t, "PUT", "/photos/cat", nil)+expect) })
	if res.StatusCode != 100 {
		t.Errorf("%d", res.StatusCode)
	}
}

// TestDocuments sends documents that are too long, too deep, or no documents.
func TestDocuments(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	bomb := `<!DOCTYPE b [<!ENTITY a "` + strings.Repeat("a", 1000) + `"><!ENTITY b "` + strings.Repeat("&a;", 1000) + `">]><Delete>` + strings.Repeat("&b;", 1000) + `</Delete>`
	for _, target := range []string{
		"PUT /photos/?versioning", "PUT /photos/?encryption", "PUT /photos/?tagging", "PUT /photos/?lifecycle",
		"PUT /photos/?publicAccessBlock", "PUT /photos/?resourceGroup", "POST /photos/?delete",
		"PUT /photos/?inventory&inventoryId=x", "PUT /brandnew",
	} {
		method, path, _ := strings.Cut(target, " ")
		for _, doc := range []string{
			"no xml", "<a>", "<Unknown/>", bomb, strings.Repeat("<a>", 100_000), "<a>" + strings.Repeat("<b/>", 100_000) + "</a>",
			"<a>" + strings.Repeat(" ", 3<<20) + "</a>", "\xff\xfe<\x00a\x00/\x00>\x00",
		} {
			m := w.do(t, method, path, doc, nil)
			w.refused(t, m, 400, "MalformedXML")
		}
	}
	w.gone(t, "/brandnew/")
	// A chunked document has no length by which it could be rejected.
	r := w.signed(t, w.request(t, "PUT", "/photos/?inventory&inventoryId=x", "", nil))
	r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, 2<<20)), -1
	w.refused(t, w.send(t, r), 400, "MalformedXML")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestSendfile holds that the writer of an answer passes a file on unwrapped, in
// pieces, so that net/http can use sendfile.
func TestSendfile(t *testing.T) {
	in := &readerFrom{ResponseWriter: discardResponse{}}
	w := ossapi.NewResponseWriter(in)
	size := 2*ossapi.Piece + 100
	src := &io.LimitedReader{R: zeros{}, N: size}
	if n, err := io.Copy(w, src); n != size || err != nil {
		t.Fatal(n, err)
	}
	if len(in.got) != 3 || in.got[0] != ossapi.Piece || in.got[2] != 100 {
		t.Errorf("pieces %v", in.got)
	}
	for _, r := range in.sources {
		if _, ok := r.(zeros); !ok {
			t.Errorf("a reader of %T", r)
		}
	}
}

type discardResponse struct{}

func (discardResponse) Header() http.Header         { return http.Header{} }
func (discardResponse) Write(p []byte) (int, error) { return len(p), nil }
func (discardResponse) WriteHeader(int)             {}

type readerFrom struct {
	http.ResponseWriter
	got     []int64
	sources []io.Reader
}

func (w *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	l := r.(*io.LimitedReader)
	w.sources = append(w.sources, l.R)
	n, err := io.Copy(io.Discard, r)
	w.got = append(w.got, n)
	return n, err
}

// TestPanic holds that the server answers, logs and survives a panic of a handler.
func TestPanic(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	broken := newWorld(t, func(c *ossapi.Config) { c.Buckets, c.Store = bucket.New(w.store, bucket.Options{}), panicking{w.store} })
	p := broken.refused(t, broken.do(t, "PUT", "/photos/cat", "meow", nil), 500, "InternalError")
	if strings.Contains(p.Message, "boom") {
		t.Errorf("the message tells: %s", p.Message)
	}
	if log := broken.log.String(); !strings.Contains(log, "boom") || !strings.Contains(log, "operation=PutObject") {
		t.Errorf("log: %s", log)
	}
	broken.must(t, broken.do(t, "GET", "/photos/?bucketInfo", "", nil), 200)

	// An unknown error is internal, too, and the log has the request id.
	m := broken.do(t, "DELETE", "/photos/cat", "", nil)
	broken.refused(t, m, 500, "InternalError")
	if log := broken.log.String(); !strings.Contains(log, "disk on fire") || !strings.Contains(log, m.header.Get("X-Oss-Request-Id")) {
		t.Errorf("log: %s", log)
	}
}

// TestCutContent holds that a client notices an object whose content is cut off.
func TestCutContent(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	broken := newWorld(t, func(c *ossapi.Config) { c.Buckets, c.Store = bucket.New(w.store, bucket.Options{}), cutting{w.store} })
	res, err := broken.Client().Transport.RoundTrip(broken.signed(t, broken.request(t, "GET", "/photos/cat", "", nil)))
	if err == nil {
		var body []byte
		body, err = io.ReadAll(res.Body)
		res.Body.Close()
		t.Logf("%q", body)
	}
	if err == nil {
		t.Error("the answer ends as if it were whole")
	}
	if log := broken.log.String(); !strings.Contains(log, "cannot send the rest of an object") {
		t.Errorf("log: %s", log)
	}
	broken.must(t, broken.do(t, "HEAD", "/photos/cat", "", nil), 200)
}

type cutting struct{ ossapi.Store }

func (s cutting) Open(ctx context.Context, v object.Version) (object.Info, object.Content, error) {
	info, c, err := s.Store.Open(ctx, v)
	return info, cutContent{c}, err
}

type cutContent struct{ object.Content }

func (c cutContent) Range(off, n int64) (io.Reader, error) { return c.Content.Range(off, n-1) }

type panicking struct{ ossapi.Store }

func (panicking) PutObject(context.Context, object.Origin, object.Put, io.Reader) (object.Info, error) {
	panic("boom")
}

func (panicking) Delete(context.Context, object.Origin, object.Version) (object.Deleted, error) {
	return object.Deleted{}, errors.New("disk on fire")
}

// The store receives the author, request and address of a change.
func TestOrigin(t *testing.T) {
	w := newWorld(t)
	w.bucket(t, "photos")
	w.must(t, w.do(t, "DELETE", "/photos?publicAccessBlock", "", nil), 204)
	w.must(t, w.do(t, "PUT", "/photos?acl", "", map[string]string{"x-oss-acl": "public-read-write"}), 200)
	var seen []object.Origin
	listening := newWorld(t, func(c *ossapi.Config) {
		c.Buckets, c.Store = bucket.New(w.store, bucket.Options{}), origins{w.store, &seen}
	})
	signed := listening.must(t, listening.do(t, "PUT", "/photos/cat", "meow", nil), 200)
	anonymous := listening.must(t, listening.send(t, listening.request(t, "PUT", "/photos/dog", "bark", nil)), 200)
	local := netip.MustParseAddr("127.0.0.1")
	want := []object.Origin{
		{Principal: account, Request: signed.header.Get("X-Oss-Request-Id"), Address: local},
		{Principal: object.Anonymous, Request: anonymous.header.Get("X-Oss-Request-Id"), Address: local},
	}
	if !slices.Equal(seen, want) {
		t.Errorf("origins %v, want %v", seen, want)
	}
}

type origins struct {
	ossapi.Store
	seen *[]object.Origin
}

func (s origins) PutObject(ctx context.Context, by object.Origin, p object.Put, body io.Reader) (object.Info, error) {
	*s.seen = append(*s.seen, by)
	return s.Store.PutObject(ctx, by, p, body)
}
