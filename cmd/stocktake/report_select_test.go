package main

import (
	"testing"
	"time"
)

func TestParseSizesAndTimes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "4096": 4096, "10K": 10 << 10, "10k": 10 << 10, "5MiB": 5 << 20, "2GB": 2 << 30, "1T": 1 << 40, "7B": 7, "x": -1, "": -1, "1.5G": -1, "-1": -1, "9999999999P": -1} {
		got, err := parseSize(text, nil)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("size %q is %d, want %d", text, got, want)
		}
	}
	now := time.Unix(1_000_000, 0)
	for text, want := range map[string]int64{"1d": 1_000_000 - 86400, "2h": 1_000_000 - 7200, "5m": 1_000_000 - 300, "1970-01-02": 86400, "1970-01-01T00:01:00Z": 60, "1970-01-01T00:01:00+00:01": 0, "yesterday": -1, "99999999999d": -1} {
		got, err := parseMoment(text, now, nil)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("time %q is %d, want %d", text, got, want)
		}
	}
}
