package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/terminal"
)

// storesFlags name the settings file of verbs that use the named stores.
type storesFlags struct {
	Config string `help:"Settings file of the server, which has the stores." short:"c" group:"Connection" type:"path" placeholder:"FILE"`
}

type storeList struct {
	storesFlags
	JSON bool `help:"Print one JSON object a line."`
}

// Help is shown by --help below the flags.
func (storeList) Help() string {
	return `The command only reads the settings file. To contact a store, use stocktake store check.`
}

// storeLine is a store for programs. It has no secret.
type storeLine struct {
	Name        string            `json:"name"`
	Kind        foreign.Kind      `json:"kind"`
	Endpoint    string            `json:"endpoint"`
	Region      string            `json:"region,omitempty"`
	Credentials string            `json:"credentials"`
	Roles       []string          `json:"roles"`
	Buckets     []string          `json:"buckets"`
	Aliases     map[string]string `json:"aliases,omitempty"`
	PerSecond   float64           `json:"requestsPerSecond,omitempty"`
	Concurrency int               `json:"concurrency,omitempty"`
}

// Run lists the stores in the order of the file.
func (c *storeList) Run(con console) error {
	stores, err := readStores(c.Config)
	if err != nil {
		return err
	}
	t := terminal.NewTable(con.out, "NAME", "KIND", "ENDPOINT", "CREDENTIALS", "ROLES", "BUCKETS")
	lines := make([]storeLine, len(stores))
	for i := range stores {
		s := &stores[i]
		l := storeLine{
			Name: s.Name, Kind: s.Kind, Endpoint: s.URL(), Region: s.Region, Credentials: s.Credentials.String(), Roles: []string{},
			Buckets: append([]string{}, s.Buckets...), Aliases: s.Aliases, PerSecond: s.Limits.PerSecond, Concurrency: s.Limits.Concurrency,
		}
		for _, r := range s.Roles {
			l.Roles = append(l.Roles, r.Role)
		}
		names := slices.Clone(s.Buckets)
		for _, here := range slices.Sorted(maps.Keys(s.Aliases)) {
			names = append(names, fmt.Sprintf("%s (there %s)", here, s.Aliases[here]))
		}
		t.Row(l.Name, l.Kind, l.Endpoint, l.Credentials, orDash(strings.Join(l.Roles, ", ")), strings.Join(names, ", "))
		lines[i] = l
	}
	if c.JSON {
		return terminal.PrintLines(con.out, lines)
	}
	return t.Flush("the settings file has no stores")
}
