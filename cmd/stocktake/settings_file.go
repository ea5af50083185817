package main

import (
	"errors"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

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
			known[f.Name] = f.Name != "config" && f.Name != "help" && f.Name != "check"
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
