package rivals

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

	"github.com/stocktake/stocktake/bench/internal/experiment"
	"github.com/stocktake/stocktake/bench/internal/measure"
)

// takenColumns are the columns of a take: all columns in listings of S3.
const takenColumns = "Size,LastModifiedDate,ETag,StorageClass,IsMultipartUploaded"

// A listedBucket is a bucket that clients list.
type listedBucket struct {
	server      string // its name
	scheme, url string
	name        string
	keys        []string // the environment that tools find its keys in
}

// take makes a report of a bucket into a folder.
func (b *listersBench) take(ctx context.Context, binary string, at listedBucket) (did experiment.Execution, err error) {
	out := filepath.Join(b.Work, "taken")
	defer func() { err = errors.Join(err, os.RemoveAll(out)) }()
	cmd := exec.CommandContext(ctx, binary, "take", at.scheme+"://"+at.name, out, "--endpoint", at.url, "--json", "--fields", takenColumns)
	did, printed, err := executed(cmd, at.keys, b.Work)
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
	did.Rows = result.Totals.Matched
	for _, shard := range result.Shards {
		did.Stored += shard.Size
	}
	return did, nil
}

// paginate lists a bucket with the SDK of a vendor, and discards the decoded rows.
func (b *listersBench) paginate(ctx context.Context, sdk string, at listedBucket) (did experiment.Execution, err error) {
	self, err := os.Executable()
	if err != nil {
		return did, err
	}
	command := "sdk-client"
	if sdk == "aws-sdk" {
		command = "far-client"
	}
	did, printed, err := executed(exec.CommandContext(ctx, self, command, "-client", sdk, "-url", at.url, "-bucket", at.name), at.keys, b.Work)
	if err == nil {
		err = json.Unmarshal(printed, &did.Rows)
	}
	return did, err
}

// against returns the entrants that list a bucket: our take, which makes a whole report
// of it, and the SDKs.
func (b *listersBench) against(program string, at listedBucket, sdks ...string) []*experiment.Entrant {
	taken := &experiment.Entrant{
		Name: "take/server=" + at.server, Says: fmt.Sprintf("stocktake take of the same bucket on %s, a whole report of %s", at.server, takenColumns),
		Once: func(ctx context.Context) (experiment.Execution, error) { return b.take(ctx, program, at) },
	}
	entrants := []*experiment.Entrant{taken}
	for _, sdk := range sdks {
		entrants = append(entrants, &experiment.Entrant{
			Name: sdk + "/server=" + at.server, Ours: []*experiment.Entrant{taken},
			Says: fmt.Sprintf("listing with the %s for Go on %s, which drops the rows", sdk, at.server),
			Once: func(ctx context.Context) (experiment.Execution, error) { return b.paginate(ctx, sdk, at) },
		})
	}
	return entrants
}

// best adds the decisive ratio: the least processor time of any listing of a server
// over that of a whole report of take. entrants are those of the server, take first.
func (b *listersBench) best(server string, entrants []*experiment.Entrant) {
	var best *experiment.Entrant
	for _, e := range entrants[1:] {
		if best == nil || measure.Median(e.CPUs) < measure.Median(best.CPUs) {
			best = e
		}
	}
	b.AddRatio("best-listing/server="+server+"/cpu", measure.Median(best.CPUs).Seconds()/measure.Median(entrants[0].CPUs).Seconds(),
		fmt.Sprintf("processor time of %s, the least of any, over that of %s", best.Says, entrants[0].Says))
}

// executed runs a client of a server to its end and returns what it has printed. keys
// are in its environment.
func executed(cmd *exec.Cmd, keys []string, work string) (did experiment.Execution, printed []byte, err error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(append(os.Environ(), "HOME="+work), keys...)
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return did, nil, fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	did.Took = time.Since(start)
	did.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return did, stdout.Bytes(), nil
}
