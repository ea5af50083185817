package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/server"
)

// serverFlags are the settings of a server. No setting is required.
type serverFlags struct {
	Listen    string            `help:"Address of the OSS API." default:"127.0.0.1:9000"`
	ListenTLS string            `name:"listen-tls" help:"Second address, with TLS. Without it, --tls-cert enables TLS on --listen." placeholder:"HOST:PORT"`
	Console   string            `name:"console-listen" help:"Address of the console, or off. Default: 127.0.0.1:9001 if that is free." placeholder:"HOST:PORT"`
	TLSCert   string            `name:"tls-cert" help:"Certificate chain, PEM." type:"existingfile" placeholder:"FILE" and:"tls"`
	TLSKey    string            `name:"tls-key" help:"Private key, PEM." type:"existingfile" placeholder:"FILE" and:"tls"`
	Data      string            `help:"Folder of the embedded store, the catalog and the keys." default:"./stocktake-data" type:"path"`
	Region    string            `help:"Region of the buckets." default:"cn-hangzhou"`
	AccountID string            `name:"account-id" help:"Account that owns the buckets." default:"1000000000000000"`
	BaseHost  []string          `help:"Hosts for virtual-hosted requests to BUCKET.HOST. The public OSS hosts are always known." placeholder:"HOST"`
	Bucket    []string          `help:"Buckets to create at the start if they do not exist." placeholder:"NAME"`
	CNAME     map[string]string `name:"cname" help:"Hosts that are mapped to one bucket each." placeholder:"HOST=BUCKET;..."`

	accountFlags
	runFlags
	noticeFlags
	storeFlags
	clusterFlags
	testFlags

	metricFlags

	LogLevel  logLevel `group:"Log" help:"Lowest level to log: debug, info, warn or error." default:"info"`
	LogFormat string   `group:"Log" help:"Format of the log: text or json." enum:"text,json" default:"text"`
	LogFile   string   `group:"Log" help:"Append the log to a file instead of standard error. SIGHUP reopens it." type:"path" placeholder:"FILE"`
	AccessLog string   `group:"Log" help:"Append a line for each request to a file, or to standard output (-). SIGHUP reopens it." placeholder:"FILE"`
	AuditLog  string   `group:"Log" help:"Append a line for each change of a configuration, bucket, account or key to a file instead of the log. SIGHUP reopens it." placeholder:"FILE"`
}

type accountFlags struct {
	Production bool   `group:"Accounts" help:"Refuse undefined roles, and configurations whose runs would fail. Always on once a role is defined."`
	AccessFile string `group:"Accounts" help:"YAML file that declares accounts, users, keys, roles and policies." type:"existingfile" placeholder:"FILE"`

	MasterKeyFile string `group:"Accounts" help:"File with the master key, 32 bytes in base64, instead of STOCKTAKE_MASTER_KEY. Default: master.key in the data folder; with --database, all servers need the same." placeholder:"FILE"`
}

type runFlags struct {
	MaxRuns         int           `group:"Runs" help:"Number of concurrent runs." default:"2"`
	ScanWorkers     int           `group:"Runs" help:"Goroutines per run; 0 means one per core." default:"0"`
	ScanShare       float64       `group:"Runs" help:"Fraction of time, above 0 and at most 1, that each goroutine of a run may use while requests are served." default:"0.1"`
	ShardRows       int64         `group:"Runs" help:"Maximum number of rows per shard." default:"1000000"`
	RollupDepth     int           `group:"Runs" help:"Longest prefixes with totals in a report, in key segments: 1 to 16." default:"4"`
	ScheduleHour    int           `group:"Runs" help:"Hour of the day, 0 to 23, at which scheduled runs are due." default:"0"`
	ScheduleZone    string        `group:"Runs" help:"Time zone of the schedule: a name such as Europe/Berlin, or UTC+8." default:"UTC+8"`
	Spread          time.Duration `group:"Runs" help:"Spread scheduled runs over this time after their due time." default:"0s"`
	LateAfter       time.Duration `group:"Runs" help:"Report a run as late if it has not finished this long after its due time." default:"6h"`
	KeepRuns        int           `group:"Runs" help:"Number of runs to keep in the history of a configuration." default:"100"`
	StrayGrace      time.Duration `group:"Runs" help:"Remove report files that no manifest names after this time." default:"24h"`
	EmptyReports    bool          `group:"Runs" help:"Write a manifest even if no object matched, or nothing changed in the window of an incremental report."`
	NoIncremental   bool          `group:"Runs" help:"Make no incremental reports, and refuse configurations that ask for them."`
	Window          time.Duration `group:"Runs" name:"incremental-window" help:"Length of the windows of incremental reports: whole seconds, 1s to 24h. Windows begin at multiples of it." default:"10m"`
	RequirePassRole bool          `group:"Runs" help:"Require the right ram:PassRole on the role of a configuration to put it. OSS has no such right."`
	StrictVersions  bool          `group:"Runs" help:"Refuse inventories of all versions for buckets without versioning, as the documentation of OSS says. OSS itself accepts them."`
}

type noticeFlags struct {
	Webhook           map[string]string `group:"Notices" help:"Receivers of notices about runs that succeed, fail, are late or recover." placeholder:"NAME=URL;..."`
	WebhookEvents     []string          `group:"Notices" help:"Events to send: succeeded, failed, late, recovered. Default: all." placeholder:"EVENT"`
	WebhookSecretFile string            `group:"Notices" help:"File with the secret that signs notices. Default: webhook.secret in the data folder, created when needed." placeholder:"FILE"`
}

type storeFlags struct {
	MaxConnections int           `group:"Store" help:"Limit of open connections. Default: half of the file descriptors of the process, at most 10000." placeholder:"N"`
	CacheSize      byteSize      `group:"Store" help:"Memory for the cache of the index." default:"64MiB"`
	JournalSize    byteSize      `group:"Store" help:"Space for the journal of a bucket with incremental reports; all journals have at most a tenth of the disk. When it is full, the oldest changes are dropped and the reports state the gap." default:"1GiB"`
	ScrubRate      byteSize      `group:"Store" help:"Read all stored bytes once a month at this rate (bytes a second) and compare them with their checksums; 0 means never." default:"16MiB"`
	Stores         storesSetting `group:"Store" placeholder:"STORE" help:"Other stores whose buckets have inventories: S3 and OSS services. In the settings file only."`
	BodyTimeout    time.Duration `group:"Store" help:"Abort a request whose body makes no progress for this long." default:"30s"`

	AllowCallbacks   bool      `group:"Store" help:"Send the callbacks that PutObject may ask for, to addresses on the internet that clients name."`
	CallbackNetworks []network `group:"Store" help:"Local, private or reserved networks that callbacks may reach, such as 10.1.0.0/16." placeholder:"RANGE"`
}

type metricFlags struct {
	MetricsListen         string `group:"Metrics" help:"Separate address for the metrics, which are then not on the address of the OSS API." placeholder:"HOST:PORT"`
	MetricsTokenFile      string `group:"Metrics" help:"File with the token that requests for metrics must have: Authorization: Bearer TOKEN." placeholder:"FILE"`
	MetricsConfigurations *int   `group:"Metrics" help:"Number of configurations with metrics of their own, labelled with their names. Default: 1000 if metrics have an address or a token of their own, else 0." placeholder:"N"`
}

type clusterFlags struct {
	Database       string        `group:"Cluster" help:"PostgreSQL database of configurations, runs, accounts and keys, which several servers share. Without it they are in the data folder. Use STOCKTAKE_DATABASE or the settings file if it has a password." placeholder:"postgres://USER@HOST/NAME"`
	Roles          []string      `group:"Cluster" help:"Roles of this server among those on one database: api (answer requests), worker (make runs), scheduler (record due runs and deliver notices; one server at a time)." default:"api,worker,scheduler"`
	Slices         int           `group:"Cluster" help:"With a database, number of slices (parts of runs) that this server scans at once." default:"2"`
	Name           string        `group:"Cluster" help:"Name of this server in inventory status --work. Default: the name of the machine." placeholder:"NAME"`
	AccountsMaxAge time.Duration `group:"Cluster" help:"How long accounts and keys stay in force while the database does not answer; then every key except the root key is refused." default:"5m"`
	Migrate        bool          `group:"Cluster" help:"Bring the tables of the database up to date at the start, as stocktake migrate does."`
}

type testFlags struct {
	Ephemeral    bool   `group:"Tests" help:"Serve a temporary folder on a free port and print one line of JSON with its address and keys. For tests of other programs."`
	ClockControl bool   `group:"Tests" help:"Let the account move the server's time (stocktake clock). For tests only."`
	Seed         string `group:"Tests" help:"Derive ids, names and times of reports from this text, so that equal input produces equal bytes." placeholder:"TEXT"`
}

// config returns the settings of the flags and of the environment. Its errors
// are usage errors.
func (f *serverFlags) config(log *slog.Logger) (cfg server.Config, err error) {
	for name, value := range map[string]string{"data": f.Data, "listen": f.Listen, "region": f.Region, "account-id": f.AccountID} {
		if value == "" {
			return cfg, usagef("--%s: a value is needed", name)
		}
	}
	cfg = server.Config{
		Data: f.Data, Database: f.Database, Migrate: f.Migrate, AccountsMaxAge: given(f.AccountsMaxAge), Roles: f.Roles, Slices: given(f.Slices), Name: f.Name, Listen: f.Listen, ListenTLS: f.ListenTLS, TLSCert: f.TLSCert, TLSKey: f.TLSKey,
		ConsoleListen: consoleAddress(f.Console), ConsoleIfFree: f.Console == "", Region: f.Region, AccountID: f.AccountID, Buckets: f.Bucket, BaseHosts: f.BaseHost, CNAMEs: f.CNAME,
		Production: f.Production, AccessFile: f.AccessFile,
		MaxRuns: given(f.MaxRuns), ScanWorkers: f.ScanWorkers, ScanShare: given(f.ScanShare), ShardRows: given(f.ShardRows), RollupDepth: given(f.RollupDepth),
		ScheduleHour: f.ScheduleHour, Spread: f.Spread, LateAfter: given(f.LateAfter), KeepRuns: given(f.KeepRuns), StrayGrace: given(f.StrayGrace),
		NoIncremental: f.NoIncremental, Window: given(f.Window), EmptyReports: f.EmptyReports, StrictVersions: f.StrictVersions, RequirePassRole: f.RequirePassRole,
		Webhooks: f.Webhook, WebhookSecretFile: f.WebhookSecretFile,
		MaxConnections: f.MaxConnections, CacheSize: given(int64(f.CacheSize)), JournalSize: given(int64(f.JournalSize)), ScrubRate: given(int64(f.ScrubRate)), BodyTimeout: given(f.BodyTimeout), AllowCallbacks: f.AllowCallbacks,
		MetricsListen: f.MetricsListen, MetricsTokenFile: f.MetricsTokenFile, MetricsConfigurations: f.metricsConfigurations(),
		Version: programVersion().Version, Revision: programVersion().Revision,
		AccessLog: f.AccessLog, AuditLog: f.AuditLog, LogFormat: f.LogFormat,
		ClockControl: f.ClockControl, Seed: f.Seed, Stores: f.Stores, Log: log,
	}
	for _, n := range f.CallbackNetworks {
		cfg.CallbackNetworks = append(cfg.CallbackNetworks, netip.Prefix(n))
	}
	for _, e := range f.WebhookEvents {
		cfg.WebhookEvents = append(cfg.WebhookEvents, inventory.EventKind(e))
	}
	if cfg.ScheduleZone, err = zone(f.ScheduleZone); err != nil {
		return cfg, err
	}
	if cfg.RootKey, _, err = envKey(); err != nil {
		return cfg, err
	}
	if cfg.MasterKey, err = masterKey(f.MasterKeyFile); err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// metricsConfigurations returns the setting in the form of a server.Config.
func (f *metricFlags) metricsConfigurations() int {
	switch n := f.MetricsConfigurations; {
	case n == nil:
		return 0
	case *n <= 0:
		return *n - 1 // -1 means none, and less is refused
	default:
		return *n
	}
}

// consoleAddress returns the address of the console; empty: there is none.
func consoleAddress(flag string) string {
	if flag == "off" {
		return ""
	}
	return cmp.Or(flag, server.DefaultConsole)
}

// given returns a number for a server.Config, in which 0 would mean the default:
// a 0 that was given becomes a value that the Config refuses.
func given[T int | int64 | float64 | time.Duration](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

// zone reads the time zone of the schedule.
func zone(s string) (*time.Location, error) {
	var sign rune
	var hours, minutes int
	if n, _ := fmt.Sscanf(s, "UTC%c%d:%d", &sign, &hours, &minutes); n >= 2 && (sign == '+' || sign == '-') && hours <= 14 && minutes < 60 {
		offset := hours*3600 + minutes*60
		if sign == '-' {
			offset = -offset
		}
		return time.FixedZone(s, offset), nil
	}
	loc, err := time.LoadLocation(s)
	if err != nil || s == "" { // which would be UTC
		return nil, usagef("--schedule-zone: %q is not a time zone such as UTC+8 or Europe/Berlin", s)
	}
	return loc, nil
}

// logLevel is a flag such as info.
type logLevel slog.Level

// UnmarshalText reads a level as [slog.Level] does.
func (l *logLevel) UnmarshalText(text []byte) error {
	if (*slog.Level)(l).UnmarshalText(text) != nil {
		return fmt.Errorf("%q is not one of debug, info, warn and error", text)
	}
	return nil
}

// network is a flag such as 10.1.0.0/16.
type network netip.Prefix

// UnmarshalText reads a range of addresses.
func (n *network) UnmarshalText(text []byte) error {
	if (*netip.Prefix)(n).UnmarshalText(text) != nil {
		return fmt.Errorf("%q is not a range of addresses such as 10.1.0.0/16", text)
	}
	return nil
}

// byteSize is a flag such as 64MiB.
type byteSize int64

// UnmarshalText reads a number with an optional KiB, MiB or GiB.
func (b *byteSize) UnmarshalText(text []byte) error {
	s, unit := string(text), int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = rest, n
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("%q is not a size such as 64MiB: bytes, or a number with KiB, MiB or GiB", text)
	}
	*b = byteSize(n * unit)
	return nil
}
