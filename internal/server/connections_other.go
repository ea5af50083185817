//go:build !unix

package server

// defaultConnections returns a number that every system can serve.
func defaultConnections() int { return 10_000 }
