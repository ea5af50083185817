package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/terminal"
	"github.com/stocktake/stocktake/internal/tracing"
	"github.com/stocktake/stocktake/internal/tracing/otlp"
)

// serveCmd is `stocktake serve`. Flags override the environment (STOCKTAKE_ and
// the flag's name), which overrides the file.
type serveCmd struct {
	Config     kong.ConfigFlag `help:"YAML file with the settings below, by the names of the flags." placeholder:"FILE" short:"c"`
	Check      bool            `help:"Check settings, addresses and the files they name, then exit."`
	AcceptLoss []string        `help:"Start without these parts of the data folder, such as catalog.db, if they are lost or damaged." placeholder:"NAME"`
	serverFlags
}

// Help is shown by --help below the flags.
func (serveCmd) Help() string {
	return `The root access key comes from OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET. Without
them the server creates one and prints it. On SIGHUP it reads certificates and the access
file again, and reopens the log files.`
}

// Run serves until the context ends, then finishes requests and runs in progress.
func (c *serveCmd) Run(ctx context.Context, con console, line *kong.Context) (err error) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from the beginning: it would end the process
	defer signal.Stop(hangups)

	if c.Ephemeral {
		remove, err := c.ephemeral(line)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, remove()) }()
	}
	out := con.err
	var file *logs.File
	if c.LogFile != "" {
		if file, err = openLogFile(c.LogFile); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	log := newLogger(out, slog.Level(c.LogLevel), c.LogFormat)
	cfg, err := c.config(log)
	if err != nil {
		return err
	}
	cfg.AcceptLoss = c.AcceptLoss
	if cfg.Tracer, err = otlp.FromEnvironment(ctx, cfg.Version, log); err != nil {
		return usagef("%w", err)
	}
	defer closeTracer(cfg.Tracer, log)
	if c.Check {
		return c.check(con, cfg)
	}
	boundMemory(int64(c.CacheSize))
	s, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}
	switch {
	case c.Ephemeral:
		err = announceJSON(con, s)
	case c.LogFormat == "json" || file != nil: // a log of JSON lines has no other lines
		announceTo(log, s)
	default:
		announce(con, s)
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	go reloadOnHangup(ctx, hangups, s, file, log)
	defer context.AfterFunc(ctx, func() { log.Info("shutting down: requests and runs in progress finish") })()
	defer endWithin(ctx, log)()
	if err := s.Serve(ctx); err != nil {
		return err
	}
	log.Info("the server has stopped")
	return nil
}

// flushSpans is how long sending the last spans may take at the end.
const flushSpans = 5 * time.Second

func closeTracer(t *tracing.Tracer, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), flushSpans)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("cannot send the last spans", "err", err)
	}
}

// endWithin ends the process if it has not stopped some time after ctx has
// ended, as happens when a disk neither completes a write nor reports an error.
// Every answered write is on disk already. stop prevents it.
func endWithin(ctx context.Context, log *slog.Logger) (stop func()) {
	stopped := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-stopped:
			return
		}
		select {
		case <-time.After(server.EndWithin):
			log.Error("the server did not stop in time; the process ends", "grace", server.EndWithin)
			os.Exit(1)
		case <-stopped:
		}
	}()
	return sync.OnceFunc(func() { close(stopped) })
}

// check carries out --check.
func (c *serveCmd) check(con console, cfg server.Config) error {
	if err := server.Check(cfg); err != nil {
		return err
	}
	_, err := sayln(con.out, "the settings are valid")
	return err
}

// ephemeral points the settings to a temporary folder, and to any free port
// unless an address was given.
func (c *serveCmd) ephemeral(line *kong.Context) (remove func() error, err error) {
	listen, console := false, false
	for _, p := range line.Path {
		if p.Flag == nil || p.Resolved {
			continue
		}
		switch p.Flag.Name {
		case "data":
			return nil, usagef("--data: --ephemeral serves a temporary folder; leave one of them out")
		case "listen":
			listen = true
		case "console-listen":
			console = true
		}
	}
	if !console {
		c.Console = "off"
	}
	if !listen {
		c.Listen = "127.0.0.1:0"
	}
	if c.Data, err = os.MkdirTemp("", "stocktake-"); err != nil {
		return nil, err
	}
	return func() error { return os.RemoveAll(c.Data) }, nil
}

// reloadOnHangup reads certificates and declared accounts again, and opens the
// log file again, at each SIGHUP.
func reloadOnHangup(ctx context.Context, hangups <-chan os.Signal, s *server.Server, file *logs.File, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		var err error
		if file != nil {
			err = file.Reopen()
		}
		if err = errors.Join(err, s.Reload()); err != nil {
			log.Error("SIGHUP: some files could not be read; their former content stays in force", "err", err)
			continue
		}
		log.Info("SIGHUP: read certificates and accounts again, reopened the log files")
	}
}

// announce prints for people how to reach the server.
func announce(con console, s *server.Server) {
	cfg := s.Config()
	sayf(con.err, "stocktake serves %s, region %s, account %s, data in %s\n", s.Endpoint(), cfg.Region, cfg.AccountID, cfg.Data)
	if url := s.ConsoleURL(); url != "" {
		sayf(con.err, "the console is at %s\n", url)
	}
	if key, made := s.RootKey(); made {
		sayf(con.err, "created a root access key, kept in %s:\n  OSS_ACCESS_KEY_ID=%s\n  OSS_ACCESS_KEY_SECRET=%s\n",
			s.RootKeyPlace(), key.ID, key.Secret)
	}
}

// announceTo does what announce does in the log, for programs. The secret of a
// new key is in its file only.
func announceTo(log *slog.Logger, s *server.Server) {
	cfg := s.Config()
	log.Info("stocktake serves", "endpoint", s.Endpoint(), "console", s.ConsoleURL(), "region", cfg.Region, "account", cfg.AccountID, "data", cfg.Data)
	if _, made := s.RootKey(); made {
		log.Info("created a root access key", "kept", s.RootKeyPlace())
	}
}

// announceJSON prints for the program that started the server how to reach it:
// one line of JSON on standard output.
func announceJSON(con console, s *server.Server) error {
	cfg := s.Config()
	key, _ := s.RootKey()
	return terminal.NewEncoder(con.out).Encode(struct {
		Endpoint        string   `json:"endpoint"`
		Region          string   `json:"region"`
		AccountID       string   `json:"accountId"`
		AccessKeyID     string   `json:"accessKeyId"`
		AccessKeySecret string   `json:"accessKeySecret"`
		Buckets         []string `json:"buckets"`
		Data            string   `json:"data"`
		PID             int      `json:"pid"`
	}{s.Endpoint(), cfg.Region, cfg.AccountID, key.ID, key.Secret, append([]string{}, cfg.Buckets...), cfg.Data, os.Getpid()})
}
