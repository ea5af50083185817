// Package request parses requests to OSS: the bucket and key in the URL, the
// parameters, the signer, the requested operation, and the body. It writes no
// answers and uses no store. Every request runs address.go, from the host to the
// operation, and arguments.go, which has the parameters and the body.
//
// Source: OSS API reference.
package request
