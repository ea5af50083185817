// Package ossapi implements the HTTP API of OSS: addressing, authentication,
// routing, the XML of requests and answers, and error replies. It does not depend
// on a particular store or inventory service; backend.go declares the interfaces
// that it needs, serve.go has what every request runs, from its arrival to its
// handler and from there to the log.
//
// Source: OSS API reference.
package ossapi
