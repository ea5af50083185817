package systemtest

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake/internal/signature"
)

// tb is the part of testing.T that a world needs.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// A world is a server, its expected state, and a source of random choices.
type world struct {
	t       tb
	h       *house
	clock   *dial
	draw    func(n int) int // 0 to n-1; 0 is the simplest choice
	buckets []*bucket
	prefix  string          // of all keys
	seen    map[string]bool // version ids
	trace   []string
	tally   map[string]int // answers by operation; nil: not recorded
	doing   string
}

func newWorld(t tb, h *house, clock *dial, draw func(int) int) *world {
	return &world{t: t, h: h, clock: clock, draw: draw, seen: map[string]bool{}}
}

func pick[T any](w *world, list ...T) T { return list[w.draw(len(list))] }

// chance returns true once in n calls on average.
func (w *world) chance(n int) bool { return w.draw(n) == n-1 }

func (w *world) bucket() *bucket { return w.buckets[w.draw(len(w.buckets))] }

// keys are keys that have caused faults in other programs.
var keys = []string{
	"a", "b", "a/", "a/b", "a/b/c", "a//", "ab", "b/..", "b/.", "./a", "../a", "a b", "a+b", "a%2Fb", "猫", "😀", "\uffff", "a&<>\"'b",
	"a\u0001", "a\x00b", "a\r\nb", strings.Repeat("k", 1023), "a?versionId=null", "acl",
}

func (w *world) key(b *bucket) string {
	if known := slices.Sorted(maps.Keys(b.versions)); len(known) > 0 && !w.chance(3) {
		return known[w.draw(len(known))]
	}
	key := keys[w.draw(len(keys))]
	return w.prefix + key[:min(len(key), 1023-len(w.prefix))]
}

// versionOf returns the id of a version, mostly one that exists, or "".
func (w *world) versionOf(b *bucket, key string) string {
	if !w.chance(3) {
		return ""
	}
	if list := b.versions[key]; len(list) > 0 && !w.chance(8) {
		return list[w.draw(len(list))].id
	}
	return pick(w, "null", "CAEQAAAAAAAAAAAAAAAA", "nonsense")
}

// noise is the source of all content.
var noise = func() []byte {
	b, c := make([]byte, 220<<10), rand.NewChaCha8([32]byte{1})
	_, _ = c.Read(b)
	return b
}()

func (w *world) data() []byte {
	size := pick(w, 0, 1, 10, 64, 65, 200, 1000)
	if w.chance(25) {
		size = pick(w, 65_536, 65_537, 100_000)
	}
	return w.bytes(size)
}

func (w *world) bytes(size int) []byte {
	off := w.draw(1000)
	return noise[off : off+size]
}

// on starts a request of the owner.
func (w *world) on(b *bucket, method, key string, query ...string) *request {
	q := &request{method: method, bucket: b.name, key: key, who: owner, query: map[string]string{}, header: map[string]string{}}
	for i := 0; i < len(query); i += 2 {
		q.query[query[i]] = query[i+1]
	}
	return q
}

func (q *request) version(id string) *request {
	if id != "" {
		q.query["versionId"] = id
	}
	return q
}

func (w *world) send(q *request) answer {
	w.t.Helper()
	q.scheme = pick(w, signature.V4, signature.V1)
	q.virtual = w.chance(3)
	a, err := w.h.call(q, w.clock.now())
	w.trace = append(w.trace, fmt.Sprintf("%v -> %d %s", q, a.status, a.code))
	if err != nil {
		w.fatalf("%v: %v", q, err)
	}
	if w.tally != nil {
		w.tally[fmt.Sprintf("%s: %d %s", w.doing, a.status, a.code)]++
	}
	return a
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Logf("requests:\n%s", strings.Join(w.trace, "\n"))
	w.t.Fatalf(format, args...)
}

func (w *world) expect(a answer, status int, code string) {
	w.t.Helper()
	if a.status != status || a.code != code {
		w.fatalf("answer %d %s, want %d %s\n%v\n%.2000s", a.status, a.code, status, code, a.header, a.body)
	}
}

func (w *world) refused(a answer, r *refusal) {
	w.t.Helper()
	w.expect(a, r.status, r.code)
	w.headers(a, r.header)
}

// headers checks headers; an empty value means that the header must be missing.
func (w *world) headers(a answer, want map[string]string) {
	w.t.Helper()
	for name, value := range want {
		if got := a.header.Get(name); got != value {
			w.fatalf("header %s is %q, want %q\n%v", name, got, value, a.header)
		}
	}
}

func (w *world) equal(what string, want, got any) {
	w.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func (w *world) decode(a answer, v any) {
	w.t.Helper()
	if err := xml.Unmarshal(a.body, v); err != nil {
		w.fatalf("%v\n%s", err, a.body)
	}
}

// name decodes a name of a listing, both as Go and as Python do.
func (w *world) name(s string, encoded bool) string {
	w.t.Helper()
	if !encoded {
		return s
	}
	plus, err := url.QueryUnescape(s)
	blank, err2 := url.PathUnescape(s)
	if err != nil || err2 != nil || plus != blank {
		w.fatalf("%q is read as %q and as %q", s, plus, blank)
	}
	return plus
}

// describe draws attributes and sets their headers.
func (w *world) describe(b *bucket, q *request) attributes {
	a := attributes{contentType: "application/octet-stream", class: "Standard", acl: "default", sse: b.sse}
	set := func(name, value string) string {
		q.header[name] = value
		return value
	}
	if w.chance(4) {
		a.contentType = set("Content-Type", "text/plain")
	}
	if w.chance(6) {
		a.cacheControl = set("Cache-Control", "no-cache")
	}
	if w.chance(4) {
		a.meta = map[string]string{"color": set("x-oss-meta-Color", pick(w, "red", "blue"))}
	}
	if w.chance(5) {
		a.tags = pick(w, [][2]string{{"k", "v"}}, [][2]string{{"a b", "1+2"}, {"c", ""}})
		var list []string
		for _, t := range a.tags {
			list = append(list, url.QueryEscape(t[0])+"="+url.QueryEscape(t[1]))
		}
		set("x-oss-tagging", strings.Join(list, "&"))
	}
	if w.chance(5) {
		a.class = set("x-oss-storage-class", pick(w, "Standard", "IA", "Archive"))
	}
	if w.chance(5) {
		acls := []string{"private", "default", "public-read", "public-read-write"}
		if b.blocked {
			acls = acls[:2]
		}
		a.acl = set("x-oss-object-acl", pick(w, acls...))
	}
	if w.chance(5) {
		a.sse = set("x-oss-server-side-encryption", pick(w, "AES256", "KMS"))
	}
	return a
}

// forbid draws x-oss-forbid-overwrite and reports whether it refuses the write.
func (w *world) forbid(b *bucket, q *request) bool {
	if !w.chance(5) {
		return false
	}
	q.header["x-oss-forbid-overwrite"] = "true"
	return b.versioning == "" && b.current(q.key) != nil
}

// made checks the answer to a write and makes v the current version.
func (w *world) made(a answer, b *bucket, key string, v *version) {
	w.t.Helper()
	v.modified, v.id = w.clock.now(), w.newID(a, b)
	w.headers(a, map[string]string{"X-Oss-Server-Side-Encryption": v.sse})
	if (a.header.Get("X-Oss-Server-Side-Encryption-Key-Id") != "") != (v.sse == "KMS") {
		w.fatalf("key id of %q\n%v", v.sse, a.header)
	}
	b.add(key, v)
}

// newID returns the version id in the answer to a write.
func (w *world) newID(a answer, b *bucket) string {
	w.t.Helper()
	id := a.header.Get("X-Oss-Version-Id")
	switch b.versioning {
	case "Enabled":
		if id == "" || id == "null" || w.seen[id] {
			w.fatalf("version id %q", id)
		}
		w.seen[id] = true
		return id
	case "Suspended":
		if id != "null" {
			w.fatalf("version id %q, want null", id)
		}
	default:
		if id != "" {
			w.fatalf("version id %q in a bucket without versions", id)
		}
	}
	return "null"
}

func (w *world) digests(a answer, v *version) {
	w.t.Helper()
	w.headers(a, map[string]string{"ETag": `"` + v.etag + `"`, "X-Oss-Hash-Crc64ecma": strconv.FormatUint(v.crc(), 10)})
}

// opaque returns the ETag of an object that has no MD5: 32 digits.
func (w *world) opaque(a answer, data []byte) string {
	w.t.Helper()
	etag := strings.Trim(a.header.Get("ETag"), `"`)
	if len(etag) != 32 || strings.ToUpper(etag) != etag || etag == sum(data) {
		w.fatalf("ETag %q", etag)
	}
	return etag
}

func (w *world) sameBytes(want, got []byte) {
	w.t.Helper()
	if !bytes.Equal(want, got) {
		w.fatalf("%d bytes that are not the %d expected", len(got), len(want))
	}
}

// restart restarts the server. The following steps check that nothing was lost.
func (w *world) restart() {
	if err := w.h.restart(context.Background()); err != nil {
		w.fatalf("restart: %v", err)
	}
}

// wait moves the clock.
func (w *world) wait() {
	w.clock.move(pick(w, time.Millisecond, time.Second, time.Minute, 25*time.Hour))
}
