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

// Config configures a handler. Buckets, Store, Inventories, Access and Region are
// required; the zero value of the other fields is what production uses.
type Config struct {
	Buckets     Registry
	Store       Store
	Inventories Inventories
	Access      Access

	// Region is the plain id of the region, such as "cn-hangzhou".
	Region string

	// Hosts are the host names whose subdomains are buckets: bucket.host. The public
	// names of all regions (oss-<region>.aliyuncs.com,
	// oss-<region>-internal.aliyuncs.com) are always included. For an IP address,
	// localhost and every other name, the bucket is in the path.
	Hosts []string

	// CNAMEs maps host names to the buckets that they stand for.
	CNAMEs map[string]string

	// BodyTimeout is how long a request's body, or a client that reads an answer, may
	// make no progress. A whole document may take four times as long. 0 means one
	// minute.
	BodyTimeout time.Duration

	// Callbacks is the rule for the addresses to which PutObject and
	// CompleteMultipartUpload send the requests of x-oss-callback. Clients choose
	// these addresses. If nil, such uploads are rejected.
	Callbacks outbound.Rule

	// RequirePassRole requires that the caller who puts a configuration has the right
	// ram:PassRole on its role. OSS documents no such right and lets callers name any
	// role.
	RequirePassRole bool

	// StrictVersions rejects inventories of all versions for buckets without
	// versioning; see stocktake.InventoryRules.
	StrictVersions bool

	// Admin serves requests that are not part of OSS on the same listener: the paths
	// that start with "/-/" on the bare endpoint, which no bucket name can match. If
	// nil, such paths are answered like any invalid bucket name.
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
	Principal   string // who sent the request: see object.Origin; empty if not authenticated
	Bucket, Key string // what the request names; empty if it could not be read

	Request *http.Request   // with its URL and headers; its body has been read
	Context context.Context // of the request, with the attributes that its log lines share
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
