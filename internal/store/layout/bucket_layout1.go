package layout

import (
	"encoding/json"
	"fmt"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// SettingsOfDocuments fills in the settings that a row of layout 1 has.
func SettingsOfDocuments(b *object.Bucket, value []byte) error {
	var r struct {
		Configuration map[string][]byte `json:"configuration"`
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	for name, doc := range r.Configuration {
		switch name {
		case "policy":
			b.Policy = doc
		case "publicAccessBlock":
			b.BlockPublicAccess = string(doc) == "true"
		case "resourceGroup":
			b.ResourceGroup = string(doc)
		case "requestPayment":
			b.RequesterPays = string(doc) == "Requester"
		case "lifecycle":
			if err := json.Unmarshal(doc, &b.Lifecycle); err != nil {
				return fmt.Errorf("lifecycle rules: %w", err)
			}
		case "tagging":
			tagging, err := ossxml.Parse(doc, "Tagging")
			if err != nil {
				return fmt.Errorf("tags: %w", err)
			}
			if set := tagging.Child("TagSet"); set != nil {
				for i := range set.Children {
					b.Tags = append(b.Tags, object.Tag{Key: text(&set.Children[i], "Key"), Value: text(&set.Children[i], "Value")})
				}
			}
		default:
			return fmt.Errorf("%w: unknown setting %q", ErrMalformed, name)
		}
	}
	return nil
}

// text returns the text of a child with the blanks around it.
func text(e *ossxml.Element, name string) string {
	if c := e.Child(name); c != nil {
		return c.Text
	}
	return ""
}
