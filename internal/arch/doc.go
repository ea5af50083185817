// Package arch holds the rules of the tree as a test: which package may import
// which, where a library is at home, how long a file may be, that every package
// says what it is.
//
// The test parses the sources itself. It does not ask the go command, whose
// answers the test cache does not see: it would keep saying "ok (cached)" after
// a change.
package arch
