package ossapi_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stocktake/stocktake/internal/bucket"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/ram"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/testpipe"
)

// slowWorld runs test in virtual time, with a server behind a pipe.
func slowWorld(t *testing.T, test func(t *testing.T, st *store.Store, dial func() net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		access, err := ram.Open("", ram.Root{AccessKeyID: keyID, Secret: secret, Account: account}, ram.Options{})
		check(t, err)
		st, err := store.Open(t.Context(), t.TempDir(), store.Options{})
		check(t, err)
		check(t, st.CreateBucket(t.Context(), object.ByService("test"), object.Bucket{Name: "photos", Owner: account, Created: time.Now(), Redundancy: "LRS", ACL: 1}, false))
		listener := testpipe.New()
		srv := &http.Server{Handler: ossapi.New(ossapi.Config{Buckets: bucket.New(st, bucket.Options{}), Store: st, Access: access, Region: region})}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(listener) }()
		test(t, st, listener.Dial)
		check(t, srv.Close())
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		check(t, st.Close())
	})
}

// headOf is the head of a signed request, as text.
func headOf(t *testing.T, method, path string) string {
	t.Helper()
	r, err := http.NewRequest(method, "http://x"+path, nil)
	check(t, err)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	check(t, signature.Sign(r, signature.Target{Bucket: bucket, Key: key}, signature.Credentials{ID: keyID, Secret: secret}, region, signature.V4, time.Now()))
	var b strings.Builder
	io.WriteString(&b, method+" "+path+" HTTP/1.1\r\nHost: x\r\n")
	check(t, r.Header.Write(&b))
	return b.String()
}

// TestSlowBodies sends a part of a body and then nothing more.
func TestSlowBodies(t *testing.T) {
	slowWorld(t, func(t *testing.T, st *store.Store, dial func() net.Conn) {
		for target, want := range map[string]string{
			"PUT /photos/slow":         "RequestTimeout",
			"PUT /photos/?versioning":  "RequestTimeout",
			"POST /photos/?delete":     "RequestTimeout",
			"PUT /photos/slow?policy":  "NotImplemented", // that body is not read
			"GET /photos/?list-type=2": "",
		} {
			method, path, _ := strings.Cut(target, " ")
			conn := dial()
			start := time.Now()
			io.WriteString(conn, headOf(t, method, path)+"Content-Length: 100\r\n\r\nmeow")
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			check(t, err)
			if took := time.Since(start); took > 2*time.Minute || !res.Close {
				t.Errorf("%s: %d after %v, close %v", target, res.StatusCode, took, res.Close)
			}
			if want != "" {
				if got := code(t, res); got != want {
					t.Errorf("%s: %s, want %s", target, got, want)
				}
			}
			conn.Close()
		}
		if _, err := st.Head(t.Context(), object.Version{Bucket: "photos", Key: "slow"}); !errors.Is(err, object.ErrNoSuchKey) {
			t.Errorf("the object is there: %v", err)
		}
	})
}

// TestPatience holds that a body may be slow as long as it makes progress, and that
// a connection may be idle between requests.
func TestPatience(t *testing.T) {
	slowWorld(t, func(t *testing.T, _ *store.Store, dial func() net.Conn) {
		conn := dial()
		defer conn.Close()
		in := bufio.NewReader(conn)
		for range 2 {
			io.WriteString(conn, headOf(t, "PUT", "/photos/fine")+"Content-Length: 10\r\n\r\n")
			for range 10 {
				time.Sleep(50 * time.Second) // virtual, as all of this
				io.WriteString(conn, "x")
			}
			res, err := http.ReadResponse(in, nil)
			check(t, err)
			if res.StatusCode != 200 {
				t.Errorf("%d", res.StatusCode)
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestSlowDocuments holds that the time of a document is limited, because it is
// read before its sender is authorized, and so is that of a form whose fields never
// end.
func TestSlowDocuments(t *testing.T) {
	for name, begun := range map[string]string{
		"document": "POST /photos/?delete HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n",
		"form": "POST /photos/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 2000000\r\n\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			slowWorld(t, func(t *testing.T, _ *store.Store, dial func() net.Conn) {
				conn := dial()
				defer conn.Close()
				start := time.Now()
				io.WriteString(conn, begun)
				go func() {
					for {
						time.Sleep(50 * time.Second)
						if _, err := io.WriteString(conn, " "); err != nil {
							return
						}
					}
				}()
				check(t, conn.SetReadDeadline(time.Now().Add(time.Hour)))
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				check(t, err)
				if got := code(t, res); got != "RequestTimeout" || time.Since(start) > 10*time.Minute {
					t.Errorf("%s after %v", got, time.Since(start))
				}
				time.Sleep(time.Hour) // both sides have noticed
			})
		})
	}
}

// TestSlowReaders requests an object and reads little of it: the server ends the
// answer. A client that keeps reading gets the whole object.
func TestSlowReaders(t *testing.T) {
	slowWorld(t, func(t *testing.T, st *store.Store, dial func() net.Conn) {
		size := 4 << 20
		_, err := st.PutObject(t.Context(), object.ByService("test"), object.Put{Bucket: "photos", Key: "large", Size: int64(size)}, strings.NewReader(strings.Repeat("x", size)))
		check(t, err)
		conn := dial()
		defer conn.Close()
		io.WriteString(conn, headOf(t, "GET", "/photos/large")+"\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		check(t, err)
		time.Sleep(time.Hour)
		if n, err := io.Copy(io.Discard, res.Body); err == nil || n >= int64(size) {
			t.Errorf("%d bytes, %v", n, err)
		}

		conn = dial()
		defer conn.Close()
		io.WriteString(conn, headOf(t, "GET", "/photos/large")+"\r\n")
		res, err = http.ReadResponse(bufio.NewReader(conn), nil)
		check(t, err)
		total := 0
		for buf := make([]byte, 256<<10); ; {
			n, err := io.ReadFull(res.Body, buf)
			total += n
			if err != nil {
				break
			}
			time.Sleep(40 * time.Second)
		}
		if total != size {
			t.Errorf("%d of %d bytes", total, size)
		}
	})
}
