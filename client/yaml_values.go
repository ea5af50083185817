package client

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A text is a scalar in the form that it is written in, so that an account id or a
// date is a text, too.
type text string

// simple is a text that needs no quotes, unless it looks like something other
// than a text, which the encoder knows.
var simple = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./:=-]*$`)

// MarshalYAML quotes a text that is not simple.
func (t text) MarshalYAML() (any, error) {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: string(t)}
	if !simple.MatchString(n.Value) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n, nil
}

// A number is a whole number in decimal digits.
type number int64

func (v *number) UnmarshalYAML(n *yaml.Node) error {
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || err != nil {
		return fmt.Errorf("line %d: expected a whole number", n.Line)
	}
	*v = number(i)
	return nil
}

// A moment is a time in Unix seconds. It may be written as a date, which is its
// start in UTC, or as a time.
type moment int64

func (v *moment) UnmarshalYAML(n *yaml.Node) error {
	if (*number)(v).UnmarshalYAML(n) == nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, n.Value); err == nil && n.Kind == yaml.ScalarNode {
			*v = moment(t.Unix())
			return nil
		}
	}
	return fmt.Errorf("line %d: expected Unix seconds, or a time such as 2026-01-05 or 2026-01-05T16:00:00Z", n.Line)
}

// A name is one of a list, and the line that it is on.
type name struct {
	text string
	line int
}

func (v *name) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: expected a name", n.Line)
	}
	*v = name{n.Value, n.Line}
	return nil
}

// MarshalYAML writes the name alone.
func (v name) MarshalYAML() (any, error) { return v.text, nil }

// names is a list of names, or one text with commas between them.
type names []name

func (v *names) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		*v = splitNames(n.Value, n.Line)
		return nil
	case yaml.SequenceNode:
		return n.Decode((*[]name)(v))
	}
	return fmt.Errorf("line %d: expected a list of names", n.Line)
}

func splitNames(list string, line int) (v names) {
	for text := range strings.SplitSeq(list, ",") {
		v = append(v, name{strings.TrimSpace(text), line})
	}
	return v
}

// sseOSS is a boolean, or an empty mapping, which means true.
type sseOSS bool

func (v *sseOSS) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return n.Decode((*bool)(v))
	}
	if len(n.Content) > 0 {
		return fmt.Errorf("line %d: unknown name %.40q: SSE-OSS takes no key", n.Content[0].Line, n.Content[0].Value)
	}
	*v = true
	return nil
}

// sseKMS is a boolean, or a mapping with at most a keyId, which means true.
type sseKMS struct {
	on    bool
	keyID text
}

func (v *sseKMS) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return n.Decode(&v.on)
	}
	for pair := range slices.Chunk(n.Content, 2) {
		if pair[0].Value != "keyId" {
			return fmt.Errorf("line %d: unknown name %.40q; the name here is keyId", pair[0].Line, pair[0].Value)
		}
	}
	v.on = true
	var key struct {
		KeyID text `yaml:"keyId"`
	}
	err := n.Decode(&key)
	v.keyID = key.KeyID
	return err
}

// MarshalYAML writes a boolean; the document has the key next to it.
func (v sseKMS) MarshalYAML() (any, error) { return v.on, nil }

// IsZero makes the encoder leave out an absent encryption.
func (v sseKMS) IsZero() bool { return !v.on }

var (
	unknownName = regexp.MustCompile(`^(line \d+: )field (.*) not found in type client\.(\w+)$`)
	wrongType   = regexp.MustCompile(`^(line \d+: )cannot unmarshal .* into (\S+)$`)
)

// members has the names that each mapping of a document may have.
var members = func() map[string]string {
	all := map[string]string{}
	for _, t := range []reflect.Type{
		reflect.TypeFor[document](), reflect.TypeFor[filter](), reflect.TypeFor[destination](), reflect.TypeFor[encryption](),
		reflect.TypeFor[schedule](), reflect.TypeFor[incremental](),
	} {
		var names []string
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			names = append(names, name)
		}
		slices.Sort(names)
		all[t.Name()] = strings.Join(names, ", ")
	}
	return all
}()

// yamlError returns the first error of the decoder, in terms of the document.
func yamlError(err error) error {
	typeError, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	said := typeError.Errors[0]
	if m := unknownName.FindStringSubmatch(said); m != nil {
		return fmt.Errorf("%sunknown name %.40q; the names here are %s", m[1], m[2], members[m[3]])
	}
	if m := wrongType.FindStringSubmatch(said); m != nil {
		expected := "a text"
		if names, ok := members[strings.TrimPrefix(m[2], "client.")]; ok {
			expected = "one of " + names + " here, each with a value"
		} else if strings.HasSuffix(m[2], "bool") {
			expected = "true or false"
		}
		return errors.New(m[1] + "expected " + expected)
	}
	return errors.New(said)
}
