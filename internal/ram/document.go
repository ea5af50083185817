package ram

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// A Document is the JSON of a policy. In the files of a Directory it may be a JSON
// or YAML object instead of a string.
type Document []byte

// MarshalJSON writes the document as an object.
func (d Document) MarshalJSON() ([]byte, error) {
	if len(d) == 0 {
		return []byte("null"), nil
	}
	return d, nil
}

// UnmarshalJSON reads an object, or a string that holds one.
func (d *Document) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case string(b) == "null":
		*d = nil
		return nil
	case json.Unmarshal(b, &s) == nil:
		b = []byte(s)
	}
	*d = append(Document(nil), b...)
	return nil
}

// UnmarshalYAML reads a mapping or a string. Numbers and booleans become strings:
// Version: 1 means "1".
func (d *Document) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*d = Document(n.Value)
		return nil
	}
	v, err := plain(n, 0)
	if err != nil {
		return err
	}
	*d, err = json.Marshal(v)
	return err
}

// plain converts a node to maps, lists and strings. Policies have a depth of at
// most 8. Aliases are rejected, because they can make a small file large.
func plain(n *yaml.Node, depth int) (any, error) {
	if depth > 8 {
		return nil, fmt.Errorf("line %d: nested too deeply", n.Line)
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, nil
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := plain(c, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			if _, ok := m[name]; ok {
				return nil, fmt.Errorf("line %d: %s is given twice", n.Content[i].Line, name)
			}
			v, err := plain(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			m[name] = v
		}
		return m, nil
	}
	return nil, fmt.Errorf("line %d: a mapping or a string is expected", n.Line)
}
