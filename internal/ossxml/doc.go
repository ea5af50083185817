// Package ossxml reads and writes the XML of the OSS API: one bounded reader for
// what clients and services send, and one writer. internal/ossapi,
// internal/sts and inventoryxml use it; nothing else in this module reads or
// writes XML.
package ossxml
