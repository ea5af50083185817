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

// Names of the root elements.
const (
	configurationElement = "InventoryConfiguration"
	inventoryListElement = "ListInventoryConfigurationsResult"
)

// ecNotWellFormed is the EC of a document that is no XML, or not that of the
// schema in a way that has no EC of its own.
const ecNotWellFormed = "0015-00000231"

// scanElement reads an InventoryConfiguration, whose start has been read, to
// its end. Namespaces, attributes and comments mean nothing.
func scanElement(dec *xml.Decoder) (*document, error) {
	s := newElementScan()
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, notWellFormed(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := s.start([]byte(t.Name.Local)); err != nil {
				return nil, err
			}
		case xml.CharData:
			s.chars(t)
		case xml.EndElement:
			if s.end() {
				return &s.doc, nil
			}
		case xml.Directive:
			return nil, errDirective
		}
	}
}

// checkUTF8 gives a document without its byte order mark.
func checkUTF8(data []byte) ([]byte, error) {
	if !utf8.Valid(data) {
		return nil, &MalformedXMLError{EC: ecNotWellFormed, Reason: "not UTF-8"}
	}
	return bytes.TrimPrefix(data, []byte("\uFEFF")), nil
}

// scanDocument reads a whole document, UTF-8 with or without a declaration, whose
// root is called root; scan reads from the root's start to its end. A document
// type is refused, so that there is no entity to expand.
func scanDocument(data []byte, root string, scan func(*xml.Decoder) error) error {
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
