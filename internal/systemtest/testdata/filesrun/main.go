// Filesrun sends one request of each kind to a whole server, without a
// connection, and writes the coverage of each into a folder of its own below the
// folder given. The test of the same name builds it with -cover.
package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/coverage"
	"strings"
	"time"

	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/signature"
)

const configuration = `<?xml version="1.0" encoding="UTF-8"?>
<InventoryConfiguration><Id>daily</Id><IsEnabled>true</IsEnabled><Filter><Prefix>2026/</Prefix></Filter>
<Destination><OSSBucketDestination><Format>CSV</Format><AccountId>` + server.DefaultAccount + `</AccountId>
<RoleArn>acs:ram::` + server.DefaultAccount + `:role/inventory</RoleArn><Bucket>acs:oss:::reports</Bucket><Prefix>lists</Prefix></OSSBucketDestination></Destination>
<Schedule><Frequency>Daily</Frequency></Schedule><IncludedObjectVersions>Current</IncludedObjectVersions>
<OptionalFields><Field>Size</Field><Field>ETag</Field><Field>StorageClass</Field></OptionalFields></InventoryConfiguration>`

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out string) error {
	dir, err := os.MkdirTemp("", "filesrun")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The server is not served: nothing runs but what a request makes run.
	s, err := server.New(context.Background(), server.Config{Data: filepath.Join(dir, "data"), Listen: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer s.Close()
	key, _ := s.RootKey()
	handler := s.Handler()
	for _, step := range []struct{ name, method, path, body string }{
		{"", "PUT", "/photos/", ""},
		{"", "PUT", "/reports/", ""},
		{"PutBucketInventory", "PUT", "/photos/?inventory&inventoryId=daily", configuration},
		{"PutObject", "PUT", "/photos/2026/cat.jpg", strings.Repeat("meow", 256<<10)},
	} {
		r := httptest.NewRequest(step.method, step.path, strings.NewReader(step.body))
		bucket, object, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		signer := signature.Credentials{ID: key.ID, Secret: key.Secret}
		if err := signature.Sign(r, signature.Target{Bucket: bucket, Key: object}, signer, server.DefaultRegion, signature.V4, time.Now()); err != nil {
			return err
		}
		w := httptest.NewRecorder()
		// Accounts and keys are looked at again if that was longer ago than a millisecond:
		// let it be so for each request, on any machine.
		time.Sleep(5 * time.Millisecond)
		if err := coverage.ClearCounters(); err != nil {
			return err
		}
		handler.ServeHTTP(w, r)
		if step.name != "" {
			if err := keep(filepath.Join(out, step.name)); err != nil {
				return err
			}
		}
		if w.Code != 200 {
			return fmt.Errorf("%s %s: %d %s", step.method, step.path, w.Code, w.Body)
		}
	}
	return nil
}

// keep writes what has run since the counters were cleared.
func keep(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := coverage.WriteMetaDir(dir); err != nil {
		return err
	}
	return coverage.WriteCountersDir(dir)
}
