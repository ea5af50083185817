package systemtest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/signature"
	"github.com/stocktake/stocktake/internal/testserver"
)

// A folder is a data folder, a binary that serves it, and its root key.
type folder struct {
	t      *testing.T
	binary string
	data   string
	server *testserver.Server
	wire   *wire
	key    signature.Credentials
}

// serve starts the binary on the data folder. The root key comes from the folder, not from the
// environment.
func serve(t *testing.T, binary, data string, args ...string) *folder {
	t.Helper()
	s, err := testserver.Start(t.Context(), testserver.Config{
		Binary: binary, Data: data, Args: args, Env: []string{"OSS_ACCESS_KEY_ID=", "OSS_ACCESS_KEY_SECRET="},
	})
	check(t, err)
	t.Cleanup(s.Kill)
	f := &folder{t: t, binary: binary, data: data, server: s, wire: newWire(s)}
	var k struct {
		ID     string `json:"accessKeyId"`
		Secret string `json:"accessKeySecret"`
	}
	b, err := os.ReadFile(filepath.Join(data, "root-key.json"))
	check(t, err)
	check(t, json.Unmarshal(b, &k))
	f.key = signature.Credentials{ID: k.ID, Secret: k.Secret}
	return f
}

// ask sends a request of the account and returns any answer.
func (f *folder) ask(q *request) answer {
	f.t.Helper()
	q.who, q.scheme = f.key, signature.V4
	r, err := q.build(f.wire.url, time.Now())
	check(f.t, err)
	res, err := f.wire.client.Do(r.WithContext(f.t.Context()))
	check(f.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	check(f.t, err)
	a, err := newAnswer(q.method, res.StatusCode, res.Header, body)
	check(f.t, err)
	return a
}

// must sends a request and fails the test unless it succeeds.
func (f *folder) must(q *request) answer {
	f.t.Helper()
	a := f.ask(q)
	if a.status >= 300 {
		f.t.Fatalf("%v: %d %s\n%s", q, a.status, a.code, a.body)
	}
	return a
}

// command runs a verb of the binary on the folder and returns its output.
func (f *folder) command(args ...string) string {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), f.binary, args...)
	cmd.Env = append(os.Environ(), "OSS_ACCESS_KEY_ID=", "OSS_ACCESS_KEY_SECRET=", "STOCKTAKE_DATA="+f.data, "STOCKTAKE_ENDPOINT="+f.server.URL())
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		f.t.Fatalf("stocktake %s: %v\n%s%s", strings.Join(args, " "), err, out, exit.Stderr)
	}
	return string(out)
}

// dump describes the content of the folder as clients and the command line see it, one fact per
// line. Times are in seconds.
func (f *folder) dump() string {
	f.t.Helper()
	var b strings.Builder
	section := func(name, text string) { fmt.Fprintf(&b, "== %s\n%s", name, text) }
	buckets := f.must(to("GET", "", ""))
	section("buckets", flat(f.t, buckets.body))
	for _, name := range values(f.t, buckets.body, "ListAllMyBucketsResult/Buckets/Bucket/Name") {
		if name == laterBucket {
			continue
		}
		for _, sub := range []string{
			"bucketInfo", "acl", "versioning", "encryption", "tagging", "policy", "lifecycle", "publicAccessBlock",
			"requestPayment", "resourceGroup", "uploads", "inventory",
		} {
			a := f.ask(to("GET", name, "", sub, ""))
			text := string(a.body) + "\n" // a policy is JSON
			if sub != "policy" || a.status != http.StatusOK {
				text = flat(f.t, a.body)
			}
			section(fmt.Sprintf("bucket %s %s %d %s", name, sub, a.status, a.code), text)
		}
		b.WriteString(f.uploads(name))
		b.WriteString(f.versions(name))
		b.WriteString(f.inventories(name))
	}
	for _, args := range []string{"key list", "user list", "role list", "policy list", "policy show reports", "kms list", "notice list"} {
		section("stocktake "+args, seconds(f.command(strings.Fields(args)...)))
	}
	return b.String()
}

func (f *folder) uploads(bucket string) string {
	f.t.Helper()
	var b strings.Builder
	list := f.must(to("GET", bucket, "", "uploads", "")).body
	ids := values(f.t, list, "ListMultipartUploadsResult/Upload/UploadId")
	for i, key := range values(f.t, list, "ListMultipartUploadsResult/Upload/Key") {
		fmt.Fprintf(&b, "== bucket %s upload of %s\n%s", bucket, key, flat(f.t, f.must(to("GET", bucket, key, "uploadId", ids[i])).body))
	}
	return b.String()
}

// headersOfObjects are the response headers that describe an object, besides all that begin
// with x-oss-.
var headersOfObjects = []string{
	"Etag", "Content-Type", "Content-Length", "Last-Modified", "Cache-Control", "Content-Disposition", "Content-Encoding", "Expires",
}

// versions describes each object version of a bucket.
func (f *folder) versions(bucket string) string {
	f.t.Helper()
	var b strings.Builder
	list := f.must(to("GET", bucket, "", "versions", "", "max-keys", "1000")).body
	var doc struct {
		All []struct {
			XMLName   xml.Name
			Key       string
			VersionID string `xml:"VersionId"`
			IsLatest  bool
		} `xml:",any"`
	}
	check(f.t, xml.Unmarshal(list, &doc))
	fmt.Fprintf(&b, "== bucket %s versions\n%s", bucket, flat(f.t, list))
	for _, v := range doc.All {
		if v.XMLName.Local != "Version" && v.XMLName.Local != "DeleteMarker" {
			continue
		}
		q := to("GET", bucket, v.Key).version(v.VersionID)
		a := f.ask(q)
		fmt.Fprintf(&b, "== bucket %s object %s version %s\n%d %s\n", bucket, v.Key, v.VersionID, a.status, a.code)
		if a.status != http.StatusOK {
			continue
		}
		fmt.Fprintf(&b, "%d bytes, SHA-256 %x\n", len(a.body), sha256.Sum256(a.body))
		for _, name := range slices.Sorted(maps.Keys(a.header)) {
			if slices.Contains(headersOfObjects, name) || strings.HasPrefix(name, "X-Oss-") && name != "X-Oss-Request-Id" && name != "X-Oss-Server-Time" {
				fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(a.header[name], ", "))
			}
		}
		for _, sub := range []string{"acl", "tagging", "symlink"} {
			a := f.ask(to("GET", bucket, v.Key, sub, "").version(v.VersionID))
			fmt.Fprintf(&b, "%s: %d %s %s\n%s", sub, a.status, a.code, a.header.Get("X-Oss-Symlink-Target"), flat(f.t, a.body))
		}
	}
	return b.String()
}

// inventories describes the configurations of a bucket, their runs, and whether the newest
// report of each is complete.
func (f *folder) inventories(bucket string) string {
	f.t.Helper()
	var b strings.Builder
	list := f.ask(to("GET", bucket, "", "inventory", "")).body // 404 if there are none
	for _, id := range values(f.t, list, "ListInventoryConfigurationsResult/InventoryConfiguration/Id") {
		fmt.Fprintf(&b, "== bucket %s inventory %s\n%s", bucket, id, flat(f.t, f.must(to("GET", bucket, "", "inventory", "", "inventoryId", id)).body))
		if id == cutInventory {
			continue
		}
		for _, st := range f.status(bucket, id) {
			st.Next, st.Last = time.Time{}, nil
			fmt.Fprintf(&b, "status %s\n", line(f.t, st))
		}
		runs := f.runs(bucket, id)
		runs = slices.DeleteFunc(runs, func(r stocktake.Run) bool { return r.Trigger == stocktake.TriggerScheduled })
		for _, r := range runs {
			fmt.Fprintf(&b, "run %s\n", line(f.t, r))
		}
		if i := slices.IndexFunc(runs, func(r stocktake.Run) bool { return r.Manifest != "" }); i >= 0 {
			r := runs[i]
			fmt.Fprintf(&b, "verify %s: %s", r.Manifest, seconds(f.command("report", "verify", "oss://"+r.Destination+"/"+r.Manifest)))
		}
	}
	return b.String()
}

func (f *folder) runs(bucket, id string) []stocktake.Run {
	f.t.Helper()
	a := f.must(to("GET", bucket, "", "inventory", "", "inventoryId", id, "x-oss-stocktake", "runs"))
	var doc struct {
		Runs []stocktake.Run `json:"runs"`
	}
	check(f.t, json.Unmarshal(a.body, &doc))
	return doc.Runs
}

func (f *folder) status(bucket, id string) []stocktake.InventoryStatus {
	f.t.Helper()
	a := f.must(to("GET", bucket, "", "inventory", "", "inventoryId", id, "x-oss-stocktake", "status"))
	var doc struct {
		Status []stocktake.InventoryStatus `json:"inventories"`
	}
	check(f.t, json.Unmarshal(a.body, &doc))
	return doc.Status
}

// settle waits until no run of a configuration is unfinished.
func (f *folder) settle(bucket, id string) []stocktake.Run {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		runs := f.runs(bucket, id)
		if len(runs) > 0 && !slices.ContainsFunc(runs, func(r stocktake.Run) bool { return !r.State.Ended() }) {
			return runs
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.t.Fatalf("the runs of %s/%s do not end: %+v", bucket, id, runs)
		}
	}
}

// sections splits a dump into the texts below its headings.
func sections(dump string) map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(dump, "== ") {
		name, text, _ := strings.Cut(part, "\n")
		m[name] = text
	}
	return m
}

// fraction matches the part of a time below a second, which is not compared.
var fraction = regexp.MustCompile(`(\d\d:\d\d:\d\d)\.\d+Z`)

func seconds(s string) string { return fraction.ReplaceAllString(s, "${1}Z") }

// flat writes an XML document with one line for each text and its path.
func flat(t *testing.T, doc []byte) string {
	t.Helper()
	var b strings.Builder
	walk(t, doc, func(path, text string) {
		if !strings.HasSuffix(path, "/RequestId") && !strings.HasSuffix(path, "/HostId") && !strings.HasSuffix(path, "Error/Message") {
			fmt.Fprintf(&b, "%s = %s\n", path, seconds(text))
		}
	})
	return b.String()
}

// values returns the texts at a path.
func values(t *testing.T, doc []byte, path string) (list []string) {
	t.Helper()
	walk(t, doc, func(p, text string) {
		if p == path {
			list = append(list, text)
		}
	})
	return list
}

func walk(t *testing.T, doc []byte, leaf func(path, text string)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(doc)))
	var path []string
	var text strings.Builder
	opened := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		check(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			path, opened = append(path, token.Name.Local), true
			text.Reset()
		case xml.CharData:
			text.Write(token)
		case xml.EndElement:
			if opened {
				leaf(strings.Join(path, "/"), text.String())
			}
			path, opened = path[:len(path)-1], false
		}
	}
}

func line(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	check(t, err)
	return seconds(string(b))
}
