package main

import (
	"cmp"
	"runtime/debug"
	"strings"
)

type versionCmd struct{ jsonFlag }

// Run prints the version.
func (c versionCmd) Run(con console) error {
	v := programVersion()
	return c.say(con, v, "%s", v)
}

// version identifies the sources of `make build`. The linker sets it.
var version string

// A versionInfo identifies the sources of a binary.
type versionInfo struct {
	Version  string `json:"version"`            // "devel" if it is not known
	Revision string `json:"revision,omitempty"` // commit, if the Go tool stamped it
}

func (v versionInfo) String() string {
	return strings.TrimSpace("stocktake " + v.Version + " " + v.Revision)
}

// programVersion returns the version that make or the Go tool put into the
// binary.
func programVersion() versionInfo {
	v := versionInfo{Version: version}
	if info, ok := debug.ReadBuildInfo(); ok {
		if main := info.Main.Version; main != "(devel)" {
			v.Version = cmp.Or(v.Version, main)
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	v.Version = cmp.Or(v.Version, "devel")
	return v
}
