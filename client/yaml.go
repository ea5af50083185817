package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/inventoryxml"
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
	if len(data) > inventoryxml.MaxSize {
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
