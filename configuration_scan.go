package stocktake

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"unicode/utf8"
)

// MaxConfigurationSize is the longest document of PutBucketInventory, in bytes.
const MaxConfigurationSize = 1 << 20

// maxXMLDepth is how deep elements may be nested; the deepest we know is at 6.
const maxXMLDepth = 32

// ecNotWellFormed is the EC of a document that is no XML, or not that of the
// schema in a way that has no EC of its own.
const ecNotWellFormed = "0015-00000231"

// Paths of the elements below InventoryConfiguration, as errors name them.
const (
	pathID        = "Id"
	pathIsEnabled = "IsEnabled"

	pathFilter       = "Filter"
	pathFilterPrefix = "Filter/Prefix"
	pathBegin        = "Filter/LastModifyBeginTimeStamp"
	pathEnd          = "Filter/LastModifyEndTimeStamp"
	pathLower        = "Filter/LowerSizeBound"
	pathUpper        = "Filter/UpperSizeBound"
	pathStorageClass = "Filter/StorageClass"

	pathDestination       = "Destination"
	pathBucketDestination = "Destination/OSSBucketDestination"
	pathFormat            = pathBucketDestination + "/Format"
	pathAccountID         = pathBucketDestination + "/AccountId"
	pathRoleARN           = pathBucketDestination + "/RoleArn"
	pathBucket            = pathBucketDestination + "/Bucket"
	pathDestinationPrefix = pathBucketDestination + "/Prefix"
	pathEncryption        = pathBucketDestination + "/Encryption"
	pathSSEOSS            = pathEncryption + "/SSE-OSS"
	pathSSEOSSKeyID       = pathSSEOSS + "/KeyId"
	pathSSEKMS            = pathEncryption + "/SSE-KMS"
	pathKeyID             = pathSSEKMS + "/KeyId"

	pathSchedule   = "Schedule"
	pathFrequency  = "Schedule/Frequency"
	pathDayOfMonth = "Schedule/DayOfMonth"
	pathAutoDelete = "Schedule/AutoDelete"

	pathVersions       = "IncludedObjectVersions"
	pathOptionalFields = "OptionalFields"
	pathField          = "OptionalFields/Field"

	pathIncremental               = "IncrementalInventory"
	pathIncrementalIsEnabled      = "IncrementalInventory/IsEnabled"
	pathIncrementalSchedule       = "IncrementalInventory/Schedule"
	pathIncrementalFrequency      = "IncrementalInventory/Schedule/Frequency"
	pathIncrementalOptionalFields = "IncrementalInventory/OptionalFields"
	pathIncrementalField          = "IncrementalInventory/OptionalFields/Field"
)

// elementKind is what an element of the schema holds.
type elementKind uint8

const (
	unknownElement elementKind = iota // not of the schema: ignored with all it holds
	container                         // elements; text in it is ignored
	single                            // text, once
	repeated                          // text, any number of times
)

var schema = map[string]elementKind{
	pathID: single, pathIsEnabled: single, pathVersions: single,
	pathFilter: container, pathFilterPrefix: single, pathBegin: single, pathEnd: single,
	pathLower: single, pathUpper: single, pathStorageClass: single,
	pathDestination: container, pathBucketDestination: container, pathFormat: single, pathAccountID: single,
	pathRoleARN: single, pathBucket: single, pathDestinationPrefix: single, pathEncryption: container,
	pathSSEOSS: container, pathSSEOSSKeyID: single, pathSSEKMS: container, pathKeyID: single,
	pathSchedule: container, pathFrequency: single, pathDayOfMonth: single, pathAutoDelete: single,
	pathOptionalFields: container, pathField: repeated,
	pathIncremental: container, pathIncrementalIsEnabled: single, pathIncrementalSchedule: container,
	pathIncrementalFrequency: single, pathIncrementalOptionalFields: container, pathIncrementalField: repeated,
}

// A document is the text of one InventoryConfiguration: of each element of the
// schema that is there, by path. Only those of kind repeated have more than one
// text; containers have an empty one.
type document map[string][]string

// text is the text of a single element and whether it is there.
func (d document) text(path string) (string, bool) {
	texts, ok := d[path]
	if !ok {
		return "", false
	}
	return texts[0], true
}

func (d document) has(path string) bool { return d[path] != nil }

// scanElement reads an InventoryConfiguration, whose start has been read, to
// its end. The order of elements, namespaces, attributes, comments and elements
// that the schema does not know mean nothing. An element that may stand once and
// stands twice is refused, as any choice between the two could be the wrong one.
func scanElement(dec *xml.Decoder) (document, error) {
	doc := document{}
	var open [maxXMLDepth]struct {
		path string
		kind elementKind
	}
	open[0].kind = container
	depth := 0
	var text []byte // of the open element; those with text have no known children
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, notWellFormed(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth == maxXMLDepth {
				return nil, &MalformedXMLError{EC: ecNotWellFormed, Reason: "elements are nested too deep"}
			}
			parent, this := open[depth-1], &open[depth]
			if this.kind = unknownElement; parent.kind == container {
				if this.path = t.Name.Local; parent.path != "" {
					this.path = parent.path + "/" + t.Name.Local
				}
				this.kind = schema[this.path]
			}
			if this.kind == unknownElement {
				continue
			}
			if text = text[:0]; this.kind != repeated && doc.has(this.path) {
				return nil, &MalformedXMLError{EC: ecNotWellFormed, Reason: this.path + " is there twice"}
			}
			if this.kind == container {
				doc[this.path] = []string{""}
			}
		case xml.CharData:
			if k := open[depth].kind; k == single || k == repeated {
				text = append(text, t...)
			}
		case xml.EndElement:
			if k := open[depth].kind; k == single || k == repeated {
				doc[open[depth].path] = append(doc[open[depth].path], string(text))
			}
			if depth--; depth < 0 {
				return doc, nil
			}
		case xml.Directive:
			return nil, errDirective
		}
	}
}

// scanDocument reads a whole document, UTF-8 with or without a declaration and
// a byte order mark, whose root is called root; scan reads from the root's start
// to its end. A document type is refused, so that there is no entity to expand.
func scanDocument(data []byte, root string, scan func(*xml.Decoder) error) error {
	if !utf8.Valid(data) {
		return &MalformedXMLError{EC: ecNotWellFormed, Reason: "not UTF-8"}
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	dec := xml.NewDecoder(bytes.NewReader(data))
	for done := false; ; {
		token, err := dec.Token()
		if done && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return notWellFormed(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if done || t.Name.Local != root {
				return &MalformedXMLError{EC: ecNotWellFormed, Reason: "the document is not one " + root}
			}
			if err := scan(dec); err != nil {
				return err
			}
			done = true
		case xml.CharData:
			if len(bytes.Trim(t, " \t\r\n")) > 0 {
				return &MalformedXMLError{EC: ecNotWellFormed, Reason: "text outside of the " + root}
			}
		case xml.Directive:
			return errDirective
		}
	}
}

var errDirective = &MalformedXMLError{EC: ecNotWellFormed, Reason: "a document type is not accepted"}

func notWellFormed(err error) error {
	if errors.Is(err, io.EOF) {
		return &MalformedXMLError{EC: ecNotWellFormed, Reason: "the document ends early"}
	}
	return &MalformedXMLError{EC: ecNotWellFormed, Reason: err.Error()}
}
