package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"

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
// Names are those of the API in lowerCamelCase; the JSON form of a configuration is
// read as well. Members left out get the usual value: isEnabled is true,
// destination.format CSV, destination.accountId that of the role,
// includedObjectVersions Current, and an incremental part is enabled, with a
// frequency of 600.
//
// An error begins with the line that it is about. An unknown or repeated name is an error; Validate
// decides whether the values are legal.
func ParseYAML(data []byte) (stocktake.InventoryConfiguration, error) {
	if len(data) > inventoryxml.MaxSize {
		return stocktake.InventoryConfiguration{}, errors.New("longer than 1 MiB")
	}
	// YAML treats these as line ends and folds them to blanks, even between quotes.
	if i := bytes.IndexAny(data, "\u0085\u2028\u2029"); i >= 0 {
		return stocktake.InventoryConfiguration{}, fmt.Errorf("line %d: a line end that is not ASCII; write it as \"\\u0085\" and the like", 1+bytes.Count(data[:i], []byte("\n")))
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	doc := document{IsEnabled: true, IncludedObjectVersions: text(stocktake.CurrentVersions)}
	doc.Destination.Format = stocktake.FormatCSV
	empty := doc
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) || err == nil && reflect.DeepEqual(doc, empty) {
		return stocktake.InventoryConfiguration{}, errors.New("the document is empty")
	} else if err != nil {
		return stocktake.InventoryConfiguration{}, yamlError(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return stocktake.InventoryConfiguration{}, errors.New("a second document follows the first")
	}
	return doc.configuration()
}

// FormatYAML writes what ParseYAML reads.
func FormatYAML(c stocktake.InventoryConfiguration) ([]byte, error) {
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	err := errors.Join(enc.Encode(newDocument(&c)), enc.Close())
	return buf.Bytes(), err
}
