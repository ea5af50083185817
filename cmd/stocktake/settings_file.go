package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

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
	settings, err := readSettings(r, name)
	if err != nil {
		return nil, err
	}
	return &settingsResolver{name, settings}, nil
}

// readSettings returns the values of a settings file by their names. The file is
// one YAML document, or empty. The errors are usage errors that begin with name.
func readSettings(r io.Reader, name string) (map[string]yaml.Node, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSettings+1))
	if err != nil {
		return nil, usagef("%s: %w", name, err)
	}
	if len(data) > maxSettings {
		return nil, usagef("%s: longer than %d bytes", name, maxSettings)
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, usagef("%s: %w", name, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, usagef("%s: a second document follows the first: write all settings into one", name)
	}
	var settings map[string]yaml.Node
	err = doc.Decode(&settings)
	if wrong, ok := errors.AsType[*yaml.TypeError](err); ok {
		if doc.Content[0].Kind != yaml.MappingNode {
			return nil, usagef("%s: a line such as name: value is expected for each setting", name)
		}
		return nil, usagef("%s: %s", name, strings.Join(wrong.Errors, "; "))
	} else if err != nil {
		return nil, usagef("%s: %w", name, err)
	}
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		if n := settings[setting]; n.Tag == "!!null" {
			return nil, usagef("%s: line %d: the setting %s has no value", name, n.Line, setting)
		}
	}
	return settings, nil
}

// settingsResolver holds the content of a settings file.
type settingsResolver struct {
	name     string // of the file
	settings map[string]yaml.Node
}

// Validate refuses names that are not settings.
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
		if !known[name] {
			return usagef("%s: unknown setting %q", s.name, name)
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
	value, err := settingValue(&node, flag)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return value, nil
}

// settingValue returns a value in the form of the flag's text: scalars as they are written, since
// an account id is not a number. Lists and mappings hold scalars only. A list or a mapping may also
// be written as a scalar, in the form of the flag.
func settingValue(n *yaml.Node, flag *kong.Flag) (any, error) {
	kind := flag.Target.Kind()
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case kind == reflect.Slice && n.Kind == yaml.SequenceNode:
		list := make([]string, len(n.Content))
		for i, item := range n.Content {
			text, err := settingText(item)
			if err != nil {
				return nil, err
			}
			list[i] = text
		}
		return kong.JoinEscaped(list, flag.Tag.Sep), nil // an error about a list would name types of Go
	case kind == reflect.Map && n.Kind == yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, err := settingText(n.Content[i])
			if err != nil {
				return nil, err
			}
			if _, twice := m[key]; twice {
				return nil, fmt.Errorf("line %d: %q is set twice", n.Content[i].Line, key)
			}
			if m[key], err = settingText(n.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return m, nil
	case kind == reflect.Slice:
		return nil, fmt.Errorf("line %d: a list is expected, such as [a, b]", n.Line)
	case kind == reflect.Map:
		return nil, fmt.Errorf("line %d: names and values are expected, such as {name: value}", n.Line)
	}
	return nil, fmt.Errorf("line %d: one value is expected", n.Line)
}

// settingText returns a scalar within a list or a mapping.
func settingText(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return "", fmt.Errorf("line %d: a text is expected", n.Line)
	}
	return n.Value, nil
}
