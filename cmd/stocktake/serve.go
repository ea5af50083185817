package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// serveCmd is `stocktake serve`. Flags are stronger than the environment
// (STOCKTAKE_ and the flag's name), which is stronger than the file.
type serveCmd struct {
	Config kong.ConfigFlag `help:"YAML file with the settings below, by the names of the flags." placeholder:"FILE" short:"c"`
	serverFlags
}

// serverFlags are the settings of a server. Their defaults ask for nothing.
type serverFlags struct {
	Listen    string   `help:"Address of the OSS API." default:"127.0.0.1:9000"`
	ListenTLS string   `name:"listen-tls" help:"Second address, with TLS. Without it, --tls-cert makes --listen speak TLS." placeholder:"HOST:PORT"`
	TLSCert   string   `name:"tls-cert" help:"Certificate chain, PEM." type:"existingfile" placeholder:"FILE" and:"tls"`
	TLSKey    string   `name:"tls-key" help:"Private key, PEM." type:"existingfile" placeholder:"FILE" and:"tls"`
	Data      string   `help:"Folder of the embedded store, the catalog and the keys." default:"./stocktake-data" type:"path"`
	Region    string   `help:"Region that buckets are in." default:"cn-hangzhou"`
	AccountID string   `name:"account-id" help:"Account that owns the buckets." default:"1000000000000000"`
	BaseHost  []string `help:"Host names under which buckets are host names: BUCKET.HOST. The region's public OSS names are known already." placeholder:"HOST,..."`

	MaxRuns      int    `group:"Runs" help:"How many runs go at once." default:"2"`
	ScanWorkers  int    `group:"Runs" help:"Goroutines of one run; 0 is one a core." default:"0"`
	ShardRows    int64  `group:"Runs" help:"Rows of a shard, at most." default:"1000000"`
	ScheduleHour int    `group:"Runs" help:"Hour of the day at which scheduled runs are due." default:"0"`
	ScheduleZone string `group:"Runs" help:"Time zone of that hour and of weekdays and dates: a name such as Europe/Berlin, or UTC+8." default:"UTC+8"`
	KeepRuns     int    `group:"Runs" help:"Runs kept in a configuration's history." default:"100"`
	EmptyReports bool   `group:"Runs" help:"Write a manifest without files when nothing matched, instead of nothing."`

	CacheSize      byteSize      `group:"Store" help:"Memory for blocks of the index." default:"64MiB"`
	BodyTimeout    time.Duration `group:"Store" help:"A request body that stands still for so long is given up." default:"30s"`
	AllowCallbacks bool          `group:"Store" help:"Carry out the callbacks that PutObject may ask for: the server then sends requests to addresses that clients name."`

	LogLevel  slog.Level `group:"Log" help:"debug, info, warn or error." default:"info"`
	LogFormat string     `group:"Log" help:"text or json." enum:"text,json" default:"text"`
}

// Help is shown by --help below the flags.
func (serveCmd) Help() string {
	return `The root access key comes from OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET; without
them one is made, kept in the data folder and printed.

Examples:
  stocktake serve
  stocktake serve --data /srv/stocktake --listen 0.0.0.0:9000 --tls-cert cert.pem --tls-key key.pem
  stocktake serve --config stocktake.yaml`
}

// Run serves until the context ends, then finishes what is under way.
func (c *serveCmd) Run(ctx context.Context, con console) error {
	log := newLogger(con, c.LogLevel, c.LogFormat)
	s, err := openServer(ctx, c.serverFlags, log)
	if err != nil {
		return err
	}
	s.announce(con)
	return s.serve(ctx)
}

func newLogger(con console, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(con.err, opts))
	}
	return slog.New(slog.NewTextHandler(con.err, opts))
}

// check refuses settings that no flag's type can.
func (f *serverFlags) check() error {
	switch {
	case f.MaxRuns < 1:
		return usagef("--max-runs: at least 1")
	case f.ScanWorkers < 0:
		return usagef("--scan-workers: at least 0")
	case f.ShardRows < 1:
		return usagef("--shard-rows: at least 1")
	case f.ScheduleHour < 0 || f.ScheduleHour > 23:
		return usagef("--schedule-hour: 0 to 23")
	case f.KeepRuns < 1:
		return usagef("--keep-runs: at least 1")
	case f.CacheSize < 1<<20:
		return usagef("--cache-size: at least 1MiB")
	case f.ListenTLS != "" && f.TLSCert == "":
		return usagef("--listen-tls needs --tls-cert and --tls-key")
	case f.Region == "" || strings.ContainsAny(f.Region, "/ "):
		return usagef("--region: a name such as cn-hangzhou")
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

// settingsFile is kong's loader of the --config file: a resolver that gives a
// flag the value of the same name. Names that are no flag are refused.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	var settings map[string]any
	if err := yaml.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&settings); err != nil && !errors.Is(err, io.EOF) {
		return nil, usagef("settings file: %w", err)
	}
	checked := false
	return kong.ResolverFunc(func(kctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if !checked {
			known := map[string]bool{}
			for _, f := range kctx.Flags() {
				known[f.Name] = f.Name != "config" && f.Name != "help"
			}
			for name := range settings {
				if !known[name] {
					return nil, usagef("settings file: there is no setting %q", name)
				}
			}
			checked = true
		}
		for _, name := range flag.Envs {
			if _, ok := os.LookupEnv(name); ok {
				return nil, nil // the environment is stronger than the file
			}
		}
		return settings[flag.Name], nil
	}), nil
}
