// Package remote makes buckets of a service that is reached over HTTP sources and
// destinations of runs. S3 and OSS differ in how requests are signed and in the
// names of headers and errors, and that is what a [Dialect] says; packages
// s3bucket and ossbucket have one each. What both need alike is here:
//
//   - how a listing is read page by page, in a way that fits AWS, MinIO, versitygw,
//     Ceph and OSS, although they differ in markers and in the order of rows;
//   - how a file becomes an object: in one request or in parts, visible when it is
//     whole, and aborted if it fails;
//   - the order of what a request passes through, from the caller to the wire: its
//     body is made repeatable, then come retries and limits ([Options.Around]),
//     then the signature, then a guard against silence, then [Options.Transport].
//
// A request is signed after all waiting, so that it may wait for hours, and
// credentials that were renewed meanwhile are the ones that it is sent with.
package remote
