package suites

// What the suites need besides what objstore does, so that it stays in go.mod.
import (
	_ "github.com/aliyun/aliyun-oss-go-sdk/oss"
	_ "github.com/docker/distribution/registry/storage/driver/oss"
	_ "github.com/docker/distribution/registry/storage/driver/testsuites"
	_ "gopkg.in/check.v1"
)
