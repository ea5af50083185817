package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake"
)

// ParseYAML reads a configuration as people write it:
//
//	id: daily
//	filter:
//	  prefix: photos/
//	  storageClass: [Standard, IA]        # or All
//	  lastModifyBeginTimeStamp: 2026-01-05 # or 2026-01-05T16:00:00Z, or Unix seconds
//	  upperSizeBound: 1073741824
//	destination:
//	  bucket: reports                      # or acs:oss:::reports
//	  prefix: inv
//	  roleArn: acs:ram::1000000000000000:role/inventory-writer
//	  encryption:
//	    sseKms:
//	      keyId: 9468da86-3509-4f8d-a61e-6eab1eac0001
//	schedule:
//	  frequency: Monthly
//	  dayOfMonth: 3
//	includedObjectVersions: All
//	optionalFields: [Size, LastModifiedDate, ETag]
//	incrementalInventory:
//	  optionalFields: [SequenceNumber, RecordType]
//
// Names are those of the API in lowerCamelCase; the JSON form of a configuration
// is read as well. What is left out is what most people want: isEnabled is true,
// destination.format CSV, destination.accountId that of the role,
// includedObjectVersions Current, and an incremental part is enabled, with a
// frequency of 600.
//
// An error begins with the line it is about. A name that is not known, or stands
// twice, is one; whether the values are legal is Validate's to judge.
func ParseYAML(data []byte) (stocktake.InventoryConfiguration, error) {
	c := stocktake.InventoryConfiguration{IsEnabled: true, IncludedObjectVersions: stocktake.CurrentVersions}
	c.Destination.Format = stocktake.FormatCSV
	if len(data) > stocktake.MaxConfigurationSize {
		return c, errors.New("longer than 1 MiB")
	}
	// YAML takes these for line ends and folds them to blanks, even between quotes.
	if i := bytes.IndexAny(data, "\u0085\u2028\u2029"); i >= 0 {
		return c, fmt.Errorf("line %d: a line end that is not ASCII; write it as \"\\u0085\" and the like", 1+bytes.Count(data[:i], []byte("\n")))
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return c, errors.New("the document is empty")
	} else if err != nil {
		return c, syntaxError(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return c, errors.New("a second document follows the first")
	}
	if err := readConfiguration(&c)(doc.Content[0]); err != nil {
		return c, err
	}
	if uid, _, ok := stocktake.ParseRoleARN(c.Destination.RoleARN); ok {
		c.Destination.AccountID = cmp.Or(c.Destination.AccountID, uid)
	}
	return c.Normalized(), nil
}

// FormatYAML writes what ParseYAML reads.
func FormatYAML(c stocktake.InventoryConfiguration) ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	// JSON is YAML, but for characters that only YAML has to be escaped.
	text = notYAML.ReplaceAllFunc(text, func(char []byte) []byte {
		r, _ := utf8.DecodeRune(char)
		return fmt.Appendf(nil, `\u%04x`, r)
	})
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	plain(&doc)
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	err = errors.Join(enc.Encode(&doc), enc.Close())
	return buf.Bytes(), err
}

// notYAML is what YAML, unlike JSON, does not let stand in a text.
var notYAML = regexp.MustCompile(`[\x{7f}-\x{9f}\x{feff}\x{fffe}\x{ffff}]`)

// simple is a text that needs no quotes, unless it looks like something else
// than a text, which the encoder knows.
var simple = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./:=-]*$`)

// plain takes the look of JSON from a document: quotes, braces and brackets,
// where they are not needed.
func plain(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || simple.MatchString(n.Value) {
		n.Style = 0
	}
	for _, child := range n.Content {
		plain(child)
	}
	if n.Kind == yaml.SequenceNode {
		n.Style = yaml.FlowStyle
	}
}

func syntaxError(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}

// A reader takes a node of the document into a part of a configuration.
type reader func(*yaml.Node) error

func readConfiguration(c *stocktake.InventoryConfiguration) reader {
	return members{
		"id": text(&c.ID), "isEnabled": boolean(&c.IsEnabled),
		"filter": readFilter(&c.Filter), "destination": readDestination(&c.Destination),
		"schedule": members{
			"frequency": text(&c.Schedule.Frequency),
			"dayOfMonth": func(n *yaml.Node) error {
				var day int64
				err := number(&day)(n)
				if err == nil && int64(int(day)) != day {
					err = failf(n, "%q is too large", n.Value)
				}
				c.Schedule.DayOfMonth = int(day)
				return err
			},
			"autoDelete": func(n *yaml.Node) error {
				c.Schedule.AutoDelete = new(bool)
				return boolean(c.Schedule.AutoDelete)(n)
			},
		}.read,
		"includedObjectVersions": text(&c.IncludedObjectVersions),
		"optionalFields":         fields(&c.OptionalFields, stocktake.ParseOptionalField),
		"incrementalInventory": func(n *yaml.Node) error {
			inc := &stocktake.IncrementalInventory{IsEnabled: true, Frequency: stocktake.IncrementalWindow}
			c.Incremental = inc
			return members{
				"isEnabled": boolean(&inc.IsEnabled), "frequency": number(&inc.Frequency),
				"optionalFields": fields(&inc.OptionalFields, stocktake.ParseIncrementalField),
			}.read(n)
		},
	}.read
}

func readFilter(f *stocktake.Filter) reader {
	return members{
		"prefix":                   text(&f.Prefix),
		"lastModifyBeginTimeStamp": moment(&f.LastModifyBeginTimeStamp),
		"lastModifyEndTimeStamp":   moment(&f.LastModifyEndTimeStamp),
		"lowerSizeBound": func(n *yaml.Node) error {
			f.HasLowerSizeBound = true
			return number(&f.LowerSizeBound)(n)
		},
		"upperSizeBound": number(&f.UpperSizeBound),
		"storageClass": each(func(name string) bool {
			if name == "All" {
				f.AllClasses = true
				return true
			}
			class, ok := stocktake.ParseStorageClass(name)
			f.StorageClass = append(f.StorageClass, class)
			return ok
		}),
	}.read
}

func readDestination(d *stocktake.Destination) reader {
	return members{
		"format": text(&d.Format), "accountId": text(&d.AccountID), "roleArn": text(&d.RoleARN), "prefix": text(&d.Prefix),
		"bucket": func(n *yaml.Node) error {
			err := text(&d.Bucket)(n)
			if name, ok := stocktake.ParseBucketARN(d.Bucket); ok {
				d.Bucket = name
			}
			return err
		},
		"encryption": members{
			"keyId":  text(&d.Encryption.KeyID),
			"sseOss": switchOr(&d.Encryption.SSEOSS, members{}),
			"sseKms": switchOr(&d.Encryption.SSEKMS, members{"keyId": text(&d.Encryption.KeyID)}),
		}.read,
	}.read
}

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
