package client

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake"
)

// A reader takes a node of the document into a part of a configuration.
type reader func(*yaml.Node) error

// members are the members that a mapping may have.
type members map[string]reader

func (m members) read(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return failf(n, "expected one of %s here, each with a value", m)
	}
	seen := map[string]bool{}
	for pair := range slices.Chunk(n.Content, 2) {
		key, value := pair[0], pair[1]
		read, known := m[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			return failf(key, "%.40q is not known here, which has %s", key.Value, m)
		case seen[key.Value]:
			return failf(key, "%s is there twice", key.Value)
		}
		seen[key.Value] = true
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			continue // as if it were left out
		}
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

func (m members) String() string {
	if len(m) == 0 {
		return "nothing"
	}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// switchOr reads a boolean, or a mapping, even an empty one, that stands for true.
func switchOr(on *bool, m members) reader {
	return func(n *yaml.Node) error {
		if n.Kind == yaml.ScalarNode {
			return boolean(on)(n)
		}
		*on = true
		return m.read(n)
	}
}

// text reads a scalar as it is written, so that an account id or a date is a
// text as well.
func text[T ~string](into *T) reader {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return failf(n, "expected a text")
		}
		*into = T(n.Value)
		return nil
	}
}

func boolean(into *bool) reader {
	return func(n *yaml.Node) error {
		*into = strings.EqualFold(n.Value, "true")
		if n.Kind != yaml.ScalarNode || !*into && !strings.EqualFold(n.Value, "false") {
			return failf(n, "expected true or false")
		}
		return nil
	}
}

func number(into *int64) reader {
	return func(n *yaml.Node) (err error) {
		if *into, err = strconv.ParseInt(n.Value, 10, 64); n.Kind != yaml.ScalarNode || err != nil {
			return failf(n, "expected a whole number")
		}
		return nil
	}
}

// moment reads Unix seconds, a date (its start in UTC) or a time.
func moment(into *int64) reader {
	return func(n *yaml.Node) error {
		if number(into)(n) == nil {
			return nil
		}
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if t, err := time.Parse(layout, n.Value); err == nil && n.Kind == yaml.ScalarNode {
				*into = t.Unix()
				return nil
			}
		}
		return failf(n, "expected Unix seconds, or a time such as 2026-01-05 or 2026-01-05T16:00:00Z")
	}
}

func fields(into *[]stocktake.Field, parse func(string) (stocktake.Field, bool)) reader {
	return each(func(name string) bool {
		f, ok := parse(name)
		*into = append(*into, f)
		return ok
	})
}

// each reads a sequence of names, or one text with commas between them.
func each(add func(name string) bool) reader {
	return func(n *yaml.Node) error {
		if n.Kind == yaml.ScalarNode {
			for name := range strings.SplitSeq(n.Value, ",") {
				if !add(strings.TrimSpace(name)) {
					return failf(n, "%.40q is not known here", name)
				}
			}
			return nil
		}
		if n.Kind != yaml.SequenceNode {
			return failf(n, "expected a list of names")
		}
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || !add(item.Value) {
				return failf(item, "%.40q is not known here", item.Value)
			}
		}
		return nil
	}
}

func failf(n *yaml.Node, format string, args ...any) error {
	if n.Kind == yaml.AliasNode {
		format, args = "aliases are not supported", nil
	}
	return fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...))
}
