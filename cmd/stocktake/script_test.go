package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stocktake/stocktake/internal/server"
)

// The scripts in testdata/script are what a user would type. `stocktake` in
// them is the real program in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"stocktake": func() {
			ctx, stop := untilTold(os.Args[1:])
			defer stop()
			os.Exit(run(ctx, os.Args[1:], console{os.Stdout, os.Stderr}))
		},
	})
}

const (
	scriptKey    = "script-key"
	scriptSecret = "script-secret"
)

// untilQuietHour returns how far the clock of a server is moved to where for five
// minutes no window ends and for half a day no run is due.
func untilQuietHour(now time.Time) time.Duration {
	at := now.UTC().Truncate(24 * time.Hour).Add(27*time.Hour + 5*time.Minute)
	return at.Sub(now).Truncate(time.Second)
}

func TestScripts(t *testing.T) {
	// Processes that it starts would ignore SIGHUP if this one was started by nohup;
	// what is received here is not ignored there.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	testscript.Run(t, scriptParams())
}

// scriptParams returns the parameters of all scripts.
func scriptParams() testscript.Params {
	return testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			addr := ln.Addr().String()
			e.Setenv("ADDR", addr)
			e.Setenv("ENDPOINT", "http://"+addr)
			e.Setenv("OSS_ACCESS_KEY_ID", scriptKey)
			e.Setenv("OSS_ACCESS_KEY_SECRET", scriptSecret)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("STOCKTAKE_CONSOLE_LISTEN", "off") // scripts run at the same time
			e.Setenv("UNTIL_QUIET_HOUR", untilQuietHour(time.Now()).String())
			return ln.Close()
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"eventually":   eventually,
			"receiver":     receiver,
			"removebucket": removeBucket,
			"get":          get,
			"exits":        exits,
			"ready":        ready,
			"bucket":       makeBucket,
			"versioning":   enableVersioning,
			"encrypt":      encryptBucket,
			"upload":       uploadFiles,
			"download":     downloadBelow,
			"damage":       damage,
			"largefile":    largeFile,
			"loseblob":     loseBlob,
			"flipbit":      flipBit,
			"smalldisk":    smallDisk,
			"filldisk":     fillDisk,
			"putmany":      putMany,
		},
	}
}

// exits CODE COMMAND...: the command ends with the code; its output is there
// for stdout and stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := exitCode(ts, args[1:])
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// ready waits until the server of the script answers.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	url := ts.Getenv("ENDPOINT") + "/-/readyz"
	for deadline := time.Now().Add(time.Minute); ; {
		r, err := http.Get(url)
		if err == nil {
			r.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the server is not ready after a minute: %v", err)
		}
		time.Sleep(10 * time.Millisecond) // between two looks at another process
	}
}

func scriptClient(ts *testscript.TestScript) *oss.Client {
	c, err := newOSSClient(ts.Getenv("ENDPOINT"), "cn-hangzhou", false, server.AccessKey{ID: scriptKey, Secret: scriptSecret})
	ts.Check(err)
	return c
}

func exitCode(ts *testscript.TestScript, command []string) int {
	err := ts.Exec(command[0], command[1:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// eventually CODE COMMAND...: the command is repeated until it ends with the
// code, as another process may take a moment to see what was changed.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(time.Minute); ; {
		got := exitCode(ts, args[1:])
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("exit code %d after a minute, want %d", got, want)
		}
		time.Sleep(10 * time.Millisecond) // between two looks at another process
	}
}

// bucket NAME...: makes buckets with the official SDK.
func makeBucket(ts *testscript.TestScript, neg bool, args []string) {
	for _, b := range args {
		_, err := scriptClient(ts).PutBucket(context.Background(), &oss.PutBucketRequest{Bucket: &b})
		ts.Check(err)
	}
}

// versioning BUCKET: enables versioning and leaves an upload unfinished.
func enableVersioning(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: versioning BUCKET")
	}
	ctx, c := context.Background(), scriptClient(ts)
	_, err := c.PutBucketVersioning(ctx, &oss.PutBucketVersioningRequest{
		Bucket: &args[0], VersioningConfiguration: &oss.VersioningConfiguration{Status: oss.VersionEnabled},
	})
	ts.Check(err)
	_, err = c.InitiateMultipartUpload(ctx, &oss.InitiateMultipartUploadRequest{Bucket: &args[0], Key: oss.Ptr("parts")})
	ts.Check(err)
}

// encrypt BUCKET KEY: makes a KMS key the bucket's default.
func encryptBucket(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: encrypt BUCKET KEY")
	}
	_, err := scriptClient(ts).PutBucketEncryption(context.Background(), &oss.PutBucketEncryptionRequest{
		Bucket: &args[0],
		ServerSideEncryptionRule: &oss.ServerSideEncryptionRule{
			ApplyServerSideEncryptionByDefault: &oss.ApplyServerSideEncryptionByDefault{SSEAlgorithm: oss.Ptr("KMS"), KMSMasterKeyID: &args[1]},
		},
	})
	ts.Check(err)
}

// upload BUCKET FILE...: puts files with the official SDK.
func uploadFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: upload BUCKET FILE...")
	}
	for _, f := range args[1:] {
		b := ts.ReadFile(f)
		_, err := scriptClient(ts).PutObject(context.Background(), &oss.PutObjectRequest{
			Bucket: &args[0], Key: oss.Ptr(filepath.ToSlash(f)), Body: strings.NewReader(b),
		})
		ts.Check(err)
	}
}

// removebucket NAME: deletes a bucket with all that is in it.
func removeBucket(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: removebucket NAME")
	}
	ctx, c := context.Background(), scriptClient(ts)
	for key, err := range newOSSBucket(c, args[0]).List(ctx, "") {
		ts.Check(err)
		_, err = c.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: &args[0], Key: &key})
		ts.Check(err)
	}
	_, err := c.DeleteBucket(ctx, &oss.DeleteBucketRequest{Bucket: &args[0]})
	ts.Check(err)
}

// receiver FILE: starts a receiver of webhooks that appends what it gets to the
// file, a line each; its address is in $HOOK. While there is a file FILE.gone, it
// answers that it is gone.
func receiver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: receiver FILE")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, nil, 0o644))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Stocktake-Signature") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if fileExists(path + ".gone") {
			w.WriteHeader(http.StatusGone)
			return
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.Write(append(b, '\n'))
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	ts.Defer(srv.Close)
	ts.Setenv("HOOK", srv.URL)
}

// get PATH FILE: keeps what the server answers for a path.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get PATH FILE")
	}
	r, err := http.Get(ts.Getenv("ENDPOINT") + args[0])
	ts.Check(err)
	b, err := io.ReadAll(r.Body)
	ts.Check(errors.Join(err, r.Body.Close()))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o644))
}

// download BUCKET PREFIX FOLDER: gets all objects under the prefix.
func downloadBelow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: download BUCKET PREFIX FOLDER")
	}
	b := newOSSBucket(scriptClient(ts), args[0])
	for key, err := range b.List(context.Background(), args[1]) {
		ts.Check(err)
		r, err := b.Open(context.Background(), key)
		ts.Check(err)
		data, err := io.ReadAll(r)
		ts.Check(errors.Join(err, r.Close()))
		checkRanges(ts, b, key, data)
		path := ts.MkAbs(filepath.Join(args[2], strings.TrimPrefix(key, args[1])))
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
		ts.Check(os.WriteFile(path, data, 0o644))
	}
}

// checkRanges reads an object once more, in ranges.
func checkRanges(ts *testscript.TestScript, b ossBucket, key string, data []byte) {
	size := int64(len(data))
	for _, r := range []struct{ offset, length int64 }{{0, size / 2}, {size / 2, -1}, {size - 1, 5}, {1, 0}} {
		want := data[r.offset:]
		if r.length >= 0 {
			want = want[:min(r.length, int64(len(want)))]
		}
		f, err := b.OpenRange(context.Background(), key, r.offset, r.length)
		ts.Check(err)
		got, err := io.ReadAll(f)
		ts.Check(errors.Join(err, f.Close()))
		if !bytes.Equal(got, want) {
			ts.Fatalf("%s: %d bytes from %d are %d bytes", key, r.length, r.offset, len(got))
		}
	}
	for _, offset := range []int64{-1, size, size + 1} {
		if _, err := b.OpenRange(context.Background(), key, offset, -1); !errors.Is(err, io.ErrUnexpectedEOF) {
			ts.Fatalf("%s, of %d bytes, from %d: %v", key, size, offset, err)
		}
	}
	if _, err := b.OpenRange(context.Background(), key+".missing", 0, 1); !errors.Is(err, fs.ErrNotExist) {
		ts.Fatalf("%s.missing: %v", key, err)
	}
}

// damage FOLDER: flips one bit in the middle of each shard below the folder.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	shards, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "data", "*.csv.gz"))
	ts.Check(err)
	if neg || len(shards) == 0 {
		ts.Fatalf("no shard in %s", args[0])
	}
	for _, path := range shards {
		b, err := os.ReadFile(path)
		ts.Check(err)
		b[len(b)/2] ^= 1
		ts.Check(os.WriteFile(path, b, 0o644))
	}
}

// largefile FILE: makes a file too large for the index of a store.
func largeFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: largefile FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), make([]byte, 100_000), 0o644))
}

// loseblob FOLDER: removes the only blob file of a store, and leaves one in its
// place that the index does not know.
func loseBlob(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: loseblob FOLDER")
	}
	blobs, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "blobs", "*", "*", "*"))
	ts.Check(err)
	if len(blobs) != 1 {
		ts.Fatalf("%d blob files, want one", len(blobs))
	}
	stray := filepath.Join(ts.MkAbs(args[0]), "blobs", "0000000000", "000", "0000000000000fff")
	ts.Check(os.MkdirAll(filepath.Dir(stray), 0o700))
	ts.Check(os.Rename(blobs[0], stray))
}

func TestSettingsFile(t *testing.T) {
	for _, tt := range []struct {
		name, yaml, env string
		args            []string
		want            string // region that is served, or part of the error
	}{
		{"default", "", "", nil, "cn-hangzhou"},
		{"file", "region: eu-1\n", "", nil, "eu-1"},
		{"environment over file", "region: eu-1\n", "us-1", nil, "us-1"},
		{"flag over all", "region: eu-1\n", "us-1", []string{"--region", "ap-1"}, "ap-1"},
		{"unknown setting", "regio: eu-1\n", "", nil, `unknown setting "regio"`},
		{"not a number", "max-runs: many\n", "", nil, "max-runs"},
		{"not YAML", ":\n\t-", "", nil, "settings file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "s.yaml")
			if err := os.WriteFile(path, []byte(tt.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.env != "" {
				t.Setenv("STOCKTAKE_REGION", tt.env)
			}
			ctx, cancel := context.WithCancel(t.Context())
			errs := endAt{end: cancel, when: "stocktake serves"}
			args := append([]string{"serve", "--config", path, "--listen", "127.0.0.1:0", "--console-listen", "off", "--data", filepath.Join(dir, "data")}, tt.args...)
			run(ctx, args, console{io.Discard, &errs})
			if !strings.Contains(errs.String(), tt.want) {
				t.Errorf("stocktake %v with %q said %q; want %q in it", args, tt.yaml, errs.String(), tt.want)
			}
		})
	}
}

// endAt is a standard error that ends the program when it says when.
type endAt struct {
	mu   sync.Mutex
	said strings.Builder
	end  func()
	when string
}

func (e *endAt) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if strings.Contains(string(b), e.when) {
		e.end()
	}
	return e.said.Write(b)
}

func (e *endAt) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said.String()
}

func fileExists(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().IsRegular()
}
