// Package s3bucket makes the buckets of an S3 service sources and destinations of
// runs: AWS, MinIO, versitygw, Ceph. It is the dialect of package remote for S3:
// signatures of version 4, and calls of the AWS SDK for all but the pages of
// listings. The SDK does not repeat requests; [remote.Options] says what does.
package s3bucket
