package systemtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/testserver"
)

// makeVariable names a binary. If it is set, the test of a fixture makes the fixture with that
// binary.
const makeVariable = "STOCKTAKE_FIXTURE_BINARY"

const (
	laterBucket  = "later" // receives the reports of the runs that the test makes
	cutInventory = "cut"   // the end of the server interrupts its first run
)

// TestMakeDataFolder makes a data folder with everything that a server keeps, and its
// description, in testdata. See testdata/README.md.
func TestMakeDataFolder(t *testing.T) {
	binary := fixtureBinary(t)
	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer gone.Close()
	data := filepath.Join(t.TempDir(), "data")
	f := serve(t, binary, data, "--webhook", "ops="+gone.URL)
	f.fill()
	check(t, f.server.Stop()) // so that the index has tables, not only a log
	f = serve(t, binary, data, "--webhook", "ops="+gone.URL)
	f.takeInventories()
	f.putInventory("plain", cutInventory, laterBucket, "", "Once", "<IncludedObjectVersions>Current</IncludedObjectVersions>")
	f.settle("plain", cutInventory)
	dump := f.dump()
	for n := 1; ; n++ {
		f.must(to("POST", "plain", "", "inventory", "", "inventoryId", cutInventory, "x-oss-stocktake", "run"))
		f.server.Kill()
		if unfinishedRuns(t, data) == 1 {
			break
		}
		if n == 100 {
			t.Fatal("the run always ends before the server can be killed")
		}
		f = serve(t, binary, data, "--webhook", "ops="+gone.URL)
	}
	check(t, os.MkdirAll("testdata", 0o755))
	pack(t, data, fixture+".tar.gz")
	check(t, os.WriteFile(fixture+".txt", []byte(dump), 0o644))
}

// fixtureBinary returns the binary that makes a fixture, or skips the test.
func fixtureBinary(t *testing.T) string {
	t.Helper()
	binary := os.Getenv(makeVariable)
	if binary == "" {
		t.Skip(makeVariable + " is not set: there is no new fixture to make")
	}
	check(t, os.Unsetenv(makeVariable)) // the binary would refuse it
	return binary
}

// content returns size bytes that compress well and depend on n.
func content(n, size int) []byte {
	var b []byte
	for i := 0; len(b) < size; i++ {
		b = fmt.Appendf(b, "line %d of content %d\n", i, n)
	}
	return b[:size]
}

// partContent returns part n, from 0, of all uploads.
func partContent(n int) []byte { return content(2+n, []int{102_400, 1000}[n]) }

// unfinishedRuns counts the unfinished runs in the catalog of a server that was killed, without
// changing the catalog.
func unfinishedRuns(t *testing.T, data string) (n int) {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(data, "catalog.db*"))
	check(t, err)
	for _, name := range files {
		b, err := os.ReadFile(name)
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600))
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "catalog.db"))
	check(t, err)
	defer db.Close()
	check(t, db.QueryRow("SELECT count(*) FROM runs WHERE ended = 0").Scan(&n))
	return n
}

// fill makes keys, accounts, buckets and objects of every kind.
func (f *folder) fill() {
	f.t.Helper()
	f.command("kms", "create", "reports")
	f.command("kms", "create", "old")
	f.command("kms", "rotate", "old")
	f.command("kms", "disable", "old")
	policy := filepath.Join(f.t.TempDir(), "policy.json")
	check(f.t, os.WriteFile(policy, []byte(`{"Version":"1","Statement":[`+
		`{"Effect":"Allow","Action":["oss:PutObject"],"Resource":["acs:oss:*:*:reports/*","acs:oss:*:*:later/*"]},`+
		`{"Effect":"Allow","Action":["oss:ListObjects","oss:ListObjectVersions"],"Resource":"acs:oss:*:*:*"}]}`), 0o600))
	f.command("policy", "put", "reports", policy)
	f.command("role", "create", "writer", "--attach", "reports", "--max-session", "2h")
	f.command("user", "create", "alice")
	f.command("user", "attach", "alice", "AliyunOSSReadOnlyAccess")
	f.command("key", "create", "--user", "alice")
	f.command("key", "create", "--user", "bob")

	put := func(bucket, key, body string, headers ...string) {
		q := to("PUT", bucket, key).with([]byte(body))
		for i := 0; i < len(headers); i += 2 {
			q.header[headers[i]] = headers[i+1]
		}
		f.must(q)
	}
	set := func(bucket, sub, doc string) { f.must(to("PUT", bucket, "", sub, "").with([]byte(doc))) }
	for _, b := range []string{"plain", "versioned", "suspended", "sealed", "settings", "reports", laterBucket} {
		f.must(to("PUT", b, ""))
	}

	for _, b := range []string{"settings", "plain"} {
		set(b, "publicAccessBlock", `<PublicAccessBlockConfiguration><BlockPublicAccess>false</BlockPublicAccess></PublicAccessBlockConfiguration>`)
	}
	acl := to("PUT", "settings", "", "acl", "")
	acl.header["x-oss-acl"] = "public-read"
	f.must(acl)
	set("settings", "tagging", `<Tagging><TagSet><Tag><Key>team</Key><Value>stock &amp; take</Value></Tag><Tag><Key>猫</Key><Value></Value></Tag></TagSet></Tagging>`)
	set("settings", "encryption", `<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>`)
	set("settings", "lifecycle", `<LifecycleConfiguration><Rule><ID>old</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>36500</Days></Expiration></Rule>`+
		`<Rule><ID>parts</ID><Prefix>tmp/</Prefix><Status>Disabled</Status><AbortMultipartUpload><Days>7</Days></AbortMultipartUpload></Rule></LifecycleConfiguration>`)
	set("settings", "policy", `{"Version":"1","Statement":[{"Effect":"Allow","Principal":["2000000000000000"],"Action":["oss:GetObject"],"Resource":["acs:oss:*:1000000000000000:settings/*"]}]}`)
	set("settings", "requestPayment", `<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>`)
	set("settings", "resourceGroup", `<BucketResourceGroupConfiguration><ResourceGroupId>rg-1</ResourceGroupId></BucketResourceGroupConfiguration>`)
	set("sealed", "publicAccessBlock", `<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>`)
	set("sealed", "encryption", `<ServerSideEncryptionRule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>KMS</SSEAlgorithm><KMSMasterKeyID>reports</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></ServerSideEncryptionRule>`)

	large := string(content(0, 66_000))
	put("settings", "by default", "sealed with the service's key")
	put("plain", "empty", "")
	put("plain", "small", "hello", "Content-Type", "text/plain; charset=utf-8", "Cache-Control", "no-cache", "Content-Disposition", "inline",
		"Content-Encoding", "identity", "Expires", "Thu, 01 Jan 2037 00:00:00 GMT", "x-oss-meta-who", "alice", "x-oss-tagging", "a=1&b=%26")
	put("plain", "large", large)
	put("plain", "a//b/../猫 +%2F", "a strange name")
	put("plain", "public", "to read", "x-oss-object-acl", "public-read")
	put("plain", "cold", "in the archive", "x-oss-storage-class", "Archive")
	put("plain", "rare", "seldom read", "x-oss-storage-class", "IA")
	put("plain", "aes", "sealed", "x-oss-server-side-encryption", "AES256")
	put("plain", "aes-large", large, "x-oss-server-side-encryption", "AES256")
	put("plain", "copy", "", "x-oss-copy-source", "/plain/small")
	f.must(to("PUT", "plain", "small-acl").with([]byte("x")))
	q := to("PUT", "plain", "small-acl", "acl", "")
	q.header["x-oss-object-acl"] = "private"
	f.must(q)
	f.must(to("PUT", "plain", "small-acl", "tagging", "").with([]byte(`<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>`)))
	q = to("PUT", "plain", "link", "symlink", "")
	q.header["x-oss-symlink-target"] = "small"
	f.must(q)
	f.must(to("POST", "plain", "appended", "append", "", "position", "0").with([]byte("first,")))
	f.must(to("POST", "plain", "appended", "append", "", "position", "6").with(content(1, 66_000)))
	f.must(to("POST", "plain", "appended-small", "append", "", "position", "0").with([]byte("only")))
	f.multipart("plain", "multipart", 2)
	f.upload("plain", "unfinished", 2)
	put("sealed", "small", "sealed with a key of KMS")
	put("sealed", "large", large)
	f.must(to("POST", "sealed", "appended", "append", "", "position", "0").with([]byte("sealed,")))
	f.multipart("sealed", "multipart", 2)

	put("suspended", "before", "null version")
	for _, b := range []string{"versioned", "suspended"} {
		set(b, "versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
		put(b, "twice", "first")
		put(b, "twice", "second", "x-oss-tagging", "t=2")
		put(b, "gone", "deleted later")
		f.must(to("DELETE", b, "gone"))
		put(b, "large", large)
	}
	set("suspended", "versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")
	put("suspended", "twice", "null again")
	f.must(to("DELETE", "suspended", "large"))
}

// upload begins a multipart upload and returns its id and the parts' ETags.
func (f *folder) upload(bucket, key string, parts int) (id string, etags []string) {
	f.t.Helper()
	id = values(f.t, f.must(to("POST", bucket, key, "uploads", "")).body, "InitiateMultipartUploadResult/UploadId")[0]
	for n := range parts {
		a := f.must(to("PUT", bucket, key, "uploadId", id, "partNumber", fmt.Sprint(n+1)).with(partContent(n)))
		etags = append(etags, a.header.Get("Etag"))
	}
	return id, etags
}

func (f *folder) multipart(bucket, key string, parts int) {
	f.t.Helper()
	id, etags := f.upload(bucket, key, parts)
	f.complete(bucket, key, id, etags)
}

func (f *folder) complete(bucket, key, id string, etags []string) {
	f.t.Helper()
	var b strings.Builder
	for n, etag := range etags {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n+1, etag)
	}
	f.must(to("POST", bucket, key, "uploadId", id).with([]byte("<CompleteMultipartUpload>" + b.String() + "</CompleteMultipartUpload>")))
}

// putInventory puts a configuration whose reports go to a bucket. schedule is the frequency,
// and more is XML after the schedule.
func (f *folder) putInventory(bucket, id, destination, encryption, frequency, more string) {
	f.t.Helper()
	prefix := "<Prefix>inv</Prefix>"
	if strings.Contains(id, "/") {
		prefix = ""
	}
	f.must(to("PUT", bucket, "", "inventory", "", "inventoryId", id).with([]byte(`<InventoryConfiguration><Id>` + id + `</Id><IsEnabled>true</IsEnabled>` +
		`<Destination><OSSBucketDestination><Format>CSV</Format><AccountId>` + testserver.AccountID + `</AccountId>` +
		`<RoleArn>acs:ram::` + testserver.AccountID + `:role/writer</RoleArn><Bucket>acs:oss:::` + destination + `</Bucket>` + prefix + encryption +
		`</OSSBucketDestination></Destination><Schedule><Frequency>` + frequency + `</Frequency></Schedule>` + more + `</InventoryConfiguration>`)))
}

// takeInventories puts configurations, waits for their reports, and suspends them, so that
// later servers start no runs on their own.
func (f *folder) takeInventories() {
	f.t.Helper()
	const fields = `<OptionalFields><Field>Size</Field><Field>LastModifiedDate</Field><Field>ETag</Field><Field>StorageClass</Field><Field>IsMultipartUploaded</Field>` +
		`<Field>EncryptionStatus</Field><Field>ObjectAcl</Field><Field>TaggingCount</Field><Field>ObjectType</Field><Field>Crc64</Field></OptionalFields>`
	const current, all = "<IncludedObjectVersions>Current</IncludedObjectVersions>", "<IncludedObjectVersions>All</IncludedObjectVersions>"
	f.putInventory("plain", "daily", "reports", "", "Daily", current+fields)
	f.putInventory("plain", "src/vic", "reports", "", "Weekly", current)
	f.putInventory("plain", "kms", "reports", "<Encryption><SSE-KMS><KeyId>reports</KeyId></SSE-KMS></Encryption>", "Daily", current)
	f.putInventory("plain", "oss", "reports", "<Encryption><SSE-OSS></SSE-OSS></Encryption>", "Daily",
		"<Filter><Prefix>a</Prefix><LowerSizeBound>2</LowerSizeBound></Filter>"+current)
	f.putInventory("versioned", "all", "reports", "", "Weekly", all+fields)
	f.putInventory("suspended", "monthly", "reports", "", "Monthly", all)
	for _, c := range [][2]string{{"plain", "daily"}, {"plain", "src/vic"}, {"plain", "kms"}, {"plain", "oss"}, {"versioned", "all"}, {"suspended", "monthly"}} {
		f.settle(c[0], c[1])
		f.must(to("POST", c[0], "", "inventory", "", "inventoryId", c[1], "x-oss-stocktake", "suspend"))
	}
	f.must(to("POST", "plain", "", "inventory", "", "inventoryId", "daily", "x-oss-stocktake", "run"))
	for _, r := range f.settle("plain", "daily") {
		if r.State != stocktake.Succeeded {
			f.t.Fatalf("%+v", r)
		}
	}
	f.command("inventory", "retain", "-b", "plain", "-i", "daily", "--reports", "3", "--days", "30")
	for range 100 {
		if strings.Count(f.command("notice", "list"), "410 Gone") == 7 {
			return
		}
		time.Sleep(50 * time.Millisecond) // notices are sent by another goroutine
	}
	f.t.Fatal("the notices were not given up")
}

// pack writes a folder to an archive.
func pack(t *testing.T, dir, path string) {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	check(t, err)
	w := tar.NewWriter(z)
	check(t, w.AddFS(os.DirFS(dir)))
	check(t, errors.Join(w.Close(), z.Close()))
	check(t, os.WriteFile(path, b.Bytes(), 0o644))
}

// unpack extracts an archive into a folder, which it creates if necessary.
func unpack(t *testing.T, path, dir string) {
	t.Helper()
	file, err := os.Open(path)
	check(t, err)
	defer file.Close()
	z, err := gzip.NewReader(file)
	check(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		check(t, err)
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		mode := fs.FileMode(h.Mode).Perm()
		if h.FileInfo().IsDir() {
			check(t, os.MkdirAll(name, mode))
			continue
		}
		check(t, os.MkdirAll(filepath.Dir(name), 0o700))
		body, err := io.ReadAll(r)
		check(t, err)
		check(t, os.WriteFile(name, body, mode))
	}
}
