package listpage

import (
	"fmt"
	"strings"

	"github.com/stocktake/stocktake/internal/ossxml"
)

// maxElements bounds the elements of a page: 20 for each of 50,000 rows.
const maxElements = 1_000_000

// parseAny parses a page in any form. It reports whether keys are percent-encoded.
func (p *Page) parseAny(body []byte) (encoded bool, err error) {
	root, err := ossxml.ParseDocument(body, maxElements)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch root.Name {
	case "ListBucketResult":
	case "ListVersionsResult":
		p.Versions = true
	default:
		return false, fmt.Errorf("%w: it is a document %.100q", ErrMalformed, root.Name)
	}
	switch text := root.Value("IsTruncated"); text {
	case "true", "false":
		p.Truncated = text == "true"
	default:
		return false, fmt.Errorf("%w: IsTruncated is %.100q", ErrMalformed, text)
	}
	for i := range root.Children {
		e := &root.Children[i]
		k := rowObject
		switch e.Name {
		case "Contents":
		case "StartAfter", "Marker", "KeyMarker":
			if !p.hasAfter {
				p.after, p.hasAfter = []byte(e.Text), true
			}
			continue
		case "Version":
			k = rowVersion
		case "DeleteMarker":
			k = rowDeleteMarker
		case "CommonPrefixes":
			return false, fmt.Errorf("%w: it has common prefixes", ErrMalformed)
		default:
			continue
		}
		if (k == rowObject) == p.Versions {
			return false, fmt.Errorf("%w: a %s has an element %s", ErrMalformed, root.Name, e.Name)
		}
		var r row
		for f, name := range fieldNames {
			if c := e.Child(name); c != nil {
				r[f] = []byte(c.Text)
			}
		}
		if err := p.add(k, &r); err != nil {
			return false, err
		}
	}
	return strings.EqualFold(root.Value("EncodingType"), "url"), nil
}
