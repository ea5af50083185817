// Package systemtest tests the whole: the parts as cmd/stocktake connects them, and the real
// binary. It has no code.
//
// A model defines the answers of OSS to random requests. The binary is killed while clients
// write to it. The data folder is searched for content that must be encrypted. Bad input is
// sent over raw connections. CONTRIBUTING.md describes how to run more of each.
package systemtest
