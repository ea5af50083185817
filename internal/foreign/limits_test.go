package foreign_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/throttle"
)

// The limit of a store holds for all its clients together: several runs, with
// the credentials of several roles, their listings and their requests about
// objects.
func TestLimitsHoldForAllClients(t *testing.T) {
	const most = 3
	var mu sync.Mutex
	var now, highest, listings, heads int
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now++
		highest = max(highest, now)
		mu.Unlock()
		defer func() {
			mu.Lock()
			now--
			mu.Unlock()
		}()
		switch q := r.URL.Query(); {
		case q.Has("versioning"):
			io.WriteString(w, "<VersioningConfiguration/>")
		case q.Has("list-type"):
			rows := ""
			for i := range 40 {
				rows += fmt.Sprintf("<Contents><Key>k%02d</Key><LastModified>2026-01-05T16:00:01.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>", i)
			}
			mu.Lock()
			listings++
			mu.Unlock()
			fmt.Fprint(w, "<ListBucketResult><IsTruncated>false</IsTruncated>", rows, "</ListBucketResult>")
		case r.Method == http.MethodHead:
			mu.Lock()
			heads++
			mu.Unlock()
		}
	}))
	t.Cleanup(far.Close)
	t.Setenv("LAKE_ACCESS_KEY_ID", "k")
	t.Setenv("LAKE_ACCESS_KEY_SECRET", "s")
	key := filepath.Join(t.TempDir(), "key.yaml")
	if err := os.WriteFile(key, []byte("access-key-id: other\naccess-key-secret: s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := foreign.File(key)
	settings := foreign.Settings{
		Name: "lake", Kind: foreign.S3, Endpoint: far.URL, Credentials: foreign.Env("LAKE"), Buckets: []string{"*"},
		Roles: []foreign.RoleCredentials{{Role: "a"}, {Role: "b", Credentials: &other}},
	}
	settings.Limits.Concurrency = most
	st, err := foreign.Open(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	const each = 4
	var runs sync.WaitGroup
	for _, role := range []string{"a", "b"} {
		for range each {
			runs.Go(func() {
				source, err := st.Source(role)
				if err != nil {
					t.Error(err)
					return
				}
				snap, err := source.Snapshot(t.Context(), "lake")
				if err != nil {
					t.Error(err)
					return
				}
				defer snap.Close()
				detailed := snap.(engine.DetailedSnapshot)
				err = snap.Scan(t.Context(), engine.Segment{}, false, func(batch []stocktake.Record) error {
					return detailed.Fetch(t.Context(), batch, []stocktake.Field{stocktake.FieldEncryptionStatus}, func(int) bool { return true })
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	runs.Wait()
	if highest > most || listings != 2*each || heads != 2*each*40 {
		t.Errorf("%d requests at once, %d listings, %d requests about objects", highest, listings, heads)
	}
}

// A listing is cut for little more requests than the limits pass on at present: others
// would only wait, and each cut costs half a page.
func TestListingsFollowTheLimits(t *testing.T) {
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<VersioningConfiguration/>")
	}))
	t.Cleanup(far.Close)
	t.Setenv("LAKE_ACCESS_KEY_ID", "k")
	t.Setenv("LAKE_ACCESS_KEY_SECRET", "s")
	s, err := foreign.Open(foreign.Settings{
		Name: "lake", Kind: foreign.S3, Endpoint: far.URL, Credentials: foreign.Env("LAKE"), Buckets: []string{"photos"},
		Limits: throttle.Limits{Concurrency: 16},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Default().Source().Snapshot(t.Context(), "photos")
	if err != nil {
		t.Fatal(err)
	}
	paged := snap.(engine.PagedSnapshot)
	requests := func(want int) {
		t.Helper()
		if n := paged.Requests(); n != want {
			t.Errorf("%d requests, want %d", n, want)
		}
	}
	requests(5)   // of the four with which the limits begin, and one that waits
	s.Grant(0, 2) // by another process: twice as many, so that it is known that this one needs more
	requests(4)
	s.Grant(0, 12)
	requests(3) // the limits grow with the answers
	s.Grant(0, 0)
	requests(1) // at least, so that the listing resumes as soon as there is a place
}
