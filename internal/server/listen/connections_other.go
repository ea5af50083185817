//go:build !unix

package listen

// DefaultConnections returns a number that every system can serve.
func DefaultConnections() int { return 10_000 }
