// Package listpage parses the pages of object listings: ListObjects, ListObjectsV2
// and ListObjectVersions, of S3 services and of OSS. It takes the bytes of a
// response and returns records in the order of reports.
//
// Listing a bucket of another service takes as long as parsing its XML. A fast
// parser therefore parses pages in place, without an allocation per record. It
// accepts only the forms that stores are known to send. All other pages go through
// the general parser of package ossxml. Both return the same for every page that
// both accept.
package listpage
