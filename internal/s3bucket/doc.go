// Package s3bucket makes the buckets of an S3 service sources and destinations of
// runs. Listings are requested and parsed by itself, page by page, in a way that
// fits AWS, MinIO, versitygw and Ceph; everything else goes through the AWS SDK.
// Neither retries: [Options.Transport] is expected to.
package s3bucket
