package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/dirbucket"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/throttle"
	"github.com/stocktake/stocktake/report"
)

// takeStores are the flags that say where the buckets of a take are.
type takeStores struct {
	Config string `help:"Settings file whose stores claim the buckets, with their keys, limits and hours." group:"Stores" type:"existingfile" placeholder:"FILE" short:"c"`

	Endpoint   string `help:"Endpoint of the source. Default: AWS_ENDPOINT_URL_S3 or OSS_ENDPOINT, else the public service." group:"Stores" placeholder:"URL"`
	Region     string `help:"Region of the source. Default: as the official tools find it." group:"Stores"`
	Profile    string `help:"Profile of the source's keys, of ~/.aws or ~/.ossutilconfig. Default: as the official tools find keys." group:"Stores" placeholder:"NAME"`
	Addressing string `help:"Position of the bucket in URLs: path or virtual. Default: what fits the endpoint." group:"Stores" enum:",path,virtual" default:"" placeholder:"STYLE"`
	CAFile     string `name:"ca-file" help:"Certificate authorities of the endpoint, PEM." group:"Stores" type:"existingfile" placeholder:"FILE"`

	ToEndpoint string `help:"Endpoint of the destination bucket. Default: that of the source if both are of one kind." group:"Stores" placeholder:"URL"`
	ToRegion   string `help:"Region of the destination bucket." group:"Stores" placeholder:"REGION"`
	ToProfile  string `help:"Profile of the destination's keys." group:"Stores" placeholder:"NAME"`

	RequestsPerSecond float64 `help:"Requests to a store per second, at most; 0 means no limit." group:"Stores" placeholder:"N"`
	Concurrency       int     `help:"Requests to a store in flight, at most." group:"Stores" default:"64" placeholder:"N"`
	Hours             string  `help:"Hours of the day in which requests may begin, such as \"22:00-06:00 Europe/Berlin\"." group:"Stores"`
}

// A takePlace is a bucket, or a folder, of a take.
type takePlace struct {
	store  *foreign.Store // nil: a folder
	bucket string         // as it is called here
	there  string         // as the store calls it
	prefix string         // of keys
	origin string         // for people, and to distinguish places
	base   string         // the beginning of keys, before the paths in a folder
	dst    engine.Destination
	close  func() error
}

// open opens source and destination.
func (c *takeStores) open(source, to string, log *slog.Logger) (src, dst takePlace, err error) {
	if err := c.unused(to); err != nil {
		return src, dst, err
	}
	if src, err = c.bucket(source, c.sourceFlags(), log); err != nil {
		return src, dst, err
	}
	if !strings.Contains(to, "://") {
		dst, err = takeFolder(to, src.bucket)
		return src, dst, err
	}
	flags := foreign.Settings{Endpoint: c.ToEndpoint, Region: c.ToRegion, CAFile: c.CAFile}
	if c.ToProfile != "" {
		flags.Credentials = foreign.Profile(c.ToProfile)
	}
	sameKind := strings.HasPrefix(to, string(src.store.Settings().Kind)+"://")
	if sameKind && c.ToEndpoint == "" && c.ToRegion == "" && c.ToProfile == "" {
		flags = c.sourceFlags()
	}
	if dst, err = c.bucket(to, flags, log); err != nil {
		return src, dst, err
	}
	if dst.store.SameAs(src.store) { // their limits are those of one store
		dst.store = src.store
	}
	dst.dst = dst.store.Default().Destination(dst.there)
	return src, dst, nil
}

// unused refuses flags that would have no effect.
func (c *takeStores) unused(to string) error {
	destination := []namedFlag{{"--to-endpoint", c.ToEndpoint != ""}, {"--to-region", c.ToRegion != ""}, {"--to-profile", c.ToProfile != ""}}
	if name := firstSet(destination); name != "" && !strings.Contains(to, "://") {
		return usagef("%s: the destination is a folder", name)
	}
	stores := append(destination, namedFlag{"--endpoint", c.Endpoint != ""}, namedFlag{"--region", c.Region != ""},
		namedFlag{"--profile", c.Profile != ""}, namedFlag{"--addressing", c.Addressing != ""}, namedFlag{"--ca-file", c.CAFile != ""},
		namedFlag{"--requests-per-second", c.RequestsPerSecond != 0}, namedFlag{"--hours", c.Hours != ""})
	if name := firstSet(stores); name != "" && c.Config != "" {
		return usagef("%s and --config cannot be used together: the settings file says where the stores are, and their limits", name)
	}
	return nil
}

// A namedFlag is a flag and whether it was used.
type namedFlag struct {
	name string
	used bool
}

// firstSet returns the name of the first flag that was used; empty: none.
func firstSet(flags []namedFlag) string {
	for _, f := range flags {
		if f.used {
			return f.name
		}
	}
	return ""
}

func (c *takeStores) sourceFlags() foreign.Settings {
	s := foreign.Settings{Endpoint: c.Endpoint, Region: c.Region, CAFile: c.CAFile}
	if c.Profile != "" {
		s.Credentials = foreign.Profile(c.Profile)
	}
	return s
}

// bucket opens s3://BUCKET/PREFIX or oss://BUCKET/PREFIX: in the store of the
// settings file that claims the bucket, else where the flags say.
func (c *takeStores) bucket(where string, flags foreign.Settings, log *slog.Logger) (takePlace, error) {
	scheme, rest, ok := strings.Cut(where, "://")
	kind := foreign.Kind(scheme)
	name, prefix, _ := strings.Cut(rest, "/")
	if !ok || !slices.Contains(foreign.Kinds, kind) || name == "" {
		return takePlace{}, usagef("%q is not a bucket such as s3://BUCKET/PREFIX or oss://BUCKET/PREFIX", where)
	}
	if !kind.ValidBucket(name) {
		return takePlace{}, usagef("%q: a store of kind %s cannot have a bucket named %q", where, kind, name)
	}
	p := takePlace{bucket: name, there: name, prefix: prefix, close: func() error { return nil }}
	settings, err := c.settings(kind, name, flags)
	if err != nil {
		return p, err
	}
	if p.there, ok = settings.Locate(name); !ok {
		return p, usagef("%s: the settings file has no %s store that claims the bucket; add one, or omit --config", where, kind)
	}
	if p.store, err = foreign.Open(*settings, log); err != nil {
		return p, usageError{err}
	}
	p.origin = scheme + "://" + p.there + " at " + p.store.URL()
	return p, nil
}

// settings finds the store of a bucket.
func (c *takeStores) settings(kind foreign.Kind, bucket string, flags foreign.Settings) (*foreign.Settings, error) {
	if c.Config != "" {
		stores, err := readStores(c.Config)
		if err != nil {
			return nil, err
		}
		for i := range stores {
			if s := &stores[i]; s.Kind == kind && s.Claims(bucket) {
				return s, nil
			}
		}
		return new(foreign.Settings), nil
	}
	s := flags
	if s.Credentials == (foreign.Credentials{}) {
		s.Credentials = foreign.Chain()
	}
	s.Name, s.Kind, s.Buckets = string(kind), kind, []string{bucket}
	if s.Endpoint == "" { // to find a default takes as long as listing some pages
		s.Endpoint = foreign.DefaultEndpoint(kind, s.Credentials)
	}
	if s.Endpoint != "" && !strings.Contains(s.Endpoint, "://") {
		s.Endpoint = "https://" + s.Endpoint
	}
	if u, err := url.Parse(s.Endpoint); err == nil {
		s.Endpoint = strings.TrimSuffix(s.Endpoint, "/")
		if s.Region == "" {
			s.Region = foreign.DefaultRegion(kind, s.Credentials)
		}
		if kind == foreign.OSS {
			s.Region = cmp.Or(s.Region, regionOf(u.Hostname()))
		}
	}
	if s.Region == "" && kind == foreign.OSS {
		return nil, usagef("--region: name the region of the bucket, such as cn-hangzhou, or set OSS_REGION")
	}
	var err error
	if s.Limits.Hours, err = throttle.ParseHours(c.Hours); err != nil {
		return nil, usagef("--hours: %w", err)
	}
	if c.RequestsPerSecond < 0 || c.Concurrency < 1 {
		return nil, usagef("--requests-per-second and --concurrency: positive numbers are expected")
	}
	s.Limits.PerSecond, s.Limits.Concurrency = c.RequestsPerSecond, c.Concurrency
	s.SetAddressing(c.Addressing)
	if err := s.Validate(); err != nil {
		return nil, usageError{err}
	}
	return &s, nil
}

// regionOf returns the region that the host of a public endpoint names; empty if
// it names none.
func regionOf(host string) string {
	if rest, ok := strings.CutSuffix(host, ".aliyuncs.com"); ok {
		return strings.TrimSuffix(strings.TrimPrefix(rest, "oss-"), "-internal")
	}
	if host == "localhost" || net.ParseIP(host) != nil {
		return server.DefaultRegion // a server of one's own takes any
	}
	return ""
}

// takeFolder opens a folder for the reports of a bucket and creates it if needed. Its layout is
// that of a downloaded report.
func takeFolder(path, bucket string) (takePlace, error) {
	if path == "" {
		return takePlace{}, usagef("the destination is empty: name a folder, s3://BUCKET/PREFIX or oss://BUCKET/PREFIX")
	}
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		return takePlace{}, usagef("%s is not a folder", path)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return takePlace{}, usageError{err}
	}
	b, err := dirbucket.Open(path)
	if err != nil {
		return takePlace{}, usageError{err}
	}
	if err := b.Lock(); err != nil {
		err = errors.Join(err, b.Close())
		if errors.Is(err, dirbucket.ErrLocked) {
			return takePlace{}, fmt.Errorf("%s: another take is writing there: wait for its end, or choose another folder", path)
		}
		return takePlace{}, usageError{err}
	}
	base := report.Location{Bucket: bucket, Configuration: takeID}.Base()
	return takePlace{bucket: "local", origin: filepath.Clean(path), base: base, dst: b.WithBase(base), close: func() error {
		err := b.Close()
		_ = os.Remove(path) // if a take that has failed at once left it empty; else it stays
		return err
	}}, nil
}

// within reports whether the reports of a take lie within the listed prefix.
func (p *takePlace) within(src *takePlace, source string) bool {
	if p.store == nil || p.there != src.there || p.store.URL() != src.store.URL() {
		return false
	}
	base := report.Location{Prefix: strings.TrimSuffix(p.prefix, "/"), Bucket: source, Configuration: takeID}.Base()
	return strings.HasPrefix(base, src.prefix)
}
