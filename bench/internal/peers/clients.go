package peers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Lister is a command-line client that lists buckets of S3 servers.
type Lister struct {
	Name   string
	module string // what `go install` makes it of, at a fixed version
	args   []string
}

// Listers are the clients that list a bucket to its end, each key with size, time
// and, where it can, the ETag, in a machine-readable form. Rclone would also print
// folders, and request each object separately to read its own modification time: its
// options disable both.
var Listers = []Lister{
	{Name: "mc", module: "github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9", args: []string{"ls", "--recursive", "--json", "bench/"}},
	{Name: "rclone", module: "github.com/rclone/rclone@v1.76.0", args: []string{"lsf", "--recursive", "--fast-list", "--files-only", "--use-server-modtime", "--format", "pst", "--csv", "bench:"}},
}

// ListersNamed returns the listers of a comma-separated list; none of the empty one.
func ListersNamed(list string) (named []Lister, err error) {
	if list == "" {
		return nil, nil
	}
	return pick(list, Listers, func(l Lister) string { return l.Name })
}

// Install builds the lister into dir, unless it lies there already, and returns
// its path. A build takes minutes.
func (l Lister) Install(ctx context.Context, dir string) (string, error) {
	return Peer{Name: l.Name, module: l.module}.Install(ctx, dir)
}

// Shown returns the command as a person would type it, without the bucket.
func (l Lister) Shown() string {
	return l.Name + " " + strings.Join(l.args[:len(l.args)-1], " ")
}

// List returns the command that lists a bucket of s and prints it.
func (l Lister) List(ctx context.Context, binary string, s *Server, bucket, work string) (*exec.Cmd, error) {
	u, err := url.Parse(s.base)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	args := append([]string(nil), l.args...)
	args[len(args)-1] += bucket
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(),
		"HOME="+work, "MC_CONFIG_DIR="+filepath.Join(work, "mc"), "RCLONE_CONFIG="+filepath.Join(work, "rclone.conf"),
		"MC_HOST_bench="+u.Scheme+"://"+accessKeyID+":"+accessKeySecret+"@"+u.Host,
		"RCLONE_CONFIG_BENCH_TYPE=s3", "RCLONE_CONFIG_BENCH_PROVIDER=Other", "RCLONE_CONFIG_BENCH_ENDPOINT="+s.base,
		"RCLONE_CONFIG_BENCH_ACCESS_KEY_ID="+accessKeyID, "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY="+accessKeySecret,
	)
	return cmd, nil
}
