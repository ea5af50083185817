// Package examples_test runs the examples as people do: as programs.
package examples_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/inventoryxml"
)

const (
	account   = "1000000000000000"
	role      = "acs:ram::" + account + ":role/inventory-writer"
	requestID = "65A1B2C3D4E5F60718293A4B"
)

var programs string // folder of the built examples

func TestMain(m *testing.M) {
	code := func() int {
		dir, err := os.MkdirTemp("", "examples")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		programs = dir
		build := exec.Command("go", "build", "-o", dir, "./put", "./get", "./list", "./delete")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return 1
		}
		return m.Run()
	}()
	os.Exit(code)
}

// A result is what a program left behind.
type result struct {
	out, err string
	code     int
}

// run runs an example with credentials in the environment.
func run(t *testing.T, name string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, name), args...)
	cmd.Env = []string{"OSS_ACCESS_KEY_ID=id", "OSS_ACCESS_KEY_SECRET=secret"}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// flags are the same for every example.
func flags(server *httptest.Server, bucket, id string) []string {
	return []string{
		"--region", "cn-hangzhou", "--bucket", bucket, "--endpoint", server.URL,
		"--user_id", account, "--arn", role, "--inventory_id", id,
	}
}

// serve answers as the inventory API does, with configurations that have been
// put before.
func serve(t *testing.T, stored ...string) *httptest.Server {
	configs := map[string]stocktake.InventoryConfiguration{}
	for _, id := range stored {
		configs[id] = stocktake.InventoryConfiguration{ID: id, IsEnabled: true, Schedule: stocktake.Schedule{Frequency: stocktake.Weekly}}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		id := q.Get("inventoryId")
		w.Header().Set("x-oss-request-id", requestID)
		w.Header().Set("Content-Type", "application/xml")
		cfg, known := configs[id]
		switch {
		case !q.Has("inventory") || r.Header.Get("Authorization") == "":
			fail(w, 400, "InvalidRequest")
		case r.URL.Path != "/photos/":
			fail(w, 404, "NoSuchBucket")
		case r.Method == http.MethodPut:
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			cfg, err := inventoryxml.ParsePut(body, stocktake.InventoryRules{ID: id, AccountID: account})
			if err != nil || known {
				t.Log(err)
				fail(w, 409, "InventoryConfigurationAlreadyExists")
				return
			}
			configs[id] = cfg
		case r.Method == http.MethodDelete:
			delete(configs, id)
			w.WriteHeader(http.StatusNoContent)
		case id != "" && !known, len(configs) == 0:
			fail(w, 404, "NoSuchInventory")
		case id != "":
			w.Write(inventoryxml.Append(nil, &cfg))
		default: // a list, one to a page, in the order stored
			at := 0
			for i, id := range stored {
				if id == q.Get("continuation-token") {
					at = i + 1
				}
			}
			cfg := configs[stored[at]]
			page := [][]byte{inventoryxml.Append(nil, &cfg)}
			next := ""
			if at+1 < len(stored) {
				next = stored[at]
			}
			w.Write(inventoryxml.AppendList(nil, page, q.Get("continuation-token"), next, next != ""))
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>No.</Message><RequestId>%s</RequestId></Error>", code, requestID)
}

func TestPutGetDelete(t *testing.T) {
	server := serve(t)
	args := flags(server, "photos", "daily")
	const head = "status code: 200\nrequest id:  " + requestID + "\n"

	if r := run(t, "put", args...); r != (result{head, "", 0}) {
		t.Fatalf("put: %+v", r)
	}
	want := head + `<InventoryConfiguration>
  <Id>daily</Id>
  <IsEnabled>true</IsEnabled>
  <Destination>
    <OSSBucketDestination>
      <Format>CSV</Format>
      <AccountId>1000000000000000</AccountId>
      <RoleArn>acs:ram::1000000000000000:role/inventory-writer</RoleArn>
      <Bucket>acs:oss:::photos</Bucket>
      <Prefix>inventory</Prefix>
    </OSSBucketDestination>
  </Destination>
  <Schedule>
    <Frequency>Daily</Frequency>
  </Schedule>
  <Filter>
    <Prefix></Prefix>
  </Filter>
  <IncludedObjectVersions>All</IncludedObjectVersions>
  <OptionalFields>
    <Field>Size</Field>
    <Field>LastModifiedDate</Field>
    <Field>ETag</Field>
    <Field>StorageClass</Field>
  </OptionalFields>
</InventoryConfiguration>
`
	if r := run(t, "get", args...); r != (result{want, "", 0}) {
		t.Errorf("get: %+v", r)
	}
	if r := run(t, "delete", args...); r != (result{strings.Replace(head, "200", "204", 1), "", 0}) {
		t.Errorf("delete: %+v", r)
	}
}

func TestListFollowsPages(t *testing.T) {
	r := run(t, "list", flags(serve(t, "a", "b", "c"), "photos", "")...)
	if r.code != 0 || r.err != "" || strings.Count(r.out, "status code: 200\n") != 3 {
		t.Errorf("%+v", r)
	}
	for _, want := range []string{"<Id>a<", "<Id>b<", "<Id>c<", "next continuation token: b\n", "configurations so far: 3\n"} {
		if strings.Count(r.out, want) != 1 {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	r = run(t, "list", flags(serve(t), "photos", "")...)
	if r.code != 0 || !strings.Contains(r.out, "no inventory configuration") || !strings.Contains(r.out, requestID) {
		t.Errorf("without any: %+v", r)
	}
}

func TestErrors(t *testing.T) {
	server := serve(t, "daily")
	for name, bucket := range map[string]string{"put": "photos", "get": "elsewhere", "list": "elsewhere", "delete": "elsewhere"} {
		code := "NoSuchBucket"
		if bucket == "photos" {
			code = "InventoryConfigurationAlreadyExists"
		}
		r := run(t, name, flags(server, bucket, "daily")...)
		if r.code != 1 || r.out != "" || !strings.Contains(r.err, code) || !strings.Contains(r.err, requestID) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for name, missing := range map[string]string{
		"put":    "--region --bucket --user_id --arn --inventory_id",
		"get":    "--region --bucket --inventory_id",
		"list":   "--region --bucket",
		"delete": "--region --bucket --inventory_id",
	} {
		if r := run(t, name); r != (result{"", "missing: " + missing + "\n", 2}) {
			t.Errorf("%s without flags: %+v", name, r)
		}
		if r := run(t, name, "--nonsense"); r.code != 2 || !strings.Contains(r.err, "nonsense") {
			t.Errorf("%s with an unknown flag: %+v", name, r)
		}
	}
}
