package systemtest

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/object"
)

// A blunder is a request that no correct client sends.
type blunder struct {
	name   string
	said   string
	end    ending
	status int    // 0: there may be no answer at all
	code   string // empty: net/http refuses it before it is a request
}

// blunders returns all bad requests. upload is the id of an upload of the key
// "parts".
func (p *port) blunders(upload string) (list []blunder) {
	add := func(name, said string, end ending, status int, code string) {
		list = append(list, blunder{name, said, end, status, code})
	}
	put := func(key string, more ...string) string { return p.signed(to("PUT", "bad", key), more...) }
	half, most := strings.Repeat("x", 50), strings.Repeat("x", 150_000)
	part := func(number string) *request {
		return to("PUT", "bad", "parts", "uploadId", upload, "partNumber", number)
	}

	for _, body := range []struct{ name, text, length string }{
		{"small", half, "100"},
		{"large", most, "300000"},
		{"of nothing", "", "70000"},
	} {
		length := "Content-Length: " + body.length
		add("truncated body, "+body.name, put("k", length)+body.text, closes, 400, "RequestTimeout")
		add("body left, "+body.name, put("k", length)+body.text, leaves, 0, "")
		add("stalled body, "+body.name, put("k", length)+body.text, waits, 400, "RequestTimeout")
		add("stalled append, "+body.name, p.signed(to("POST", "bad", "k", "append", "", "position", "0"), length)+body.text, waits, 400, "RequestTimeout")
		add("stalled part, "+body.name, p.signed(part("1"), length)+body.text, waits, 400, "RequestTimeout")
		add("truncated part, "+body.name, p.signed(part("1"), length)+body.text, closes, 400, "RequestTimeout")
		add("stalled document, "+body.name, p.signed(to("POST", "bad", "", "delete", ""), length)+body.text, waits, 400, "RequestTimeout")
		add("truncated chunks, "+body.name, put("k", "Transfer-Encoding: chunked")+fmt.Sprintf("%x\r\n%s", len(body.text)+10, body.text), closes, 400, "RequestTimeout")
		add("stalled chunks, "+body.name, put("k", "Transfer-Encoding: chunked")+fmt.Sprintf("%x\r\n%s\r\n", len(body.text)+1, body.text+"y"), waits, 400, "RequestTimeout")
		add("chunks of garbage, "+body.name, put("k", "Transfer-Encoding: chunked")+"5\r\nhello\r\nZZZ\r\n"+body.text, waits, 400, "InvalidRequest")
		add("a chunk longer than said, "+body.name, put("k", "Transfer-Encoding: chunked")+"5\r\nhello, world\r\n0\r\n\r\n", waits, 400, "InvalidRequest")
	}
	add("a chunk without end", put("k", "Transfer-Encoding: chunked")+"fffffffffffffffffff\r\n", waits, 400, "InvalidRequest")
	add("a chunk extension without end", put("k", "Transfer-Encoding: chunked")+"5;"+strings.Repeat("a", 1<<16), waits, 400, "InvalidRequest")
	add("no length", put("k"), closes, 411, "MissingContentLength")
	for _, length := range []string{"abc", "-1", "+5", "0x10", "1e3", "99999999999999999999", "5, 6"} {
		add("length "+length, put("k", "Content-Length: "+length)+"hello", closes, 400, "")
	}
	add("two lengths", put("k", "Content-Length: 5", "Content-Length: 6")+"hello!", closes, 400, "")
	add("unknown coding", put("k", "Transfer-Encoding: gzip")+"hello", closes, 501, "")
	add("more than any object", put("k", fmt.Sprint("Content-Length: ", int64(object.MaxPartSize)+1)), waits, 400, "EntityTooLarge")

	for _, header := range []string{"Content-MD5: nonsense", "Content-MD5: AAAA", "Content-MD5: " + base64.StdEncoding.EncodeToString(make([]byte, 16))} {
		name, value, _ := strings.Cut(header, ": ")
		q := to("PUT", "bad", "k")
		q.header[name] = value
		add(header, p.signed(q, "Content-Length: 5")+"hello", waits, 400, "InvalidDigest")
	}
	for name, value := range map[string]string{
		"x-oss-meta-a": strings.Repeat("m", 9000), "Cache-Control": strings.Repeat("c", 2000), "x-oss-storage-class": "Cheap",
		"x-oss-object-acl": "everybody", "x-oss-tagging": "a=1&a=2", "x-oss-forbid-overwrite": "perhaps",
	} {
		q := to("PUT", "bad", "k")
		q.header[name] = value
		add("header "+name, p.signed(q, "Content-Length: 5")+"hello", waits, 400, "InvalidArgument")
	}
	add("huge header", put("k", "Content-Length: 5", "X-Huge: "+strings.Repeat("h", 200<<10))+"hello", waits, 431, "")
	add("many headers", put("k", "Content-Length: 5", strings.TrimSuffix(strings.Repeat("X-Many: of them\r\n", 9000), "\r\n"))+"hello", waits, 431, "")
	add("header without colon", put("k", "Content-Length: 5", "nonsense")+"hello", waits, 400, "")

	line := func(target string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: " + p.addr + "\r\n\r\n"
	}
	add("bad percent in path", line("/bad/%zz"), waits, 400, "")
	add("cut percent in path", line("/bad/k%2"), waits, 400, "")
	add("bad percent in query", line("/bad/?prefix=%zz"), waits, 400, "InvalidURI")
	add("query that is not UTF-8", line("/bad/?prefix=%ff"), waits, 400, "InvalidURI")
	add("a parameter twice", line("/bad/?prefix=a&prefix=b"), waits, 400, "InvalidArgument")
	add("long query", line("/bad/?prefix="+strings.Repeat("p", 40<<10)), waits, 400, "InvalidURI")
	add("many parameters", line("/bad/?"+strings.Repeat("a1=1&", 5000)), waits, 400, "")
	for _, target := range []string{"/bad/%ff", "/bad/a%c3%28", "/bad/" + strings.Repeat("k", 1024), "/bad/%2Fk", "/bad/%5Ck", "/bad//k"} {
		add(fmt.Sprintf("object name %.20s", target), line(target), waits, 400, "InvalidObjectName")
	}
	for _, target := range []string{"/B/k", "/b_/k", "/../k", "/./", "/" + strings.Repeat("bad", 64) + "/", "/a/k", "/%00/", "/b%2Fc/k"} {
		add(fmt.Sprintf("bucket name %.20s", target), line(target), waits, 400, "InvalidBucketName")
	}
	add("method", p.signed(to("BREW", "bad", "k")), waits, 405, "MethodNotAllowed")
	add("sub-resource that is not offered", p.signed(to("PUT", "bad", "", "worm", ""), "Content-Length: 0"), waits, 501, "NotImplemented")
	add("no HTTP", "hello\r\n\r\n", waits, 400, "")
	add("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", closes, 400, "")
	add("nothing", "", leaves, 0, "")
	add("half a line", "PUT /bad/k HT", closes, 0, "")
	add("no host", "GET /bad/k HTTP/1.1\r\n\r\n", waits, 400, "")

	for _, auth := range []string{
		"OSS4-HMAC-SHA256 Credential=", "OSS4-HMAC-SHA256 Credential=a/b/c/d/e/f/g,Signature=00", "OSS :", "OSS a", "OSS2 x", "Basic YTpi", "OSS4-HMAC-SHA256 " + strings.Repeat("A", 30<<10),
	} {
		add(fmt.Sprintf("authorization %.40s", auth), "PUT /bad/k HTTP/1.1\r\nHost: "+p.addr+"\r\nAuthorization: "+auth+"\r\nDate: "+time.Now().UTC().Format(time.RFC1123)+"\r\nContent-Length: 5\r\n\r\nhello", waits, 0, "")
	}
	list = append(list, p.badNumbers(upload)...)
	return append(list, p.badDocuments(upload)...)
}

// badNumbers returns parameters and headers outside their ranges.
func (p *port) badNumbers(upload string) (list []blunder) {
	send := func(q *request, status int, code string) {
		list = append(list, blunder{fmt.Sprintf("%s %s %v %v", q.method, q.key, q.query, q.header), p.signed(q, "Content-Length: 5") + "hello", waits, status, code})
	}
	for _, n := range []string{"", "0", "-1", "10001", "1.5", "99999999999999999999", "0x1"} {
		send(to("PUT", "bad", "parts", "uploadId", upload, "partNumber", n), 400, "InvalidArgument")
	}
	for _, id := range []string{"x", strings.ToLower(upload), strings.Repeat("0", 32), strings.Repeat("A", 3000)} {
		send(to("PUT", "bad", "parts", "uploadId", id, "partNumber", "1"), 404, "NoSuchUpload")
	}
	send(to("PUT", "bad", "other", "uploadId", upload, "partNumber", "1"), 404, "NoSuchUpload")
	send(to("PUT", "bad", "parts", "uploadId", "", "partNumber", "1"), 400, "InvalidArgument")
	for _, n := range []string{"", "-1", "x", "9223372036854775808"} {
		send(to("POST", "bad", "k", "append", "", "position", n), 400, "InvalidArgument")
	}
	send(to("POST", "bad", "k", "append", "", "position", "9223372036854775807"), 409, "PositionNotEqualToLength")
	for _, n := range []string{"0", "-1", "1001", "x"} {
		send(to("GET", "bad", "", "max-keys", n), 400, "InvalidArgument")
		send(to("GET", "bad", "", "list-type", "2", "max-keys", n), 400, "InvalidArgument")
	}
	send(to("GET", "bad", "", "list-type", "3"), 400, "InvalidArgument")
	send(to("GET", "bad", "", "list-type", "2", "continuation-token", "%%%"), 400, "InvalidArgument")
	send(to("GET", "bad", "", "encoding-type", "base64"), 400, "InvalidArgument")
	send(to("GET", "bad", "", "versions", "", "version-id-marker", "x"), 400, "InvalidArgument")
	send(to("GET", "bad", "k", "versionId", ""), 400, "InvalidArgument")
	send(to("GET", "bad", "k", "versionId", "\x01"), 400, "InvalidArgument")
	for _, source := range []string{"", "/", "/bad", "bad/", "/bad/%zz", "/BAD/k", "/bad/k?versionId=", "/bad/k?x=1", "/bad//k", "/bad/%ff"} {
		q := to("PUT", "bad", "k")
		q.header["x-oss-copy-source"] = source
		send(q, 400, "InvalidArgument")
	}
	for _, span := range []string{"bytes=5-2", "bytes=-5", "bytes=x-", "0-5", "bytes=0-99999999999999999999"} {
		q := to("PUT", "bad", "parts", "uploadId", upload, "partNumber", "1")
		q.header["x-oss-copy-source"], q.header["x-oss-copy-source-range"] = "/bad/source", span
		send(q, 400, "InvalidArgument")
	}
	q := to("PUT", "bad", "parts", "uploadId", upload, "partNumber", "1")
	q.header["x-oss-copy-source"], q.header["x-oss-copy-source-range"] = "/bad/source", "bytes=0-5"
	send(q, 416, "InvalidRange")
	return list
}

// badDocuments are bodies that are not XML, or too long.
func (p *port) badDocuments(upload string) (list []blunder) {
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "` + strings.Repeat("a", 1000) + `">`
	for i := range 9 {
		bomb += fmt.Sprintf(`<!ENTITY %c "%s">`, 'b'+i, strings.Repeat(fmt.Sprintf("&%c;", 'a'+i), 10))
	}
	documents := map[string]string{
		"nothing": "", "no XML": "hello", "cut": "<Root><A>", "two roots": "<Root/><Root/>", "bomb": bomb + "]><Root>&j;</Root>",
		"file": `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Root>&a;</Root>`, "unknown entity": "<Root>&nbsp;</Root>",
		"deep": strings.Repeat("<a>", 200_000), "wide": "<Root>" + strings.Repeat("<a/>", 100_000) + "</Root>",
		"other coding": `<?xml version="1.0" encoding="UTF-16"?><Root/>`, "no text": "<Root>\xff\xfe</Root>", "surrogate": "<Root>&#xD800;</Root>",
		"long name": "<" + strings.Repeat("r", 1<<20) + "/>", "other root": "<Coffee/>", "crossed": "<Root><a></Root></a>",
	}
	places := map[string]*request{
		"Delete":                   to("POST", "bad", "", "delete", ""),
		"VersioningConfiguration":  to("PUT", "bad", "", "versioning", ""),
		"ServerSideEncryptionRule": to("PUT", "bad", "", "encryption", ""),
		"Tagging":                  to("PUT", "bad", "", "tagging", ""),
		"LifecycleConfiguration":   to("PUT", "bad", "", "lifecycle", ""),
		"CORSConfiguration":        to("PUT", "bad", "", "cors", ""),
		"InventoryConfiguration":   to("PUT", "bad", "", "inventory", "", "inventoryId", "daily"),
		"CompleteMultipartUpload":  to("POST", "bad", "parts", "uploadId", upload),
	}
	for root, q := range places {
		for name, doc := range documents {
			body := strings.ReplaceAll(doc, "Root", root)
			said := p.signed(q, fmt.Sprint("Content-Length: ", len(body))) + body
			list = append(list, blunder{root + ": " + name, said, waits, 400, "MalformedXML"})
		}
	}
	none := "<CompleteMultipartUpload><Coffee/></CompleteMultipartUpload>"
	list = append(list, blunder{
		"complete nothing", p.signed(to("POST", "bad", "parts", "uploadId", upload), fmt.Sprint("Content-Length: ", len(none))) + none, waits, 400, "InvalidPart",
	})
	for _, n := range []string{"0", "10001", "x", "-1"} {
		body := "<CompleteMultipartUpload><Part><PartNumber>" + n + "</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
		said := p.signed(to("POST", "bad", "parts", "uploadId", upload), fmt.Sprint("Content-Length: ", len(body))) + body
		list = append(list, blunder{"complete part " + n, said, waits, 400, "InvalidArgument"})
	}
	objects := strings.Repeat("<Object><Key>k</Key></Object>", 1001)
	body := "<Delete>" + objects + "</Delete>"
	said := p.signed(to("POST", "bad", "", "delete", ""), fmt.Sprint("Content-Length: ", len(body))) + body
	return append(list, blunder{"1,001 objects to delete", said, waits, 400, "MalformedXML"})
}

// TestBadInput sends each bad request over a connection of its own. Each gets a clear answer
// and leaves nothing behind.
func TestBadInput(t *testing.T) {
	p := newPort(t)
	if a := p.talk(p.signed(to("PUT", "bad", ""), "Content-Length: 0"), waits); a.status != 200 {
		t.Fatal(a)
	}
	if a := p.talk(p.signed(to("PUT", "bad", "source"), "Content-Length: 5")+"12345", waits); a.status != 200 {
		t.Fatal(a)
	}
	var begun struct {
		UploadID string `xml:"UploadId"`
	}
	check(t, xml.Unmarshal(p.talk(p.signed(to("POST", "bad", "parts", "uploads", ""), "Content-Length: 0"), waits).body, &begun))
	if a := p.talk(p.signed(to("PUT", "bad", "parts", "uploadId", begun.UploadID, "partNumber", "2"), "Content-Length: 5")+"12345", waits); a.status != 200 {
		t.Fatal(a)
	}
	want := p.state()
	before := runtime.NumGoroutine() + 2 // timers of the store start and end
	results := make(chan string, 64)
	list := p.blunders(begun.UploadID)
	busy := make(chan struct{}, 32) // connections at once
	for _, b := range list {
		go func() {
			busy <- struct{}{}
			defer func() { <-busy }()
			results <- p.judge(b)
		}()
	}
	for range list {
		if text := <-results; text != "" {
			t.Error(text)
		}
	}
	settled(t, before)
	if got := p.state(); got != want {
		t.Errorf("left behind:\n%s\nwant\n%s", got, want)
	}
	for _, dir := range []string{"blobs", "tmp"} {
		if files := filesBelow(t, filepath.Join(p.dir, dir)); len(files) > 0 {
			t.Errorf("files left behind: %v", files)
		}
	}
	p.audit(t)
	t.Logf("%d kinds of bad input", len(list))
}

// judge sends a blunder and returns what is wrong with the answer.
func (p *port) judge(b blunder) string {
	a := p.talk(b.said, b.end)
	switch {
	case b.status == 0 && a.status/100 != 5 && a.status != 200:
	case a.status != b.status || a.code != b.code && b.code != "":
		return fmt.Sprintf("%s: answer %d %s, want %d %s\n%.500s", b.name, a.status, a.code, b.status, b.code, a.body)
	case b.code != "" && len(a.header.Get("X-Oss-Request-Id")) != 24:
		return fmt.Sprintf("%s: no request id: %v", b.name, a.header)
	}
	return ""
}

// state returns everything that the listings of the bucket show.
func (p *port) state() string {
	p.t.Helper()
	var b strings.Builder
	for _, query := range [][]string{
		{"versions", ""}, {"uploads", ""}, {"stat", ""}, {"versioning", ""}, {"lifecycle", ""}, {"inventory", ""}, {"encryption", ""}, {"tagging", ""},
	} {
		a := p.talk(p.signed(to("GET", "bad", "", query...)), waits)
		fmt.Fprintf(&b, "%s: %d %s\n", query[0], a.status, a.code)
		if a.status == 200 {
			b.Write(a.body)
		}
	}
	return b.String()
}

// TestHostileKeys puts objects under the strangest legal keys over the network, and finds them
// under exactly these keys.
func TestHostileKeys(t *testing.T) {
	p := newPort(t)
	if a := p.talk(p.signed(to("PUT", "bad", ""), "Content-Length: 0"), waits); a.status != 200 {
		t.Fatal(a)
	}
	var names []string
	for _, key := range append(slices.Clone(keys),
		".", "..", "./", "../", "../../etc/passwd", "a///b", "a/./b", "a/../b", " ", "a ", "%", "%2e%2e", "+", "#", "?", "&", "=", "\x7f", "\t", "\n", "\r\n",
		"\u2028", "\ufeff", "a\x00", "\x00", strings.Repeat("猫", 341), strings.Repeat("/", 1022)+"x", "CON", "a:b", "~", "*", "-", "_", "'", "\"",
	) {
		if key[0] != '/' {
			names = append(names, key)
		}
	}
	for _, key := range names {
		body := "content of " + key
		if a := p.talk(p.signed(to("PUT", "bad", key), fmt.Sprint("Content-Length: ", len(body)))+body, waits); a.status != 200 {
			t.Errorf("put %q: %d %s", key, a.status, a.code)
		}
	}
	for _, key := range names {
		if a := p.talk(p.signed(to("GET", "bad", key)), waits); a.status != 200 || !bytes.Equal(a.body, []byte("content of "+key)) {
			t.Errorf("get %q: %d %s %q", key, a.status, a.code, a.body)
		}
	}
	w := newWorld(t, p.house, newDial(), func(int) int { return 0 })
	w.clock.at.Store(time.Now().UnixMilli())
	q := to("GET", "bad", "", "list-type", "2", "encoding-type", "url", "max-keys", "1000")
	q.who = owner
	var page page
	w.decode(w.send(q), &page)
	var got []string
	for _, it := range w.items(&page, true, "v2") {
		got = append(got, it.Key)
	}
	w.equal("keys", slices.Sorted(slices.Values(names)), got)
	for _, path := range filesBelow(t, p.dir) {
		if rel, err := filepath.Rel(p.dir, path); err != nil || strings.HasPrefix(rel, "..") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
