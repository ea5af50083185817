package systemtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/testserver"
)

// killsVariable is the environment variable for how often the server is killed.
const killsVariable = "STOCKTAKE_KILLS"

// binary returns the path of the real program, which is built once.
var binary = sync.OnceValues(func() (string, error) {
	return testserver.Build(context.Background(), programs)
})

// programs is the folder of the built program.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if programs, err = os.MkdirTemp("", "systemtest"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(programs)
		return m.Run()
	}())
}

// start runs the real program on a data folder.
func start(t *testing.T, data string, args ...string) *testserver.Server {
	t.Helper()
	path, err := binary()
	check(t, err)
	s, err := testserver.Start(t.Context(), testserver.Config{Binary: path, Data: data, Args: args})
	check(t, err)
	t.Cleanup(s.Kill)
	return s
}

// A wire is a client of a server in another process.
type wire struct {
	url    string
	client *http.Client
}

func newWire(s *testserver.Server) *wire {
	return &wire{s.URL(), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

var serverKey = signature.Credentials{ID: testserver.AccessKeyID, Secret: testserver.AccessKeySecret}

// do sends a request. An error means that there was no answer, or only a part of it.
func (c *wire) do(ctx context.Context, q *request) (answer, error) {
	q.who, q.scheme = serverKey, signature.V4
	r, err := q.build(c.url, time.Now())
	if err != nil {
		return answer{}, err
	}
	res, err := c.client.Do(r.WithContext(ctx))
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	return newAnswer(q.method, res.StatusCode, res.Header, body)
}

// must sends a request and fails the test unless it succeeds.
func (c *wire) must(t *testing.T, q *request) answer {
	t.Helper()
	a, err := c.do(t.Context(), q)
	if err != nil || a.status >= 300 {
		t.Fatalf("%v: %d %s %v\n%s", q, a.status, a.code, err, a.body)
	}
	return a
}

// to makes a request.
func to(method, bucket, key string, query ...string) *request {
	q := &request{method: method, bucket: bucket, key: key, query: map[string]string{}, header: map[string]string{}}
	for i := 0; i < len(query); i += 2 {
		q.query[query[i]] = query[i+1]
	}
	return q
}

func (q *request) with(body []byte) *request {
	q.body = body
	return q
}

// inspect opens the store of a server that has ended, waits until unfinished work is removed,
// and checks that index and files agree.
func inspect(t *testing.T, data string) store.Audit {
	t.Helper()
	s, err := store.Open(t.Context(), data, store.Options{CacheBytes: 4 << 20})
	check(t, err)
	defer func() { check(t, s.Close()) }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		a, err := s.Audit(t.Context(), func(p store.Problem) { t.Errorf("audit: %v", p) }, nil)
		check(t, err)
		if a.Passing == 0 || t.Failed() {
			if n := int64(len(filesBelow(t, filepath.Join(data, "blobs")))); n != a.Files {
				t.Errorf("%d blob files, the index names %d", n, a.Files)
			}
			if left := filesBelow(t, filepath.Join(data, "tmp")); len(left) > 0 {
				t.Errorf("temporary files: %v", left)
			}
			return a
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("files that nothing names are not removed: %v", a)
		}
	}
}

func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	}))
	return files
}
