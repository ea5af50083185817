package stocktake

import "encoding/xml"

// ParseInventoryConfiguration reads the document that AppendXML writes, or that
// OSS answers to GetBucketInventory. It gives a [*MalformedXMLError] for a
// document that is not of the schema and an [*InvalidArgumentError] for a value
// that an InventoryConfiguration cannot hold, such as an unknown field; other
// values are Validate's to judge. A bound of 0, as OSS may write for one that is
// not set, is no bound.
//
// Servers use [ParsePutBucketInventory].
func ParseInventoryConfiguration(data []byte) (InventoryConfiguration, error) {
	doc, err := parseDocument(data)
	if err != nil {
		return InventoryConfiguration{}, err
	}
	return doc.read()
}

// ParsePutBucketInventory reads the body of a PutBucketInventory and holds it
// to the rules. Of several faults it gives the one that comes first in the
// order of OSS: a [*MalformedXMLError] for the document, then one for its
// structure, then an [*InvalidArgumentError]. The configuration comes
// normalized.
//
// Elements may come in any order. Unknown elements, namespaces, attributes and
// comments are ignored, an element given twice is refused, a Field given twice
// counts once. Blanks around everything but Id and the prefixes mean nothing.
//
// Source: OSS API reference, PutBucketInventory, and its error codes 0020-*.
func ParsePutBucketInventory(body []byte, rules InventoryRules) (InventoryConfiguration, error) {
	doc, err := parseDocument(body)
	if err != nil {
		return InventoryConfiguration{}, err
	}
	c, faults, err := doc.configuration()
	if err != nil {
		return InventoryConfiguration{}, err
	}
	if err := c.validate(rules, faults); err != nil {
		return InventoryConfiguration{}, err
	}
	return c, nil
}

// ParseInventoryList reads the document of ListBucketInventory: the
// configurations of a page and, if there are more, the token of the next.
// Errors are as with [ParseInventoryConfiguration].
func ParseInventoryList(data []byte) (page []InventoryConfiguration, next string, truncated bool, err error) {
	if data, err = checkUTF8(data); err != nil {
		return nil, "", false, err
	}
	if page, next, truncated, ok := plainList(data); ok {
		return page, next, truncated, nil
	}
	return scanList(data)
}

// scanList is ParseInventoryList by encoding/xml.
func scanList(data []byte) (page []InventoryConfiguration, next string, truncated bool, err error) {
	err = scanDocument(data, inventoryListElement, func(dec *xml.Decoder) error {
		for {
			token, err := dec.Token()
			if err != nil {
				return notWellFormed(err)
			}
			switch t := token.(type) {
			case xml.EndElement:
				return nil
			case xml.Directive:
				return errDirective
			case xml.StartElement:
				switch t.Name.Local {
				case configurationElement:
					doc, err := scanElement(dec)
					if err != nil {
						return err
					}
					c, err := doc.read()
					if err != nil {
						return err
					}
					page = append(page, c)
				case "IsTruncated":
					err = dec.DecodeElement(&truncated, &t)
				case "NextContinuationToken":
					err = dec.DecodeElement(&next, &t)
				default:
					err = dec.Skip()
				}
				if err != nil {
					return notWellFormed(err)
				}
			}
		}
	})
	if err != nil {
		return nil, "", false, err
	}
	return page, next, truncated, nil
}

func parseDocument(data []byte) (doc *document, err error) {
	if len(data) > MaxConfigurationSize {
		return nil, &MalformedXMLError{EC: ecNotWellFormed, Reason: "longer than 1 MiB"}
	}
	if data, err = checkUTF8(data); err != nil {
		return nil, err
	}
	if doc, ok := plainDocument(data); ok {
		return doc, nil
	}
	return scanConfiguration(data)
}

// scanConfiguration is parseDocument by encoding/xml.
func scanConfiguration(data []byte) (doc *document, err error) {
	err = scanDocument(data, configurationElement, func(dec *xml.Decoder) error {
		doc, err = scanElement(dec)
		return err
	})
	return doc, err
}
