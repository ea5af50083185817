// Package suites pins the foreign programs whose own tests interop compiles and
// runs. It is a module of its own because their dependencies are many, and no
// test of ours needs them.
package suites
