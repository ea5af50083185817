// Package inventoryxml reads and writes the XML of the bucket inventory API:
// the document of one [stocktake.InventoryConfiguration] and that of a listing.
//
// What the document looks like stands in one table, elements; both directions
// follow it. The rules about values are in the root package.
package inventoryxml
