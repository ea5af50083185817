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

// maxSettings bounds a settings file, in bytes.
const maxSettings = 1 << 20

// settingsFile loads the --config file for kong: it returns a resolver that
// finds for a flag the value of the same name.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	name := "settings file"
	if f, ok := r.(*os.File); ok {
		name += " " + f.Name()
	}
	var settings map[string]yaml.Node
	if err := yaml.NewDecoder(io.LimitReader(r, maxSettings)).Decode(&settings); err != nil && !errors.Is(err, io.EOF) {
		if _, ok := errors.AsType[*yaml.TypeError](err); ok {
			return nil, usagef("%s: a line such as name: value is expected for each setting", name)
		}
		return nil, usagef("%s: %w", name, err)
	}
	return &settingsResolver{name, settings}, nil
}

// settingsResolver holds the content of a settings file.
type settingsResolver struct {
	name     string // of the file
	settings map[string]yaml.Node
}

// Validate refuses names that are not settings, and settings without a value.
func (s *settingsResolver) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, command := range app.Children {
		if command.Name != "serve" {
			continue
		}
		for _, f := range command.Flags {
			known[f.Name] = isSetting(f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		node := s.settings[name]
		if !known[name] {
			return usagef("%s: there is no setting %q", s.name, name)
		}
		if node.Tag == "!!null" {
			return usagef("%s: line %d: the setting %s has no value", s.name, node.Line, name)
		}
	}
	return nil
}

// isSetting reports whether a flag of serve is a setting of the server, which a
// file or the environment may set, too.
func isSetting(f *kong.Flag) bool {
	return !slices.Contains([]string{"config", "help", "check", "accept-loss"}, f.Name)
}

// Resolve returns the value of a flag in the file; the environment overrides it.
func (s *settingsResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	node, ok := s.settings[flag.Name]
	if !ok {
		return nil, nil
	}
	if flag.Name == storesName {
		return storesNode{s.name, &node}, nil
	}
	return settingValue(&node), nil
}

// settingValue returns a value in the form of the flag's text: scalars as they are
// written, since an account id is not a number.
func settingValue(n *yaml.Node) any {
	switch n.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = settingValue(item)
		}
		return list
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = settingValue(n.Content[i+1])
		}
		return m
	case yaml.AliasNode:
		return settingValue(n.Alias)
	}
	return n.Value
}
