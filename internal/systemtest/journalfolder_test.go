package systemtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/testserver"
)

// journalFixture is a data folder of layout 4: the common part of the names of its archive and
// its description; see testdata/README.md.
const journalFixture = "testdata/datafolder-2"

const journalCORS = `<CORSConfiguration><CORSRule><AllowedOrigin>https://example.com</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`

// TestMakeJournalFolder makes a data folder with the content that datafolder-1 cannot have, and
// its description, in testdata.
func TestMakeJournalFolder(t *testing.T) {
	binary := fixtureBinary(t)
	data := filepath.Join(t.TempDir(), "data")
	f := serve(t, binary, data, "--incremental-window", "1s")
	policy := filepath.Join(t.TempDir(), "policy.json")
	check(t, os.WriteFile(policy, []byte(`{"Version":"1","Statement":[{"Effect":"Allow","Action":["oss:GetObject"],"Resource":["acs:oss:*:*:changes/*"]}]}`), 0o600))
	f.command("policy", "put", "reports", policy)
	for _, b := range []string{"changes", "reports"} {
		f.must(to("PUT", b, ""))
	}
	f.must(to("PUT", "changes", "", "cors", "").with([]byte(journalCORS)))
	f.must(to("PUT", "changes", "", "versioning", "").with([]byte("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")))
	for _, key := range []string{"changed", "deleted", "kept", "removed"} {
		f.must(to("PUT", "changes", key).with([]byte("before: " + key)))
	}
	f.must(to("PUT", "changes", "", "inventory", "", "inventoryId", "windows").with([]byte(`<InventoryConfiguration><Id>windows</Id><IsEnabled>true</IsEnabled>` +
		`<Destination><OSSBucketDestination><Format>Parquet</Format><AccountId>` + testserver.AccountID + `</AccountId><RoleArn>acs:ram::` + testserver.AccountID +
		`:role/writer</RoleArn><Bucket>acs:oss:::reports</Bucket></OSSBucketDestination></Destination><Schedule><Frequency>Once</Frequency></Schedule>` +
		`<IncludedObjectVersions>All</IncludedObjectVersions><OptionalFields><Field>Size</Field><Field>ETag</Field><Field>LastModifiedDate</Field></OptionalFields>` +
		`<IncrementalInventory><IsEnabled>true</IsEnabled><Schedule><Frequency>600</Frequency></Schedule>` +
		`<OptionalFields><Field>SequenceNumber</Field><Field>RecordType</Field><Field>RecordTimestamp</Field><Field>Requester</Field><Field>Size</Field><Field>ETag</Field><Field>LastModifiedDate</Field></OptionalFields></IncrementalInventory></InventoryConfiguration>`)))
	f.settle("changes", "windows")
	f.must(to("PUT", "changes", "changed").with([]byte("in a window")))
	f.untilReported(time.Now())
	check(t, f.server.Stop())

	// These changes exist only in the journal.
	f = serve(t, binary, data, "--incremental-window", "24h")
	f.must(to("PUT", "changes", "changed").with([]byte("in the journal")))
	f.must(to("PUT", "changes", "added").with([]byte("in the journal, too")))
	f.must(to("DELETE", "changes", "deleted"))
	list := f.must(to("GET", "changes", "", "versions", "", "prefix", "removed")).body
	f.must(to("DELETE", "changes", "removed").version(values(t, list, "ListVersionsResult/Version/VersionId")[0]))
	check(t, f.server.Stop())
	f = serve(t, binary, data, "--no-incremental")
	dump := f.dump()
	check(t, f.server.Stop())
	check(t, os.Remove(filepath.Join(data, "ballast"))) // 64 MB of nothing
	pack(t, data, journalFixture+".tar.gz")
	check(t, os.WriteFile(journalFixture+".txt", []byte(dump), 0o644))
}

// TestJournalFolderOpens serves the data folder of an earlier version whose journal has changes
// that are in no window yet. Its content is complete, and the old full report and the next
// windows together equal the table of now.
func TestJournalFolderOpens(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	unpack(t, journalFixture+".tar.gz", data)
	path, err := binary()
	check(t, err)
	f := serve(t, path, data, "--no-incremental") // the description must not change
	got := f.dump()
	if *update {
		check(t, os.WriteFile(journalFixture+".txt", []byte(got), 0o644))
	}
	want, err := os.ReadFile(journalFixture + ".txt")
	check(t, err)
	if diff := cmp.Diff(sections(string(want)), sections(got)); diff != "" {
		t.Errorf("the folder is not what it was (-want +got):\n%s", diff)
	}
	if got := f.must(to("GET", "changes", "", "cors", "")).body; !strings.Contains(string(got), "https://example.com") {
		t.Errorf("the rules for other origins: %s", got)
	}
	check(t, f.server.Stop())

	f = serve(t, path, data, "--incremental-window", "1s")
	full := slices.DeleteFunc(f.runs("changes", "windows"), func(r stocktake.Run) bool { return r.Kind != stocktake.FullRun })[0]
	f.must(to("PUT", "changes", "new").with([]byte("after the migration")))
	f.untilReported(time.Now())
	now := filepath.Join(t.TempDir(), "now")
	f.command("report", "apply", "oss://"+full.Destination+"/"+full.Manifest, "oss://reports/changes/windows/incremental_inventory", "--output", now)
	f.command("report", "verify", now)
	f.command("report", "diff", now, "--against", "oss://changes") // fails unless they are equal
	check(t, f.server.Stop())
	if out := f.command("store", "audit"); !strings.Contains(out, "nothing is wrong") {
		t.Errorf("audit: %s", out)
	}
}

// untilReported waits until the windows of the configuration contain all changes before a time.
func (f *folder) untilReported(all time.Time) {
	f.t.Helper()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) { // another process makes the reports
		st := f.status("changes", "windows")[0].Incremental
		if st != nil && st.Published.After(all) && (st.Last == nil || st.Last.State == stocktake.Succeeded) {
			return
		}
		if time.Since(begun) > time.Minute {
			f.t.Fatalf("the changes are not reported: %+v", st)
		}
	}
}
