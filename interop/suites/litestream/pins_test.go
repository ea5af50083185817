// Package litestream pins litestream, whose own tests interop compiles and runs. It
// is a separate module because litestream needs the clients of many stores.
package litestream

// The imports of the tests of litestream, so that they stay in go.mod.
import (
	_ "github.com/benbjohnson/litestream"
	_ "github.com/benbjohnson/litestream/abs"
	_ "github.com/benbjohnson/litestream/file"
	_ "github.com/benbjohnson/litestream/gs"
	_ "github.com/benbjohnson/litestream/mock"
	_ "github.com/benbjohnson/litestream/nats"
	_ "github.com/benbjohnson/litestream/oss"
	_ "github.com/benbjohnson/litestream/s3"
	_ "github.com/benbjohnson/litestream/sftp"
	_ "github.com/benbjohnson/litestream/webdav"
	_ "github.com/lmittmann/tint"
	_ "github.com/mattn/go-isatty"
	_ "github.com/pierrec/lz4/v4"
	_ "github.com/pkg/sftp"
	_ "github.com/prometheus/client_golang/prometheus/testutil"
	_ "github.com/stretchr/testify/require"
	_ "github.com/superfly/ltx"
	_ "golang.org/x/crypto/ssh"
	_ "golang.org/x/sync/semaphore"
	_ "modernc.org/sqlite"
)
