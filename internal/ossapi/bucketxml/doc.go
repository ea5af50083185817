// Package bucketxml reads and writes the XML of the larger settings of a bucket:
// lifecycle and cross-origin rules.
//
// Source: OSS API reference, PutBucketLifecycle and PutBucketCors.
package bucketxml
