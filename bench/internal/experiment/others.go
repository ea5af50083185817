package experiment

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stocktake/stocktake/bench/internal/peers"
)

// ToolsFlag adds the flag of commands that build programs of other projects.
func ToolsFlag(flags *flag.FlagSet) *string {
	return flags.String("tools", "../.tools/peers", "folder for the binaries of others, which stay")
}

// InstallPeers builds the servers: Stocktake each time, the others once.
func (m *Experiment) InstallPeers(ctx context.Context, all []peers.Peer, tools string) ([]string, error) {
	binaries := make([]string, len(all))
	for i, p := range all {
		if p.Name == peers.All[0].Name {
			fmt.Fprintf(os.Stderr, "building %s\n", p.Name)
			binary, err := m.Build(ctx)
			if err != nil {
				return nil, err
			}
			binaries[i] = binary
			continue
		}
		binary, err := InstallOther(ctx, p.Name, tools, p.Install)
		if err != nil {
			return nil, err
		}
		binaries[i] = binary
	}
	return binaries, nil
}

// InstallOther builds a program of another project into a folder, unless the program
// exists already. It creates the folder.
func InstallOther(ctx context.Context, name, tools string, install func(ctx context.Context, dir string) (string, error)) (string, error) {
	tools, err := filepath.Abs(tools)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "building %s\n", name)
	return install(ctx, tools)
}
