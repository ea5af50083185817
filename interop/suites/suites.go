// Package suites pins the foreign programs whose own tests interop compiles and runs.
// It is a separate module because their dependencies are many, and our own tests do
// not need them.
package suites
