// Package request parses requests to OSS: the bucket and key in the URL, the
// parameters, the signer, the requested operation, and the body. It writes no
// answers and uses no store.
//
// Source: OSS API reference.
package request
