// Package places opens the source and the destination of a take: buckets of stores, or a folder.
package places

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/throttle"
)

// An ArgumentError reports an address, or a description of a store, that cannot be
// right.
type ArgumentError struct {
	Err         error
	Destination bool // it is that of the destination
}

// Error returns the text of Err.
func (e *ArgumentError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *ArgumentError) Unwrap() error { return e.Err }

func wrong(format string, args ...any) error { return &ArgumentError{Err: fmt.Errorf(format, args...)} }

// ErrNoRegion means that neither the caller, the environment nor the endpoint names
// the region of an OSS bucket.
var ErrNoRegion = errors.New("name the region of the bucket, such as cn-hangzhou, or set OSS_REGION")

// ErrUnclaimed means that no store of the settings file claims the bucket.
var ErrUnclaimed = errors.New("claims the bucket")

// Stores says where the buckets of a take are.
type Stores struct {
	// Settings has the stores of a settings file. If Configured, only these are used, and
	// Source, Destination, Addressing and Limits are not.
	Settings   []foreign.Settings
	Configured bool

	Source      Access
	Destination *Access // nil: that of the source if both are of one kind, else the defaults

	Addressing string          // "path", "virtual"; empty: what fits the endpoint
	Limits     throttle.Limits // of each store
	CAFile     string          // certificates that sign those of the endpoints, PEM; empty: the system's

	// LocalRegion is the region of an OSS endpoint that is an IP address or localhost, if
	// nothing else names one.
	LocalRegion string
}

// An Access says how to reach a store. The zero value reaches it as the official tools
// do.
type Access struct {
	Endpoint    string // a URL, or a host, which means https; empty: the default of the kind
	Region      string // empty: the default of the kind, or the one that the endpoint names
	Credentials foreign.Credentials
}

// Open opens source and destination: s3://BUCKET/PREFIX or oss://BUCKET/PREFIX; the
// destination may be the path of a folder. The caller closes the destination. Errors: an
// *ArgumentError, which may wrap ErrNoRegion or ErrUnclaimed, and those of a folder.
func (s *Stores) Open(source, destination string, log *slog.Logger) (src, dst Place, err error) {
	if src, err = s.bucket(source, s.Source, log); err != nil {
		return src, dst, err
	}
	dst, err = s.openDestination(&src, destination, log)
	if bad, ok := errors.AsType[*ArgumentError](err); ok {
		bad.Destination = true
	}
	return src, dst, err
}

func (s *Stores) openDestination(src *Place, destination string, log *slog.Logger) (dst Place, err error) {
	if !strings.Contains(destination, "://") {
		return openFolder(destination, src.Bucket)
	}
	var access Access
	switch {
	case s.Destination != nil:
		access = *s.Destination
	case strings.HasPrefix(destination, string(src.Store.Settings().Kind)+"://"):
		access = s.Source
	}
	if dst, err = s.bucket(destination, access, log); err != nil {
		return dst, err
	}
	if dst.Store.SameAs(src.Store) { // their limits are those of one store
		dst.Store = src.Store
	}
	dst.Destination = dst.Store.Default().Destination(dst.there)
	return dst, nil
}

// bucket opens the bucket of an address.
func (s *Stores) bucket(address string, access Access, log *slog.Logger) (Place, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	kind := foreign.Kind(scheme)
	name, prefix, _ := strings.Cut(rest, "/")
	if !ok || !slices.Contains(foreign.Kinds, kind) || name == "" {
		return Place{}, wrong("%q is not a bucket such as s3://BUCKET/PREFIX or oss://BUCKET/PREFIX", address)
	}
	if !kind.ValidBucket(name) {
		return Place{}, wrong("%q: a store of kind %s cannot have a bucket named %q", address, kind, name)
	}
	settings, there, err := s.settings(kind, name, access)
	if err != nil {
		return Place{}, wrong("%s: %w", address, err)
	}
	store, err := foreign.Open(settings, log)
	if err != nil {
		return Place{}, wrong("%s: %w", address, err)
	}
	return Place{
		Store: store, Bucket: name, Prefix: prefix, Origin: scheme + "://" + there + " at " + store.URL(),
		there: there, close: func() error { return nil },
	}, nil
}

// settings finds the store of a bucket, and the name of the bucket there.
func (s *Stores) settings(kind foreign.Kind, bucket string, access Access) (settings foreign.Settings, there string, err error) {
	if !s.Configured {
		settings, err = s.described(kind, bucket, access)
		return settings, bucket, err
	}
	for _, settings := range s.Settings {
		if there, ok := settings.Locate(bucket); ok && settings.Kind == kind {
			return settings, there, nil
		}
	}
	return settings, "", fmt.Errorf("the settings file has no %s store that %w", kind, ErrUnclaimed)
}

// described returns the settings of a store that only its access describes.
func (s *Stores) described(kind foreign.Kind, bucket string, access Access) (foreign.Settings, error) {
	if access.Credentials == (foreign.Credentials{}) {
		access.Credentials = foreign.Chain()
	}
	settings := foreign.Settings{
		Name: string(kind), Kind: kind, Buckets: []string{bucket}, Endpoint: access.Endpoint, Region: access.Region,
		Credentials: access.Credentials, CAFile: s.CAFile, Limits: s.Limits,
	}
	if settings.Endpoint == "" { // to find a default takes as long as listing some pages
		settings.Endpoint = foreign.DefaultEndpoint(kind, access.Credentials)
	}
	if settings.Endpoint != "" && !strings.Contains(settings.Endpoint, "://") {
		settings.Endpoint = "https://" + settings.Endpoint
	}
	if u, err := url.Parse(settings.Endpoint); err == nil {
		settings.Endpoint = strings.TrimSuffix(settings.Endpoint, "/")
		if settings.Region == "" {
			settings.Region = foreign.DefaultRegion(kind, access.Credentials)
		}
		if kind == foreign.OSS {
			settings.Region = cmp.Or(settings.Region, s.regionOf(u.Hostname()))
		}
	}
	if settings.Region == "" && kind == foreign.OSS {
		return settings, ErrNoRegion
	}
	settings.SetAddressing(s.Addressing)
	return settings, settings.Validate()
}

// regionOf returns the region that the host of an OSS endpoint names; empty if it names
// none.
func (s *Stores) regionOf(host string) string {
	if rest, ok := strings.CutSuffix(host, ".aliyuncs.com"); ok {
		return strings.TrimSuffix(strings.TrimPrefix(rest, "oss-"), "-internal")
	}
	if host == "localhost" || net.ParseIP(host) != nil {
		return s.LocalRegion
	}
	return ""
}
