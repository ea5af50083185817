package lakeserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake/internal/testserver"
)

// A CLI runs commands of the stocktake binary against a server.
type CLI struct {
	Binary string
	Server *testserver.Server
}

// Run runs one command and returns what it printed on standard output.
func (c CLI) Run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Binary, append(args, "--endpoint", c.Server.URL(), "--region", testserver.Region)...)
	cmd.Env = append(os.Environ(), "OSS_ACCESS_KEY_ID="+testserver.AccessKeyID, "OSS_ACCESS_KEY_SECRET="+testserver.AccessKeySecret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("stocktake %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// Client returns the official SDK's client of the server.
func (c CLI) Client() *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(testserver.AccessKeyID, testserver.AccessKeySecret)).
		WithRegion(testserver.Region).WithEndpoint(c.Server.URL()).WithUsePathStyle(true))
}

// Get reads an object.
func (c CLI) Get(ctx context.Context, bucket, key string, use func(io.Reader) error) error {
	res, err := c.Client().GetObject(ctx, &oss.GetObjectRequest{Bucket: oss.Ptr(bucket), Key: oss.Ptr(key)})
	if err != nil {
		return fmt.Errorf("get %s: %w", key, err)
	}
	defer res.Body.Close()
	if err := use(res.Body); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// EachShard reads the data files of the report whose manifest is at key, one
// after another.
func (c CLI) EachShard(ctx context.Context, bucket, key string, use func(stored io.Reader) error) error {
	var manifest struct {
		Files []struct {
			Key string `json:"key"`
		} `json:"files"`
	}
	if err := c.Get(ctx, bucket, key, func(text io.Reader) error { return json.NewDecoder(text).Decode(&manifest) }); err != nil {
		return err
	}
	for _, f := range manifest.Files {
		if err := c.Get(ctx, bucket, f.Key, use); err != nil {
			return err
		}
	}
	return nil
}
