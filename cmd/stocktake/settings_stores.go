package main

import (
	"errors"
	"os"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake/internal/foreign"
)

// storesName is the name of the setting with the named stores. It is a list of
// entries, so that only a file can have it.
const storesName = "stores"

// A storesNode is the setting as the resolver of the file finds it.
type storesNode struct {
	file string // for errors
	node *yaml.Node
}

// parse reads the entries. Its errors are usage errors that name file and line.
func (n storesNode) parse() ([]foreign.Settings, error) {
	all, err := foreign.Parse(n.node)
	if err != nil {
		return nil, usagef("%s: %w", n.file, err)
	}
	return all, nil
}

// storesSetting is the setting as a flag of serve, which the help does not show.
type storesSetting []foreign.Settings

// Decode implements [kong.MapperValue].
func (s *storesSetting) Decode(ctx *kong.DecodeContext) error {
	n, ok := ctx.Scan.Pop().Value.(storesNode)
	if !ok {
		return errors.New("stores are set in a settings file (--config)")
	}
	all, err := n.parse()
	*s = all
	return err
}

// readStores reads the named stores of a settings file, for verbs that need no
// other setting.
func readStores(path string) ([]foreign.Settings, error) {
	if path == "" {
		return nil, usagef("--config: name the settings file that has the stores")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	defer f.Close()
	name := "settings file " + path
	settings, err := readSettings(f, name)
	if err != nil {
		return nil, err
	}
	n, ok := settings[storesName]
	if !ok {
		return nil, usagef("%s: it has no stores", name)
	}
	return storesNode{name, &n}.parse()
}
