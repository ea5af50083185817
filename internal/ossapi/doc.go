// Package ossapi is OSS over HTTP: addressing, authentication, routing, the XML
// of requests and answers, and the error replies. It knows neither which store
// keeps the objects nor which service makes the inventories; backend.go says
// what it needs of them.
//
// Source: OSS API reference.
package ossapi
