package stocktake

import (
	"iter"
	"strings"
)

// maxXMLDepth is how deep elements may be nested; the deepest we know is at 6.
const maxXMLDepth = 32

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

// schema is what an InventoryConfiguration holds: of each element its path below
// that, and its kind. The index of an element in it is what it is known by.
var schema = [...]struct {
	path string
	kind elementKind
}{
	{pathID, single},
	{pathIsEnabled, single},
	{pathVersions, single},
	{pathFilter, container},
	{pathFilterPrefix, single},
	{pathBegin, single},
	{pathEnd, single},
	{pathLower, single},
	{pathUpper, single},
	{pathStorageClass, single},
	{pathDestination, container},
	{pathBucketDestination, container},
	{pathFormat, single},
	{pathAccountID, single},
	{pathRoleARN, single},
	{pathBucket, single},
	{pathDestinationPrefix, single},
	{pathEncryption, container},
	{pathSSEOSS, container},
	{pathSSEOSSKeyID, single},
	{pathSSEKMS, container},
	{pathKeyID, single},
	{pathSchedule, container},
	{pathFrequency, single},
	{pathDayOfMonth, single},
	{pathAutoDelete, single},
	{pathOptionalFields, container},
	{pathField, repeated},
	{pathIncremental, container},
	{pathIncrementalIsEnabled, single},
	{pathIncrementalSchedule, container},
	{pathIncrementalFrequency, single},
	{pathIncrementalOptionalFields, container},
	{pathIncrementalField, repeated},
}

// rootElement is the parent of the elements that stand in no other of schema.
const rootElement = -1

// A childElement is how a scan comes to an element.
type childElement struct {
	parent int // rootElement, or an index of schema
	name   string
}

// byPath and byParent find the index of an element in schema.
var byPath, byParent = indexSchema()

func indexSchema() (map[string]int, map[childElement]int) {
	paths, children := make(map[string]int, len(schema)), make(map[childElement]int, len(schema))
	for i, e := range schema {
		paths[e.path] = i
	}
	for i, e := range schema {
		c := childElement{rootElement, e.path}
		if slash := strings.LastIndexByte(e.path, '/'); slash >= 0 {
			c = childElement{paths[e.path[:slash]], e.path[slash+1:]}
		}
		children[c] = i
	}
	return paths, children
}

// A document is the text of one InventoryConfiguration: of each element of the
// schema that is there, by index. Containers have an empty one.
type document struct {
	there  [len(schema)]bool
	texts  [len(schema)]string // but of those of kind repeated
	fields []repeatedText
}

// A repeatedText is a text of an element of kind repeated.
type repeatedText struct {
	element int
	text    string
}

// text is the text of a single element and whether it is there.
func (d *document) text(path string) (string, bool) {
	i := byPath[path]
	return d.texts[i], d.there[i]
}

func (d *document) has(path string) bool { return d.there[byPath[path]] }

// repeated yields the texts of an element of kind repeated.
func (d *document) repeated(path string) iter.Seq[string] {
	i := byPath[path]
	return func(yield func(string) bool) {
		for _, f := range d.fields {
			if f.element == i && !yield(f.text) {
				return
			}
		}
	}
}

// An elementScan makes a document of the tags and texts of an
// InventoryConfiguration, the first tag not among them. The order of elements,
// and elements that the schema does not know, mean nothing. An element that may
// stand once and stands twice is refused, as any choice between the two could be
// the wrong one.
type elementScan struct {
	doc   document
	depth int
	open  [maxXMLDepth]openElement
	text  []byte // of the open element; those with text have no known children
}

type openElement struct {
	element int
	kind    elementKind
}

func newElementScan() *elementScan {
	s := &elementScan{}
	s.reset()
	return s
}

// reset makes the scan ready for another InventoryConfiguration. What is kept of
// the last document is lost.
func (s *elementScan) reset() {
	s.doc = document{fields: s.doc.fields[:0]}
	s.depth = 0
	s.open[0] = openElement{rootElement, container}
}

func (s *elementScan) start(name []byte) error {
	if s.depth++; s.depth == maxXMLDepth {
		return &MalformedXMLError{EC: ecNotWellFormed, Reason: "elements are nested too deep"}
	}
	parent, this := s.open[s.depth-1], &s.open[s.depth]
	this.kind = unknownElement
	if parent.kind != container {
		return nil
	}
	i, ok := byParent[childElement{parent.element, string(name)}]
	if !ok {
		return nil
	}
	*this = openElement{i, schema[i].kind}
	s.text = s.text[:0]
	if this.kind != repeated && s.doc.there[i] {
		return &MalformedXMLError{EC: ecNotWellFormed, Reason: schema[i].path + " is there twice"}
	}
	s.doc.there[i] = s.doc.there[i] || this.kind == container
	return nil
}

func (s *elementScan) chars(text []byte) {
	if k := s.open[s.depth].kind; k == single || k == repeated {
		s.text = append(s.text, text...)
	}
}

// end reports whether the InventoryConfiguration itself has ended.
func (s *elementScan) end() bool {
	switch this := s.open[s.depth]; this.kind {
	case single:
		s.doc.there[this.element], s.doc.texts[this.element] = true, string(s.text)
	case repeated:
		s.doc.there[this.element] = true
		s.doc.fields = append(s.doc.fields, repeatedText{this.element, string(s.text)})
	}
	s.depth--
	return s.depth < 0
}
