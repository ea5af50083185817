package suites

// The imports of the suites in addition to those of objstore, so that they stay in
// go.mod.
import (
	_ "github.com/aliyun/aliyun-oss-go-sdk/oss"
	_ "github.com/docker/distribution/registry/storage/driver/oss"
	_ "github.com/docker/distribution/registry/storage/driver/testsuites"
	_ "gopkg.in/check.v1"
)
