package ossapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/outbound"
)

// Config says what a handler serves and how. Buckets, Store, Inventories, Access
// and Region are required; the zero value of the rest is what production runs.
type Config struct {
	Buckets     Registry
	Store       Store
	Inventories Inventories
	Access      Access

	// Region is the plain id of the region, such as "cn-hangzhou".
	Region string

	// Hosts are the host names under which a bucket is a host name of its own:
	// bucket.host. The public names of all regions (oss-<region>.aliyuncs.com,
	// oss-<region>-internal.aliyuncs.com) are known without being listed. Under an
	// IP address, localhost and every other name, the bucket is in the path.
	Hosts []string

	// CNAMEs are host names that stand for one bucket each.
	CNAMEs map[string]string

	// BodyTimeout is how long a request's body, or a client that reads an answer,
	// may make no progress. A document as a whole may take four times as long. 0 means a
	// minute.
	BodyTimeout time.Duration

	// Callbacks are the addresses that PutObject and CompleteMultipartUpload send
	// the requests of x-oss-callback to. Clients name them. nil means none: such
	// uploads are refused.
	Callbacks outbound.Rule

	// RequirePassRole requires the right ram:PassRole on the role of a configuration
	// from the caller who puts it. OSS documents no such right, and lets callers
	// name any role.
	RequirePassRole bool

	// StrictVersions refuses inventories of all versions for buckets without
	// versioning; see stocktake.InventoryRules.
	StrictVersions bool

	// Admin serves what is not OSS on the same listener: the paths that start
	// with "/-/" on the bare endpoint, where no bucket can have that name. nil: such
	// paths are answered like every bad bucket name.
	Admin http.Handler

	Now      func() time.Time // nil means time.Now
	Log      *slog.Logger     // nil means slog.Default()
	Audit    *slog.Logger     // of changes of configurations and of buckets' settings; nil means Log
	Observer Observer         // nil means none
}

// An Observer receives an observation of every answered request. Its method is
// called from many goroutines at once.
type Observer interface {
	Observe(Observation)
}

// An Observation is one answered request.
type Observation struct {
	Operation string // such as "PutObject"; "Unknown" if the request failed before it was routed
	Code      string // OSS error code; empty if it succeeded
	Status    int    // HTTP status
	In, Out   int64  // bytes of body received and sent
	Took      time.Duration

	ID          string // of the request
	EC          string // diagnostic code of an error; may be empty
	Principal   string // who asked: see object.Origin; empty if that was not proven
	Bucket, Key string // what the request names; empty if it could not be read

	Request *http.Request   // with its URL and headers; its body has been read
	Context context.Context // of the request, with what log lines have in common
}

// New returns the handler of the OSS API. It handles every path: a process that
// serves other paths, too, must route those before it.
func New(cfg Config) http.Handler {
	cfg.BodyTimeout = cmp.Or(cfg.BodyTimeout, time.Minute)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	cfg.Audit = cmp.Or(cfg.Audit, cfg.Log)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &server{Config: cfg, resolver: request.NewResolver(cfg.Hosts, cfg.CNAMEs), callbacks: newCaller(cfg.Callbacks)}
}

type server struct {
	Config
	resolver  request.Resolver
	callbacks *caller
}

// extranet and intranet are the public endpoints of the region.
func (s *server) extranet() string { return "oss-" + s.Region + ".aliyuncs.com" }
func (s *server) intranet() string { return "oss-" + s.Region + "-internal.aliyuncs.com" }

// location returns the region as OSS writes it, such as "oss-cn-hangzhou".
func (s *server) location() string { return location(s.Region) }
