package foreign

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/throttle"
)

// A Client lists and writes the buckets of a store with one access key. Each kind
// of store has its own; see open.go.
type Client interface {
	Source() engine.Source
	Destination(bucket string) engine.Destination

	// Availability returns where the values of a column come from, and
	// RequestsPerObject how many requests per object some columns need.
	Availability(f stocktake.Field) engine.Availability
	RequestsPerObject(columns []stocktake.Field) int
}

// A Store is a named store. Its methods are safe for concurrent use.
type Store struct {
	settings Settings
	observed *observed // sends the requests
	gate     *throttle.Gate
	log      *slog.Logger
	clients  []Client // with the credentials of the store, then those of Roles
	direct   Client   // with the credentials of the store; answers or fails within seconds

	encryptions encryptions
}

// Open opens the store of an entry, and reads its credentials and certificates. It
// makes no request. The error says what to correct in the entry.
func Open(s Settings, log *slog.Logger) (*Store, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("store %q: %w", s.Name, err)
	}
	log = cmp.Or(log, slog.Default()).With("store", s.Name)
	base, err := newTransport(&s)
	if err != nil {
		return nil, fmt.Errorf("store %q: %w", s.Name, err)
	}
	st := &Store{settings: s, observed: &observed{next: base, host: s.host()}, gate: throttle.NewGate(base, s.Limits), log: log}
	all := []Credentials{s.Credentials}
	for _, r := range s.Roles {
		if r.Credentials != nil {
			all = append(all, *r.Credentials)
		}
	}
	for i, c := range all {
		k, err := c.open(s.Kind, log)
		if err != nil {
			return nil, fmt.Errorf("store %q: %w", s.Name, err)
		}
		client, err := st.connect(k, st.withRetries)
		if err != nil {
			return nil, fmt.Errorf("store %q: %w", s.Name, err)
		}
		st.clients = append(st.clients, client)
		if i == 0 {
			if st.direct, err = st.connect(k, nil); err != nil {
				return nil, fmt.Errorf("store %q: %w", s.Name, err)
			}
		}
	}
	return st, nil
}

// newTransport returns the transport for requests to a store. It keeps as many idle
// connections as requests may be in flight, because a new one costs several round
// trips.
func newTransport(s *Settings) (*http.Transport, error) {
	most := cmp.Or(s.Limits.Concurrency, throttle.DefaultConcurrency)
	t := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		// A store may need many seconds for a page of a large bucket.
		ResponseHeaderTimeout: 2 * time.Minute,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          most,
		MaxIdleConnsPerHost:   most,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if s.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca-file: %w", err)
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca-file: %s has no PEM certificate", s.CAFile)
	}
	return t, nil
}

// Claims returns the name in the store of a bucket that the store claims. It
// returns false if it does not claim it.
func (s *Store) Claims(name string) (nameInStore string, ok bool) { return s.settings.Locate(name) }

// URL returns the URL of the store for clients.
func (s *Store) URL() string { return s.settings.URL() }

// Settings returns the entry that the store was opened with.
func (s *Store) Settings() Settings { return s.settings }

// SameAs reports whether both stores are the same service with the same keys.
func (s *Store) SameAs(o *Store) bool {
	a, b := &s.settings, &o.settings
	return a.Kind == b.Kind && a.URL() == b.URL() && a.Credentials == b.Credentials
}

// Stats returns the counts of the requests to the store.
func (s *Store) Stats() throttle.Stats { return s.gate.Stats() }

// Name returns the name in the settings.
func (s *Store) Name() string { return s.settings.Name }

// Limits returns the settings' limits on requests per second and in flight; 0: no
// setting.
func (s *Store) Limits() (perSecond float64, concurrency int) {
	return s.settings.Limits.PerSecond, s.settings.Limits.Concurrency
}

// Demand, Pressed and Grant share the limits with other processes; see
// [throttle.Gate].
func (s *Store) Demand() throttle.Demand { return s.gate.Demand() }

// Pressed receives a value after requests had to wait for the limits.
func (s *Store) Pressed() <-chan struct{} { return s.gate.Pressed() }

// Grant sets the part of the limits that this process may use. If the settings do
// not limit the requests in flight, their number does not change.
func (s *Store) Grant(perSecond float64, concurrency int) {
	if s.settings.Limits.Concurrency == 0 {
		concurrency = throttle.DefaultConcurrency
	}
	s.gate.Grant(perSecond, concurrency)
}

// ErrRole means that no entry of roles allows a role to use the store.
var ErrRole = errors.New("the settings of the store do not allow this role to use it")

// Allows returns nil if a role may use the store, else ErrRole, wrapped.
func (s *Store) Allows(role string) error {
	_, err := s.client(role)
	return err
}

// Source returns the store as a source for a role. It returns ErrRole if the role
// may not use the store.
func (s *Store) Source(role string) (engine.Source, error) {
	c, err := s.client(role)
	if err != nil {
		return nil, err
	}
	return c.Source(), nil
}

// Destination returns a bucket as a destination for a role. bucket is the name in
// the store. It returns ErrRole if the role may not use the store.
func (s *Store) Destination(role, bucket string) (engine.Destination, error) {
	c, err := s.client(role)
	if err != nil {
		return nil, err
	}
	return c.Destination(bucket), nil
}

// CredentialsName returns the name of a role's credentials: their place in the settings. It
// returns ErrRole if the role may not use the store.
func (s *Store) CredentialsName(role string) (string, error) {
	at, err := s.clientIndex(role)
	return strconv.Itoa(at), err
}

// client returns the client with the credentials that a role uses.
func (s *Store) client(role string) (Client, error) {
	at, err := s.clientIndex(role)
	if err != nil {
		return nil, err
	}
	return s.clients[at], nil
}

// clientIndex returns the index of the client with the credentials of a role.
func (s *Store) clientIndex(role string) (at int, err error) {
	own := 1
	for _, r := range s.settings.Roles {
		at := 0
		if r.Credentials != nil {
			at = own
			own++
		}
		if pattern(r.Role).match(role) {
			return at, nil
		}
	}
	return 0, fmt.Errorf("store %s, role %s: %w", s.settings.Name, role, ErrRole)
}

// Default returns the client with the credentials of the store, for commands whose
// user may read the settings file.
func (s *Store) Default() Client { return s.clients[0] }

// Direct returns a client with the credentials of the store that ignores limits and
// hours and repeats nothing, for interactive use.
func (s *Store) Direct() Client { return s.direct }

// CheckBucket checks that the store has a bucket, regardless of hours and limits. nameInStore is
// the name in the store. It returns nil if the bucket exists,
// stocktake.ErrNoSuchBucket if it does not, else the reason why the store cannot be
// asked.
func (s *Store) CheckBucket(ctx context.Context, nameInStore string) error {
	snapshot, err := s.direct.Source().Snapshot(ctx, nameInStore)
	if err != nil {
		return err
	}
	return snapshot.Close()
}
