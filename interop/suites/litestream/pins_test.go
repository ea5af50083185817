// Package litestream pins litestream, whose own tests interop compiles and runs.
// It is a module of its own because litestream needs the clients of many stores.
package litestream

import _ "github.com/benbjohnson/litestream"
