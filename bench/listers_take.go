package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/stocktake/stocktake/bench/peers"
)

// takenColumns are the columns of a take: all that listings of S3 tell.
const takenColumns = "Size,LastModifiedDate,ETag,StorageClass,IsMultipartUploaded"

// take makes a report of a bucket into a folder.
func (b *listersBench) take(ctx context.Context, binary string, s *peers.Server, bucket string) (did execution, err error) {
	out := filepath.Join(b.work, "taken")
	defer func() { err = errors.Join(err, os.RemoveAll(out)) }()
	cmd := exec.CommandContext(ctx, binary, "take", "s3://"+bucket, out, "--endpoint", s.URL(), "--json", "--fields", takenColumns)
	did, printed, err := executed(cmd, s, b.work)
	if err != nil {
		return did, err
	}
	var result struct {
		Totals struct{ Matched int }
		Shards []struct{ Size int64 }
	}
	if err := json.Unmarshal(printed, &result); err != nil {
		return did, fmt.Errorf("it printed %.200q: %w", printed, err)
	}
	did.rows = result.Totals.Matched
	for _, shard := range result.Shards {
		did.stored += shard.Size
	}
	return did, nil
}

// paginate lists a bucket with the paginator of the AWS SDK, which drops what it has
// decoded.
func (b *listersBench) paginate(ctx context.Context, s *peers.Server, bucket string) (did execution, err error) {
	self, err := os.Executable()
	if err != nil {
		return did, err
	}
	did, printed, err := executed(exec.CommandContext(ctx, self, "far-client", "-client", "aws-sdk", "-url", s.URL(), "-bucket", bucket), s, b.work)
	if err == nil {
		err = json.Unmarshal(printed, &did.rows)
	}
	return did, err
}

// executed runs a client of a server to its end and returns what it has printed.
func executed(cmd *exec.Cmd, s *peers.Server, work string) (did execution, printed []byte, err error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(append(os.Environ(), "HOME="+work), s.Keys()...)
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return did, nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	did.took = time.Since(start)
	did.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return did, stdout.Bytes(), nil
}
