// Package listpage parses the pages of object listings: ListObjects,
// ListObjectsV2 and ListObjectVersions of S3 services, and ListObjects,
// ListObjectsV2 and ListObjectVersions of OSS. It takes the bytes of an answer
// and returns records in the order that reports have.
//
// Listing a foreign bucket costs as much time as parsing its XML, so pages are
// parsed where they lie, without an allocation for each record. That parser
// knows only what stores are known to send; at anything else it stops, and
// the page goes through the general one of package ossxml. Both return the same
// for every page that both accept.
package listpage
