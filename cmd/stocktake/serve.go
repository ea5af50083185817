package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

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

func newLogger(con console, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(con.err, opts))
	}
	return slog.New(slog.NewTextHandler(con.err, opts))
}

// settingsFile is kong's loader of the --config file: a resolver that gives a
// flag the value of the same name. Names that are no flag are refused.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	name := "settings file"
	if f, ok := r.(*os.File); ok {
		name += " " + f.Name()
	}
	var settings map[string]any
	if err := yaml.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&settings); err != nil && !errors.Is(err, io.EOF) {
		return nil, usagef("%s: %w", name, err)
	}
	return &settingsResolver{name, settings}, nil
}

// settingsResolver is what a settings file says.
type settingsResolver struct {
	name     string // of the file
	settings map[string]any
}

// Validate refuses names that are no flag of the command that takes the file.
func (s *settingsResolver) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, command := range app.Children {
		if command.Name != "serve" {
			continue
		}
		for _, f := range command.Flags {
			known[f.Name] = f.Name != "config" && f.Name != "help"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		if !known[name] {
			return usagef("%s: there is no setting %q", s.name, name)
		}
	}
	return nil
}

// Resolve gives a flag its value in the file; the environment is stronger.
func (s *settingsResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	return s.settings[flag.Name], nil
}
