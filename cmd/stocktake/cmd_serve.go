package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/alecthomas/kong"

	"github.com/stocktake/stocktake/internal/server"
)

// serveCmd is `stocktake serve`. Flags are stronger than the environment
// (STOCKTAKE_ and the flag's name), which is stronger than the file.
type serveCmd struct {
	Config kong.ConfigFlag `help:"YAML file with the settings below, by the names of the flags." placeholder:"FILE" short:"c"`
	serverFlags
}

// Help is shown by --help below the flags.
func (serveCmd) Help() string {
	return `The root access key comes from OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET; without
them one is made, kept in the data folder and printed.`
}

// Run serves until the context ends, then finishes what is under way.
func (c *serveCmd) Run(ctx context.Context, con console) error {
	boundMemory(int64(c.CacheSize))
	log := newLogger(con, c.LogLevel, c.LogFormat)
	cfg, err := c.config(log)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}
	if c.LogFormat == "json" { // whoever reads lines of JSON gets nothing else
		announceTo(log, s)
	} else {
		announce(con, s)
	}
	defer context.AfterFunc(ctx, func() { log.Info("told to end: what is under way finishes") })()
	if err := s.Serve(ctx); err != nil {
		return err
	}
	log.Info("the server has ended")
	return nil
}

// announce tells a person how to reach the server.
func announce(con console, s *server.Server) {
	cfg := s.Config()
	fmt.Fprintf(con.err, "stocktake serves %s, region %s, account %s, data in %s\n", s.Endpoint(), cfg.Region, cfg.AccountID, cfg.Data)
	if key, made := s.RootKey(); made {
		fmt.Fprintf(con.err, "a new root access key was made and is kept in %s:\n  OSS_ACCESS_KEY_ID=%s\n  OSS_ACCESS_KEY_SECRET=%s\n",
			server.Folder(cfg.Data).RootKey(), key.ID, key.Secret)
	}
}

// announceTo is announce for programs. The secret of a new key is in its file
// only.
func announceTo(log *slog.Logger, s *server.Server) {
	cfg := s.Config()
	log.Info("stocktake serves", "endpoint", s.Endpoint(), "region", cfg.Region, "account", cfg.AccountID, "data", cfg.Data)
	if _, made := s.RootKey(); made {
		log.Info("a new root access key was made", "file", server.Folder(cfg.Data).RootKey())
	}
}
