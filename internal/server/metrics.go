package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/securefile"
	"github.com/stocktake/stocktake/internal/server/listen"
	"github.com/stocktake/stocktake/internal/store"
)

// metricsPath is where metrics are served, on each listener that has them.
const metricsPath = "/-/metrics"

// metricsConnections bounds the open connections of the listener of metrics.
const metricsConnections = 64

// openMetricsListener opens the address of the metrics, if they have one of their
// own. It speaks TLS if there is a certificate.
func (s *Server) openMetricsListener(cert *listen.Certificate) error {
	if s.cfg.MetricsListen == "" {
		return nil
	}
	ln, err := net.Listen("tcp", s.cfg.MetricsListen)
	if err != nil {
		return fmt.Errorf("listen on %s for metrics: %w", s.cfg.MetricsListen, err)
	}
	s.metricsConns = listen.NewConnections(metricsConnections, s.log)
	l := listen.NewListener(ln, s.metricsConns, cert)
	s.metricsListener = &l
	return nil
}

// openMetrics serves the metrics: behind the token of the settings if there is one,
// and on their own listener instead of that of the OSS API if there is one.
func (s *Server) openMetrics(counts *metrics.Metrics, ok http.Handler) {
	h := counts.Handler()
	if s.metricsToken != nil {
		h = s.metricsToken.guard(h)
	}
	if s.metricsListener == nil {
		s.handle("GET "+metricsPath, h)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, h)
	mux.Handle("GET /-/healthz", ok)
	mux.Handle("GET /-/readyz", http.HandlerFunc(s.serveReady))
	s.work(func(ctx context.Context) error {
		return listen.Serve(ctx, []listen.Listener{*s.metricsListener}, s.metricsConns, listen.Hasty(mux), s.log)
	})
}

// MetricsURL returns where the metrics are. It must not be called after Close.
func (s *Server) MetricsURL() string {
	if s.metricsListener == nil {
		return s.Endpoint() + metricsPath
	}
	return s.metricsListener.URL() + metricsPath
}

// shownConfigurations returns how many configurations have metrics of their own. Unauthenticated
// clients see their names only if the settings allow it.
func (s *Server) shownConfigurations() int {
	n := s.cfg.MetricsConfigurations
	if n == 0 && (s.cfg.MetricsListen != "" || s.cfg.MetricsTokenFile != "") {
		n = metrics.DefaultConfigurations
	}
	return max(n, 0)
}

// A token is a secret that callers present. It is read from a file that may be
// replaced while the server runs.
type token struct {
	path string
	sum  atomic.Pointer[[sha256.Size]byte]
}

// minToken is the length of the shortest token, in bytes.
const minToken = 16

// load reads the file. After an error the token stays as it was.
func (t *token) load() error {
	b, err := securefile.Read(t.path, 4<<10)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(b))
	if len(text) < minToken {
		return fmt.Errorf("%s: a token has at least %d bytes", t.path, minToken)
	}
	sum := sha256.Sum256([]byte(text))
	t.sum.Store(&sum)
	return nil
}

// guard lets requests pass that have the token: "Authorization: Bearer TOKEN".
func (t *token) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		// Digests have the same length, so that the time to compare them reveals
		// nothing.
		sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
		if subtle.ConstantTimeCompare(sum[:], t.sum.Load()[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="stocktake"`)
			http.Error(w, "the token of --metrics-token-file is needed", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// checkMetricsToken reads the token of the settings.
func (s *Server) checkMetricsToken() error {
	if s.cfg.MetricsTokenFile == "" {
		return nil
	}
	t := &token{path: s.cfg.MetricsTokenFile}
	if err := t.load(); err != nil {
		return &SettingError{"metrics-token-file", err}
	}
	s.metricsToken = t
	s.onReload(t.load)
	return nil
}

// showBuild shows the version and revision of the program.
func (s *Server) showBuild(counts *metrics.Metrics) {
	counts.Build(cmp.Or(s.cfg.Version, "devel"), s.cfg.Revision, runtime.Version())
}

// showStores shows the requests to the stores of the settings.
func (s *Server) showStores(counts *metrics.Metrics) {
	var all []metrics.NamedStore
	for _, st := range s.stores {
		name := st.Settings().Name
		all = append(all, metrics.NamedStore{Name: name, Stats: st.Stats})
		st.Observe(counts.StoreRequest(name))
	}
	counts.Stores(all)
}

// showStore shows the embedded store.
func (s *Server) showStore(st *store.Store, counts *metrics.Metrics) {
	counts.Store(func() (metrics.StoreState, error) {
		h := st.Health()
		free, size, err := st.Disk()
		t := st.Totals()
		return metrics.StoreState{
			DiskFull: h.DiskFull != nil, DiskFree: free, DiskSize: size, Buckets: t.Buckets, Objects: t.Objects, Bytes: t.Bytes,
			Journals: t.Journals, JournalBytes: t.JournalBytes, JournalLargest: t.JournalLargest, JournalLimit: t.JournalLimit, JournalLost: t.JournalLost,
			DamagedReads: h.DamagedReads, DamagedIndex: len(h.DamagedIndexes),
		}, err
	})
	counts.Index(func() metrics.IndexState { return metrics.IndexState(st.IndexState()) })
}

// showCatalog shows the catalog and the notices in it.
func (s *Server) showCatalog(cat catalog, counts *metrics.Metrics) {
	counts.Catalog(func() (metrics.CatalogState, error) {
		stats := cat.Stats()
		ctx, cancel := context.WithTimeout(context.Background(), databasePatience)
		defer cancel()
		size, err := cat.Size(ctx)
		return metrics.CatalogState{Size: size, Changes: stats.Changes, Commits: stats.Commits, Errors: stats.Errors, Took: stats.Took}, err
	})
	counts.Notices(cat.CountNotices)
}

// closeMetrics releases the address of the metrics.
func (s *Server) closeMetrics() error {
	if s.metricsListener == nil {
		return nil
	}
	err := s.metricsListener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.metricsConns.Close())
}
