package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stocktake/stocktake/bench/load"
	"github.com/stocktake/stocktake/bench/peers"
)

// toolsFlag adds the flag of commands that build programs of other projects.
func toolsFlag(flags *flag.FlagSet) *string {
	return flags.String("tools", "../.tools/peers", "folder for the binaries of others, which stay")
}

// install builds the servers: Stocktake each time, the others once.
func (m *measurement) install(ctx context.Context, all []peers.Peer, tools string) ([]string, error) {
	binaries := make([]string, len(all))
	for i, p := range all {
		if p.Name == peers.All[0].Name {
			fmt.Fprintf(os.Stderr, "building %s\n", p.Name)
			binary, err := m.build(ctx)
			if err != nil {
				return nil, err
			}
			binaries[i] = binary
			continue
		}
		binary, err := installOther(ctx, p.Name, tools, p.Install)
		if err != nil {
			return nil, err
		}
		binaries[i] = binary
	}
	return binaries, nil
}

// installOther builds a program of another project into a folder, unless the program
// exists already. It creates the folder.
func installOther(ctx context.Context, name, tools string, install func(ctx context.Context, dir string) (string, error)) (string, error) {
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

// fillLimit is far longer than filling takes. It bounds the wait for a server that
// hangs.
const fillLimit = 12 * time.Hour

// fill creates a bucket with empty objects.
func fill(ctx context.Context, s *peers.Server, bucket string, keys int) error {
	if _, err := s.Do(ctx, http.MethodPut, bucket, "", nil, nil, nil); err != nil {
		return err
	}
	key := func(i int) string { return fmt.Sprintf("part-%03d/object-%08d", i%100, i) }
	if done, err := s.Fill(bucket, keys, key); done || err != nil {
		return err
	}
	l := load.Load{Clients: 64, For: fillLimit, Most: keys}
	filled, err := l.Run(ctx, func(ctx context.Context, i int) error {
		_, err := s.Do(ctx, http.MethodPut, bucket, key(i), nil, bytes.NewReader(nil), nil)
		return err
	})
	if err != nil {
		return err
	}
	if filled.Requests != keys {
		return fmt.Errorf("%s: only %d of %d keys put within %v", s.Name, filled.Requests, keys, l.For)
	}
	return nil
}
