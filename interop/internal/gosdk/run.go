package gosdk

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stocktake/stocktake/interop/internal/suite"
)

// Status is how a test ended.
type Status string

// The ways a test ends.
const (
	Pass    Status = "pass"
	Fail    Status = "fail"
	Skip    Status = "skip"
	Timeout Status = "timeout"
)

// A Result is one test's end.
type Result struct {
	Test    string
	Status  Status
	Seconds float64
	Output  string // all that it printed
}

// Env is the information that the suite needs in addition to the credentials of
// testserver.
type Env struct {
	Endpoint, Region           string
	AccessKeyID, Secret        string
	AccountID, RoleARN         string
	PathStyleBucket, Signature string // Signature is "v1" or "v4"
	CertFile                   string // authority of the endpoint's certificate
}

// Runner runs tests, each in a separate process with separate buckets.
type Runner struct {
	Binary   string // from [Compile]
	Dir      string // working folder for the tests' files
	Env      Env
	Parallel int           // tests at once
	Limit    time.Duration // for one test
}

// Run runs the tests named and returns their results in that order. done is
// called after each test with the prefix of the buckets that it may have left.
func (r *Runner) Run(ctx context.Context, tests []string, done func(bucketPrefix string)) []Result {
	results := make([]Result, len(tests))
	slots := make(chan struct{}, r.Parallel)
	var wg sync.WaitGroup
	for i, test := range tests {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			prefix := fmt.Sprintf("t%d%s-", i, r.Env.Signature)
			results[i] = r.one(ctx, test, prefix)
			done(prefix)
		})
	}
	wg.Wait()
	return results
}

// one runs a single test in its own process.
func (r *Runner) one(ctx context.Context, test, prefix string) Result {
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Binary, "-test.run=^"+test+"$", "-test.v", "-test.count=1")
	cmd.Dir = r.Dir
	cmd.Env = append(suite.WithoutProxies(os.Environ()),
		"OSS_TEST_REGION="+r.Env.Region,
		"OSS_TEST_ENDPOINT="+r.Env.Endpoint,
		"OSS_TEST_ACCESS_KEY_ID="+r.Env.AccessKeyID,
		"OSS_TEST_ACCESS_KEY_SECRET="+r.Env.Secret,
		"OSS_TEST_RAM_ROLE_ARN="+r.Env.RoleARN,
		"OSS_TEST_RAM_UID="+r.Env.AccountID,
		"OSS_TEST_SIGNATURE_VERSION="+r.Env.Signature,
		"OSS_TEST_PATHSTYLE_BUCKET="+r.Env.PathStyleBucket,
		"OSS_TEST_PATHSTYLE_REGION="+r.Env.Region,
		"OSS_TEST_BUCKET_PREFIX="+prefix,
		"OSS_TEST_AP_ENABLE=true", // without it the tests of access points return at once and claim to pass
		"SSL_CERT_FILE="+r.Env.CertFile,
	)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	res := Result{Test: test, Seconds: time.Since(start).Seconds(), Output: out.String()}
	switch {
	case ctx.Err() != nil:
		res.Status = Timeout
	case err != nil:
		res.Status = Fail
	default:
		res.Status = verdict(test, res.Output)
	}
	return res
}

// verdict reads the end of a test from the output of a process that exited 0. A
// process that says nothing of the test has not passed it.
func verdict(test, output string) Status {
	for line := range strings.Lines(output) {
		switch {
		case strings.HasPrefix(line, "--- PASS: "+test+" "):
			return Pass
		case strings.HasPrefix(line, "--- SKIP: "+test+" "):
			return Skip
		}
	}
	return Fail
}
