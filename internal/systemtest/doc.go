// Package systemtest holds the tests of the whole: the parts wired as
// cmd/stocktake wires them, and the real binary. It has no code.
//
// A model says what OSS answers to random requests; the binary is killed while
// it is written to; the data folder is searched for what was to be encrypted;
// and bad input comes over raw connections. CONTRIBUTING.md says how to run
// more of each.
package systemtest
