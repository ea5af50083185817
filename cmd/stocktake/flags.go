package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

// defaultAccount is the account that all commands take unless told otherwise, in
// the tags of their flags.
const defaultAccount = "1000000000000000"

// serverFlags are the settings of a server. Their defaults ask for nothing.
type serverFlags struct {
	Listen    string            `help:"Address of the OSS API." default:"127.0.0.1:9000"`
	ListenTLS string            `name:"listen-tls" help:"Second address, with TLS. Without it, --tls-cert makes --listen speak TLS." placeholder:"HOST:PORT"`
	TLSCert   string            `name:"tls-cert" help:"Certificate chain, PEM." type:"existingfile" placeholder:"FILE" and:"tls"`
	TLSKey    string            `name:"tls-key" help:"Private key, PEM." type:"existingfile" placeholder:"FILE" and:"tls"`
	Data      string            `help:"Folder of the embedded store, the catalog and the keys." default:"./stocktake-data" type:"path"`
	Region    string            `help:"Region that buckets are in." default:"cn-hangzhou"`
	AccountID string            `name:"account-id" help:"Account that owns the buckets." default:"1000000000000000"`
	BaseHost  []string          `help:"Host names under which buckets are host names: BUCKET.HOST. The public OSS names are known already." placeholder:"HOST"`
	CNAME     map[string]string `name:"cname" help:"Host names that stand for one bucket each." placeholder:"HOST=BUCKET;..."`

	accountFlags
	runFlags
	noticeFlags
	storeFlags
	testFlags

	LogLevel  slog.Level `group:"Log" help:"debug, info, warn or error." default:"info"`
	LogFormat string     `group:"Log" help:"text or json." enum:"text,json" default:"text"`
}

type accountFlags struct {
	Production bool   `group:"Accounts" help:"Refuse roles that nobody defined, and configurations whose runs would fail as far as can be told. So it is anyway once a role is defined."`
	AccessFile string `group:"Accounts" help:"YAML file that declares accounts, users, keys, roles and policies." type:"existingfile" placeholder:"FILE"`
}

type runFlags struct {
	MaxRuns        int           `group:"Runs" help:"How many runs go at once." default:"2"`
	ScanWorkers    int           `group:"Runs" help:"Goroutines of one run; 0 is one a core." default:"0"`
	ScanShare      float64       `group:"Runs" help:"Share of its time that each of them works while requests are being answered, above 0 to 1; else it works all the time." default:"0.1"`
	ShardRows      int64         `group:"Runs" help:"Rows of a shard, at most." default:"1000000"`
	ScheduleHour   int           `group:"Runs" help:"Hour of the day at which scheduled runs are due." default:"0"`
	ScheduleZone   string        `group:"Runs" help:"Time zone of that hour and of weekdays and dates: a name such as Europe/Berlin, or UTC+8." default:"UTC+8"`
	Spread         time.Duration `group:"Runs" help:"Scheduled runs start up to this much after they are due, each configuration by its own share." default:"0s"`
	LateAfter      time.Duration `group:"Runs" help:"A run that has not ended so long after it was due is late, and said to be." default:"6h"`
	KeepRuns       int           `group:"Runs" help:"Runs kept in a configuration's history." default:"100"`
	StrayGrace     time.Duration `group:"Runs" help:"Files of reports that no manifest names are removed after so long." default:"24h"`
	EmptyReports   bool          `group:"Runs" help:"Write a manifest without files when nothing matched, instead of nothing."`
	StrictVersions bool          `group:"Runs" help:"Refuse inventories of all versions for buckets without versioning, as OSS's documentation says and OSS does not."`
}

type noticeFlags struct {
	Webhook           map[string]string `group:"Notices" help:"Receivers that are told when runs succeed, fail, are late and recover." placeholder:"NAME=URL;..."`
	WebhookEvents     []string          `group:"Notices" help:"Events to tell: succeeded, failed, late, recovered. Default: all." placeholder:"EVENT"`
	WebhookSecretFile string            `group:"Notices" help:"File with the secret that notices are signed with. Default: one is made in the data folder (webhook.secret)." placeholder:"FILE"`
}

type storeFlags struct {
	CacheSize      byteSize      `group:"Store" help:"Memory for blocks of the index." default:"64MiB"`
	BodyTimeout    time.Duration `group:"Store" help:"A request body that stands still for so long is given up." default:"30s"`
	AllowCallbacks bool          `group:"Store" help:"Carry out the callbacks that PutObject may ask for: the server then sends requests to addresses that clients name."`
}

type testFlags struct {
	ClockControl bool   `group:"Tests" help:"Let the account move the server's time ahead (stocktake clock). Never on a server that others use."`
	Seed         string `group:"Tests" help:"Derive ids, names and times of reports from this text: the same input then gives the same bytes." placeholder:"TEXT"`
}

// check refuses settings that no flag's type can.
func (f *serverFlags) check() error {
	switch {
	case f.MaxRuns < 1:
		return usagef("--max-runs: at least 1")
	case f.ScanWorkers < 0:
		return usagef("--scan-workers: at least 0")
	case !(f.ScanShare > 0 && f.ScanShare <= 1):
		return usagef("--scan-share: above 0, at most 1")
	case f.ShardRows < 1:
		return usagef("--shard-rows: at least 1")
	case f.ScheduleHour < 0 || f.ScheduleHour > 23:
		return usagef("--schedule-hour: 0 to 23")
	case f.LateAfter <= 0:
		return usagef("--late-after: more than 0")
	case f.StrayGrace <= 0:
		return usagef("--stray-grace: more than 0")
	case f.Spread < 0 || f.Spread >= 24*time.Hour:
		return usagef("--spread: at least 0 and less than 24h")
	case f.BodyTimeout <= 0:
		return usagef("--body-timeout: more than 0")
	case f.KeepRuns < 1:
		return usagef("--keep-runs: at least 1")
	case f.CacheSize < 1<<20:
		return usagef("--cache-size: at least 1MiB")
	case f.ListenTLS != "" && f.TLSCert == "":
		return usagef("--listen-tls needs --tls-cert and --tls-key")
	case f.Region == "" || strings.ContainsAny(f.Region, "/ "):
		return usagef("--region: a name such as cn-hangzhou")
	}
	for host, bucket := range f.CNAME {
		if host == "" || !stocktake.ValidBucketName(bucket) {
			return usagef("--cname: %s=%s is not a host name and the name of a bucket", host, bucket)
		}
	}
	for _, e := range f.WebhookEvents {
		switch inventory.EventKind(e) {
		case inventory.EventSucceeded, inventory.EventFailed, inventory.EventLate, inventory.EventRecovered:
		default:
			return usagef("--webhook-events: %q is none of succeeded, failed, late, recovered", e)
		}
	}
	return nil
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
	if err != nil {
		return nil, usagef("--schedule-zone: %q is no time zone such as UTC+8 or Europe/Berlin", s)
	}
	return loc, nil
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
	var n int64
	if _, err := fmt.Sscan(strings.TrimSpace(s), &n); err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("%q is no size such as 64MiB", text)
	}
	*b = byteSize(n * unit)
	return nil
}
