package systemtest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/datafolder"
)

var update = flag.Bool("update", false, "rewrite the description of the data folder in testdata")

// fixture is a data folder that an earlier version made: the common part of the names of its
// archive and its description; see testdata/README.md.
const fixture = "testdata/datafolder-1"

// TestDataFolderOpens serves the data folder of an earlier version: its content is complete,
// its keys work, what was begun can be completed, and new runs succeed.
func TestDataFolderOpens(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	unpack(t, fixture+".tar.gz", data)
	path, err := binary()
	check(t, err)
	f := serve(t, path, data)
	got := f.dump()
	if *update {
		check(t, os.WriteFile(fixture+".txt", []byte(got), 0o644))
	}
	want, err := os.ReadFile(fixture + ".txt")
	check(t, err)
	if diff := cmp.Diff(sections(string(want)), sections(got)); diff != "" {
		t.Errorf("the folder is not what it was (-want +got):\n%s", diff)
	}

	runs := f.settle("plain", cutInventory)
	if len(runs) < 2 || runs[0].State != stocktake.Succeeded {
		t.Errorf("the run that the end of the server interrupted: %+v", runs)
	}
	f.work()
	check(t, f.server.Stop())
	f = serve(t, path, data)
	f.worked()
	check(t, f.server.Stop())
	unknown, err := datafolder.Unknown(data)
	check(t, err)
	if len(unknown) > 0 {
		t.Errorf("the table of internal/datafolder lacks %q", unknown)
	}
	id, err := datafolder.Read(data)
	check(t, err)
	for _, p := range datafolder.Parts() {
		if id.Parts[p.Name].IsZero() && p.Name != datafolder.SeedName && p.Name != datafolder.StoresName { // the folder was made without a seed and stores
			t.Errorf("part %s is not registered", p.Name)
		}
	}
	if out := f.command("store", "audit"); !strings.Contains(out, "nothing is wrong") {
		t.Errorf("audit: %s", out)
	}
}

// work uses the content of the folder: it continues the append, completes the upload, encrypts
// with the keys, and makes a report.
func (f *folder) work() {
	f.t.Helper()
	f.must(to("POST", "plain", "appended", "append", "", "position", "66006").with([]byte(", last")))
	list := f.must(to("GET", "plain", "", "uploads", "")).body
	id := values(f.t, list, "ListMultipartUploadsResult/Upload/UploadId")[0]
	parts := f.must(to("GET", "plain", "unfinished", "uploadId", id)).body
	f.complete("plain", "unfinished", id, values(f.t, parts, "ListPartsResult/Part/ETag"))
	f.must(to("PUT", "sealed", "new").with([]byte("new, sealed")))
	f.must(to("PUT", "versioned", "twice").with([]byte("third")))
	f.putInventory("sealed", "new", laterBucket, "<Encryption><SSE-KMS><KeyId>reports</KeyId></SSE-KMS></Encryption>", "Daily",
		"<IncludedObjectVersions>Current</IncludedObjectVersions>")
	for _, c := range [][2]string{{"sealed", "new"}, {"plain", "src/vic"}, {"versioned", "all"}} {
		f.settle(c[0], c[1])
		f.must(to("POST", c[0], "", "inventory", "", "inventoryId", c[1], "x-oss-stocktake", "run"))
		if r := f.settle(c[0], c[1])[0]; r.State != stocktake.Succeeded {
			f.t.Errorf("%+v", r)
		} else {
			f.command("report", "verify", "oss://"+r.Destination+"/"+r.Manifest)
		}
	}
}

// worked checks the results of work.
func (f *folder) worked() {
	f.t.Helper()
	for _, want := range []struct{ bucket, key, body string }{
		{"plain", "appended", "first," + string(content(1, 66_000)) + ", last"},
		{"plain", "unfinished", string(partContent(0)) + string(partContent(1))},
		{"sealed", "new", "new, sealed"},
		{"versioned", "twice", "third"},
	} {
		if got := string(f.must(to("GET", want.bucket, want.key)).body); got != want.body {
			f.t.Errorf("%s/%s has %d bytes that are not the %d expected", want.bucket, want.key, len(got), len(want.body))
		}
	}
}
