package layout

import (
	"encoding/json"
	"encoding/xml"
	"fmt"

	"github.com/stocktake/stocktake/internal/object"
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
			var tagging struct {
				Tags []object.Tag `xml:"TagSet>Tag"`
			}
			if err := xml.Unmarshal(doc, &tagging); err != nil {
				return fmt.Errorf("tags: %w", err)
			}
			b.Tags = tagging.Tags
		default:
			return fmt.Errorf("%w: unknown setting %q", ErrMalformed, name)
		}
	}
	return nil
}
