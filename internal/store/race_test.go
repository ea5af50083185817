//go:build race

package store_test

// raceDetector is true under the race detector, where Pebble checks itself and
// allocates for it.
const raceDetector = true
