//go:build race

package store_test

// raceDetector: Pebble then checks itself, for which it allocates.
const raceDetector = true
