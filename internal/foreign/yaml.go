package foreign

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A LineError is an error in a line of the settings file.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

func atLine(n *yaml.Node, format string, args ...any) error {
	return &LineError{n.Line, fmt.Errorf(format, args...)}
}

// A field is a name in a mapping and the function that reads its value.
type field struct {
	name string
	read func(n *yaml.Node) error
}

// mapping reads a mapping that may have the given fields, each at most once and
// with a value.
func mapping(n *yaml.Node, of string, fields []field) error {
	n = resolved(n)
	if n.Kind != yaml.MappingNode {
		return atLine(n, "%s: names and values are expected, such as %s: ...", of, fields[0].name)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolved(n.Content[i+1])
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
		switch {
		case at < 0:
			var names []string
			for _, f := range fields {
				names = append(names, f.name)
			}
			return atLine(key, "%s: unknown setting %.100q; the settings are %s", of, key.Value, strings.Join(names, ", "))
		case seen[key.Value]:
			return atLine(key, "%s: %s is set twice", of, key.Value)
		case value.Tag == "!!null":
			return atLine(key, "%s: %s has no value", of, key.Value)
		}
		seen[key.Value] = true
		if err := fields[at].read(value); err != nil {
			if inner, ok := errors.AsType[*LineError](err); ok {
				return &LineError{inner.Line, within(of, key.Value, inner.Err)}
			}
			return atLine(value, "%s: %s: %w", of, key.Value, err)
		}
	}
	return nil
}

// within returns an error that concerns part of a setting.
func within(of, setting string, err error) error {
	if strings.HasPrefix(err.Error(), setting+": ") {
		return fmt.Errorf("%s: %w", of, err)
	}
	return fmt.Errorf("%s: %s: %w", of, setting, err)
}

// valueOf returns the value of a setting of a mapping, or the mapping if it has
// none.
func valueOf(n *yaml.Node, setting string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == setting {
			return n.Content[i+1]
		}
	}
	return n
}

func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// text reads a value that is not empty.
func text(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.Value == "" {
			return errors.New("a text is expected")
		}
		*to = n.Value
		return nil
	}
}

func boolean(to *bool) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" {
			return errors.New("true or false is expected")
		}
		*to = n.Value == "true"
		return nil
	}
}

func oneOf(to *string, values ...string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || !slices.Contains(values, n.Value) {
			return fmt.Errorf("%.100q is not one of %s", n.Value, strings.Join(values, ", "))
		}
		*to = n.Value
		return nil
	}
}

// number reads a number from 0 to most.
func number(to *float64, whole bool, most float64) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		v, err := strconv.ParseFloat(n.Value, 64)
		switch {
		case n.Kind != yaml.ScalarNode || err != nil || !(v >= 0 && v <= most):
			return fmt.Errorf("%.100q is not a number from 0 to %v", n.Value, int64(most))
		case whole && v != float64(int64(v)):
			return fmt.Errorf("%.100q is not a whole number", n.Value)
		}
		*to = v
		return nil
	}
}

// texts reads a list of texts.
func texts(to *[]string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return errors.New("a list is expected, such as [a, b]")
		}
		for _, item := range n.Content {
			var s string
			if err := text(&s)(resolved(item)); err != nil {
				return &LineError{item.Line, err}
			}
			*to = append(*to, s)
		}
		return nil
	}
}

// pairs calls each for the names and values of a mapping with arbitrary names.
func pairs(each func(name string, value *yaml.Node) error) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.MappingNode {
			return errors.New("names and values are expected, such as {name: value}")
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], resolved(n.Content[i+1])
			if seen[key.Value] {
				return atLine(key, "%.100q is set twice", key.Value)
			}
			seen[key.Value] = true
			if err := each(key.Value, value); err != nil {
				if _, ok := errors.AsType[*LineError](err); ok {
					return err
				}
				return atLine(value, "%.100q: %w", key.Value, err)
			}
		}
		return nil
	}
}
