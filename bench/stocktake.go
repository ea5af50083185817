package main

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

// A cli runs commands of the stocktake binary against a server.
type cli struct {
	binary string
	server *testserver.Server
}

// run runs one command and returns what it printed on standard output.
func (c cli) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.binary, append(args, "--endpoint", c.server.URL(), "--region", testserver.Region)...)
	cmd.Env = append(os.Environ(), "OSS_ACCESS_KEY_ID="+testserver.AccessKeyID, "OSS_ACCESS_KEY_SECRET="+testserver.AccessKeySecret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("stocktake %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// client returns the official SDK's client of the server.
func (c cli) client() *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(testserver.AccessKeyID, testserver.AccessKeySecret)).
		WithRegion(testserver.Region).WithEndpoint(c.server.URL()).WithUsePathStyle(true))
}

// get reads an object.
func (c cli) get(ctx context.Context, bucket, key string, use func(io.Reader) error) error {
	res, err := c.client().GetObject(ctx, &oss.GetObjectRequest{Bucket: oss.Ptr(bucket), Key: oss.Ptr(key)})
	if err != nil {
		return fmt.Errorf("get %s: %w", key, err)
	}
	defer res.Body.Close()
	if err := use(res.Body); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// eachShard reads the data files of the report whose manifest is at key, one
// after another.
func (c cli) eachShard(ctx context.Context, bucket, key string, use func(stored io.Reader) error) error {
	var manifest struct {
		Files []struct {
			Key string `json:"key"`
		} `json:"files"`
	}
	if err := c.get(ctx, bucket, key, func(text io.Reader) error { return json.NewDecoder(text).Decode(&manifest) }); err != nil {
		return err
	}
	for _, f := range manifest.Files {
		if err := c.get(ctx, bucket, f.Key, use); err != nil {
			return err
		}
	}
	return nil
}
