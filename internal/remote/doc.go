// Package remote adapts buckets of an HTTP service to sources and destinations of
// runs. S3 and OSS differ in the signature of requests and in the names of headers
// and errors. A [Dialect] describes these differences; packages s3bucket and
// ossbucket have one each. This package holds what both need:
//
//   - how a listing is read page by page, in a way that fits AWS, MinIO, versitygw,
//     Ceph and OSS, although they differ in markers and in the order of rows;
//   - how a file becomes an object: in one request or in parts, visible when it is
//     whole, and aborted if it fails;
//   - the layers that a request passes through, from the caller to the connection: its
//     body is made repeatable, then come retries and limits ([Options.WrapTransport]),
//     then the signature, then a guard against silence, then [Options.Transport].
//
// A request is signed after all waiting. It may wait for hours, and is sent with
// credentials that were renewed meanwhile.
package remote
