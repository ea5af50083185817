package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/postgres"
	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/notify"
	"github.com/stocktake/stocktake/internal/server/admin"
	"github.com/stocktake/stocktake/internal/server/listen"
	"github.com/stocktake/stocktake/internal/tracing"
	"github.com/stocktake/stocktake/report/rollup"
)

// Defaults of a Config. The command line shows the same values.
const (
	DefaultListen    = "127.0.0.1:9000"
	DefaultConsole   = "127.0.0.1:9001"
	DefaultRegion    = "cn-hangzhou"
	DefaultAccount   = "1000000000000000"
	DefaultCacheSize = 64 << 20
)

// Config holds the settings of a server. Only Data must be set; the zero values of
// all other fields suit a first start.
type Config struct {
	// Data is the path of the data folder, which is made with mode 0700 if it
	// does not exist. At most one server uses a folder at a time.
	Data string

	// Database is the address of a PostgreSQL database that keeps configurations and
	// runs, which this process shares with others; see [postgres.Parse]. Empty: they
	// are in the data folder, and this process is the only one.
	Database string

	// Migrate brings the tables of Database up to date at the start. Without it
	// a database of another version is refused.
	Migrate bool

	// AccountsMaxAge is how long accounts and keys stay in force, with Database, while the database
	// does not answer. After this time every key except the root key is refused, so a key revoked
	// meanwhile is valid for at most this time. At least 1s; 0 means 5m.
	AccountsMaxAge time.Duration

	// Slices is how many parts of runs this process scans at once, with Database. 0
	// means 2.
	Slices int

	// Roles are what this process does, with Database: RoleAPI, RoleWorker and
	// RoleScheduler. Empty means all.
	Roles []string

	// Name is the name of this process for people, such as in lists of machines.
	// Empty means the name of the machine.
	Name string

	// AcceptLoss names parts of the data folder, such as "catalog.db", whose loss or
	// damage is accepted. Otherwise such a folder is refused.
	AcceptLoss []string

	// Listen is the address of the OSS API, HOST:PORT. Port 0 means any free
	// port. Empty means DefaultListen.
	Listen string

	// ListenTLS is a second address that speaks TLS, with the certificate of
	// TLSCert. If it is empty and TLSCert is set, Listen speaks TLS.
	ListenTLS string

	// ConsoleListen is the address of the console, which speaks TLS if TLSCert is set. Empty means
	// no console.
	ConsoleListen string

	// ConsoleIfFree makes the server start without a console, with a line in the log, if
	// ConsoleListen is in use, as for the second server on a machine.
	ConsoleIfFree bool

	TLSCert string // path of the certificate chain, PEM; empty: no TLS
	TLSKey  string // path of its private key, PEM; set together with TLSCert

	Region    string            // of the buckets; empty means DefaultRegion
	AccountID string            // owner of the buckets; empty means DefaultAccount
	Buckets   []string          // buckets that are made at the start if they do not exist
	BaseHosts []string          // hosts below which a bucket is a host name: BUCKET.HOST
	CNAMEs    map[string]string // bucket by the host name that stands for it

	// RootKey is the account's own access key. Its zero value means the key in
	// the data folder, or in Database, which is made at the first start.
	RootKey AccessKey

	// MasterKey wraps the encryption keys and everything that servers share in Database, which requires it: kms.MasterSize bytes,
	// followed by former keys, which only decrypt. Nil means the file in the data folder, which is created at the first start.
	MasterKey []byte

	// Stores are the named stores whose buckets have inventories, in addition to those of the
	// embedded store. No two claim one name; see [foreign.Parse].
	Stores []foreign.Settings

	Production bool   // refuse roles that are not defined, and configurations whose runs would fail
	AccessFile string // path of a YAML file that declares accounts; empty: none

	MaxRuns         int            // runs at once, at least 1; 0 means 2
	ScanWorkers     int            // goroutines of one run; 0 means one for each core
	ScanShare       float64        // share of the time that each of them works while requests are served, up to 1; 0 means 0.1
	ShardRows       int64          // rows of one shard; 0 means 1,000,000
	RollupDepth     int            // segments of a key in the prefixes of a report's totals, 1 to 16; 0 means 4
	ScheduleHour    int            // hour of the day at which scheduled runs are due, 0 to 23
	ScheduleZone    *time.Location // of that hour; nil means UTC+8
	Spread          time.Duration  // scheduled runs start up to this much after they are due; less than 24h
	LateAfter       time.Duration  // a run that takes longer than this after its due time is late; 0 means 6h
	KeepRuns        int            // runs in the history of a configuration; 0 means 100
	StrayGrace      time.Duration  // age at which files of reports that no manifest names are removed; 0 means 24h
	EmptyReports    bool           // write a manifest without files when nothing matched, or nothing changed, instead of nothing
	NoIncremental   bool           // refuse configurations with incremental reports, and make none
	Window          time.Duration  // length of the windows of incremental reports, whole seconds from 1s to 24h; 0 means 10m
	RequirePassRole bool           // require ram:PassRole on the role of a configuration from its caller
	StrictVersions  bool           // refuse inventories of all versions of a bucket without versioning

	Webhooks          map[string]string     // URL by name of the receivers of notices
	WebhookEvents     []inventory.EventKind // events that they receive; empty means all
	WebhookSecretFile string                // secret that signs notices; empty means a file in the data folder, made when needed

	// MaxConnections bounds the open connections, idle ones included. 0 means half
	// of the file descriptors that the process may open, at most 10,000.
	MaxConnections int

	CacheSize   int64         // bytes for blocks of the index, at least 1 MiB; 0 means DefaultCacheSize
	JournalSize int64         // bytes that the journal of a bucket may take, at least 1 MiB; 0 means 1 GiB
	ScrubRate   int64         // bytes a second at which the store is scrubbed once a month; 0 means 16 MiB, less means never
	BodyTimeout time.Duration // a request body without progress for this long is given up; 0 means 30s

	AllowCallbacks   bool           // send the callbacks that PutObject may ask for
	CallbackNetworks []netip.Prefix // local networks that callbacks may reach, such as 10.1.0.0/16; empty means none

	// MetricsListen is a separate address for the metrics, HOST:PORT, which are then not on the
	// listeners of the OSS API. It speaks TLS if TLSCert is set. Empty means none.
	MetricsListen string

	// MetricsTokenFile is the path of a file with the token that requests for metrics
	// must have, as a bearer token. It is read again with Reload. Empty: none is needed.
	MetricsTokenFile string

	// MetricsConfigurations is the number of configurations with metrics of their own, labelled
	// with the names of bucket and configuration. 0 means 1,000 if the metrics have a listener or a
	// token, else none; -1 means none.
	MetricsConfigurations int

	Version, Revision string // of the program, for the metrics; empty: not known

	ClockControl bool   // let the account move the server's time ahead; for tests
	Seed         string // derive ids, names and times of reports from this text; empty: random

	Log *slog.Logger // nil means slog.Default()

	Tracer *tracing.Tracer // closed by the caller; nil: nothing is traced

	// AccessLog and AuditLog are the paths of files for lines about requests and about changes. The files
	// are appended to, created if missing, and reopened by Reload; "-" is standard output. An empty
	// AccessLog means none; with an empty AuditLog its lines go to Log.
	AccessLog, AuditLog string

	LogFormat string // of both, logs.FormatText or logs.FormatJSON; empty means text
}

// A SettingError reports a setting with an illegal value, independent of the state of the machine.
type SettingError struct {
	Setting string // name as in the settings file, such as "max-runs"
	Err     error  // what is wrong with the value
}

func (e *SettingError) Error() string { return e.Setting + ": " + e.Err.Error() }
func (e *SettingError) Unwrap() error { return e.Err }

func badSetting(name, format string, args ...any) error {
	return &SettingError{name, fmt.Errorf(format, args...)}
}

// withDefaults returns c with the meaning of its zero values filled in.
func (c Config) withDefaults() Config {
	c.Listen = cmp.Or(c.Listen, DefaultListen)
	c.Region = cmp.Or(c.Region, DefaultRegion)
	c.AccountID = cmp.Or(c.AccountID, DefaultAccount)
	c.MaxRuns = cmp.Or(c.MaxRuns, 2)
	c.Slices = cmp.Or(c.Slices, 2)
	if len(c.Roles) == 0 {
		c.Roles = allRoles
	}
	c.ScanShare = cmp.Or(c.ScanShare, 0.1)
	c.ShardRows = cmp.Or(c.ShardRows, 1_000_000)
	c.RollupDepth = cmp.Or(c.RollupDepth, rollup.DefaultDepth)
	if c.ScheduleZone == nil {
		c.ScheduleZone = time.FixedZone("UTC+8", 8*60*60)
	}
	c.LateAfter = cmp.Or(c.LateAfter, 6*time.Hour)
	c.Window = cmp.Or(c.Window, stocktake.IncrementalWindow*time.Second)
	c.KeepRuns = cmp.Or(c.KeepRuns, 100)
	c.StrayGrace = cmp.Or(c.StrayGrace, 24*time.Hour)
	if c.MaxConnections == 0 {
		c.MaxConnections = listen.DefaultConnections()
	}
	c.CacheSize = cmp.Or(c.CacheSize, DefaultCacheSize)
	c.JournalSize = cmp.Or(c.JournalSize, 1<<30)
	c.ScrubRate = cmp.Or(c.ScrubRate, admin.DefaultScrubRate)
	c.BodyTimeout = cmp.Or(c.BodyTimeout, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Validate checks what can be checked without the machine. Its error is a
// *SettingError.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case c.Data == "":
		return badSetting("data", "a folder is needed")
	case c.MaxRuns < 1 || c.MaxRuns > maxGoroutines:
		return badSetting("max-runs", "at least 1, at most %d", maxGoroutines)
	case c.Slices < 1 || c.Slices > maxGoroutines:
		return badSetting("slices", "at least 1, at most %d", maxGoroutines)
	case c.ScanWorkers < 0 || c.ScanWorkers > maxGoroutines:
		return badSetting("scan-workers", "at least 0, at most %d", maxGoroutines)
	case len(c.Name) > 100 || strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return badSetting("name", "%.100q is not a name: up to 100 bytes that can be printed", c.Name)
	case !(c.ScanShare > 0 && c.ScanShare <= 1):
		return badSetting("scan-share", "must be above 0 and at most 1")
	case c.ShardRows < 1:
		return badSetting("shard-rows", "at least 1")
	case c.RollupDepth < 1 || c.RollupDepth > rollup.MaxDepth:
		return badSetting("rollup-depth", "1 to %d", rollup.MaxDepth)
	case c.ScheduleHour < 0 || c.ScheduleHour > 23:
		return badSetting("schedule-hour", "0 to 23")
	case c.Window < time.Second || c.Window > inventory.MaxWindow || c.Window%time.Second != 0:
		return badSetting("incremental-window", "whole seconds, from 1s to %s", inventory.MaxWindow)
	case c.LateAfter <= 0:
		return badSetting("late-after", "more than 0")
	case c.StrayGrace <= 0:
		return badSetting("stray-grace", "more than 0")
	case c.Spread < 0 || c.Spread >= 24*time.Hour:
		return badSetting("spread", "at least 0 and less than 24h")
	case c.BodyTimeout <= 0:
		return badSetting("body-timeout", "more than 0")
	case c.LogFormat != "" && c.LogFormat != logs.FormatText && c.LogFormat != logs.FormatJSON:
		return badSetting("log-format", "text or json")
	case c.MetricsConfigurations < -1:
		return badSetting("metrics-configurations", "at least 0")
	case c.KeepRuns < 1:
		return badSetting("keep-runs", "at least 1")
	case c.MaxConnections < 1:
		return badSetting("max-connections", "at least 1")
	case c.CacheSize < 1<<20:
		return badSetting("cache-size", "at least 1MiB")
	case c.JournalSize < 1<<20:
		return badSetting("journal-size", "at least 1MiB")
	case c.ListenTLS != "" && c.TLSCert == "":
		return badSetting("listen-tls", "needs --tls-cert and --tls-key")
	case len(c.CallbackNetworks) > 0 && !c.AllowCallbacks:
		return badSetting("callback-networks", "needs --allow-callbacks")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return badSetting("tls-cert", "set --tls-cert and --tls-key together")
	case !validLabels(c.Region) || strings.Contains(c.Region, "."):
		return badSetting("region", "%q is not a region such as cn-hangzhou", c.Region)
	case !stocktake.ValidAccountID(c.AccountID):
		return badSetting("account-id", "%q is not an account id: 1 to 32 digits", c.AccountID)
	case c.Migrate && c.Database == "":
		return badSetting("migrate", "needs --database; the catalog in a data folder is always brought up to date")
	case c.Database != "" && c.MasterKey == nil:
		return badSetting("master-key", "needed with --database, the same on all servers: accounts and keys in the database are encrypted with it (or --master-key-file)")
	case c.AccountsMaxAge < 0 || c.AccountsMaxAge > 0 && c.AccountsMaxAge < time.Second:
		return badSetting("accounts-max-age", "at least 1s")
	case c.Database != "" && len(c.Webhooks) > 0 && c.WebhookSecretFile == "":
		return badSetting("webhook-secret-file", "needed with --database and --webhook: otherwise each process signs notices with a secret of its own")
	case c.Database != "" && c.Seed != "":
		return badSetting("seed", "cannot be combined with --database: processes would use the same ids")
	case c.Database != "" && c.ClockControl:
		return badSetting("clock-control", "cannot be combined with --database: the other processes have clocks of their own")
	case (c.RootKey.ID == "") != (c.RootKey.Secret == ""):
		return badSetting("access-key", "set id and secret together")
	case c.MasterKey != nil && !kms.ValidMaster(c.MasterKey):
		return badSetting("master-key", "%d bytes are needed", kms.MasterSize)
	}
	if err := c.checkRoles(); err != nil {
		return err
	}
	if c.Database != "" {
		if _, err := postgres.Parse(c.Database); err != nil {
			return &SettingError{"database", err}
		}
	}
	if err := checkAddress("listen", c.Listen); err != nil {
		return err
	}
	if c.ListenTLS != "" {
		if err := checkAddress("listen-tls", c.ListenTLS); err != nil {
			return err
		}
	}
	if c.MetricsListen != "" {
		if err := checkAddress("metrics-listen", c.MetricsListen); err != nil {
			return err
		}
	}
	if c.ConsoleListen != "" {
		if err := checkAddress("console-listen", c.ConsoleListen); err != nil {
			return err
		}
	}
	if err := c.checkAddressesDiffer(); err != nil {
		return err
	}
	for _, name := range c.Buckets {
		if !stocktake.ValidBucketName(name) {
			return badSetting("bucket", "%q is not the name of a bucket: 3 to 63 of a-z, 0-9 and '-'", name)
		}
	}
	if err := foreign.CheckClaims(c.Stores); err != nil {
		return &SettingError{"stores", err}
	}
	for i := range c.Stores {
		for _, name := range c.Buckets {
			if c.Stores[i].Claims(name) {
				return badSetting("bucket", "%s is a bucket of the store %s and cannot be created here", name, c.Stores[i].Name)
			}
		}
	}
	for _, host := range c.BaseHosts {
		if !validLabels(host) {
			return badSetting("base-host", "%q is not a host name such as oss.example.com", host)
		}
	}
	for host, bucket := range c.CNAMEs {
		if !validLabels(host) || !stocktake.ValidBucketName(bucket) {
			return badSetting("cname", "%s=%s is not a host name and the name of a bucket", host, bucket)
		}
	}
	for _, e := range c.WebhookEvents {
		switch e {
		case inventory.EventSucceeded, inventory.EventFailed, inventory.EventLate, inventory.EventRecovered:
		default:
			return badSetting("webhook-events", "%q is not one of succeeded, failed, late, recovered", e)
		}
	}
	for name, url := range c.Webhooks {
		if err := notify.CheckReceiver(name, url); err != nil {
			return &SettingError{"webhook", err}
		}
	}
	return nil
}

// maxGoroutines bounds settings of concurrency. It is far above what is useful on any machine, and
// below what exhausts its memory.
const maxGoroutines = 1000

// checkAddressesDiffer refuses an address that is set for two listeners.
func (c *Config) checkAddressesDiffer() error {
	used := map[string]string{}
	for _, l := range [...]struct{ setting, addr string }{
		{"listen", c.Listen}, {"listen-tls", c.ListenTLS}, {"metrics-listen", c.MetricsListen}, {"console-listen", c.ConsoleListen},
	} {
		if l.addr == "" || strings.HasSuffix(l.addr, ":0") || l.setting == "console-listen" && c.ConsoleIfFree {
			continue
		}
		if other, ok := used[l.addr]; ok {
			return badSetting(l.setting, "%s is already the address of --%s", l.addr, other)
		}
		used[l.addr] = l.setting
	}
	return nil
}

// checkAddress refuses a text that can never be an address to listen on.
func checkAddress(setting, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return badSetting(setting, "%q is not an address such as 127.0.0.1:9000 or :9000", addr)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return badSetting(setting, "%q has no port between 0 and 65535", addr)
	}
	if host != "" && net.ParseIP(host) == nil && !validLabels(host) {
		if _, err := netip.ParseAddr(host); err != nil { // with a zone, such as fe80::1%eth0
			return badSetting(setting, "%q is not an address such as 127.0.0.1:9000 or :9000", addr)
		}
	}
	return nil
}

// validLabels reports whether s is a host name: labels of letters, digits, '-'
// and '_', separated by dots.
func validLabels(s string) bool {
	for label := range strings.SplitSeq(strings.ToLower(s), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(s) <= 253
}
