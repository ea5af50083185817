package systemtest

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A writer is a client with keys of its own that remembers every answer. Its last request may
// have taken effect if it was not answered.
type writer struct {
	prefix string
	rng    *rand.Rand
	serial int

	plain     map[string][]byte // in the bucket without versions
	versions  map[string][]kept // newest first
	uploads   map[string]*sent  // by id
	last      *asked            // not answered
	completed int
	mayRefuse bool // writes, because the disk is full
	refused   int
}

// kept is a version. A delete marker has no data.
type kept struct {
	id   string
	data []byte
}

// sent is an upload and its parts.
type sent struct {
	key   string
	parts map[int][]byte
}

// asked is the effect of a request that was not answered.
type asked struct {
	key       string
	versioned bool
	data      []byte // nil: removed, or a delete marker
	removed   string // the version to remove; then data is ignored
	upload    string // that the request refers to
	part      int    // 0: complete or abort the upload
	began     bool   // an upload
}

func newWriter(i int) *writer {
	return &writer{
		prefix: fmt.Sprintf("w%02d/", i), rng: rand.New(rand.NewPCG(rand.Uint64(), uint64(i))),
		plain: map[string][]byte{}, versions: map[string][]kept{}, uploads: map[string]*sent{},
	}
}

func (w *writer) key() string { return fmt.Sprintf("%s%d", w.prefix, w.rng.IntN(6)) }

// data is like no other.
func (w *writer) data(size int) []byte {
	w.serial++
	head := fmt.Appendf(nil, "%s%d:", w.prefix, w.serial)
	return append(head, noise[:size]...)
}

func (w *writer) anyData() []byte {
	return w.data([]int{0, 100, 4000, 70_000, 200_000}[w.rng.IntN(5)])
}

// write makes requests until one is not answered.
func (w *writer) write(ctx context.Context, c *wire) error {
	for {
		ops := []func(context.Context, *wire) (bool, error){
			w.put, w.put, w.put, w.remove, w.append, w.copy, w.putVersion, w.putVersion, w.removeVersion, w.trim, w.trim, w.trim, w.trim, w.part, w.part, w.finish,
		}
		answered, err := ops[w.rng.IntN(len(ops))](ctx, c)
		if w.mayRefuse && errors.Is(err, errFull) {
			w.last = nil // it did not happen
			w.refused++
			continue
		}
		if err != nil || !answered {
			return err
		}
		w.last = nil
	}
}

// errFull means that the server refused a request because its disk is full.
var errFull = errors.New("the disk of the server is full")

// ask sends a request; last describes its effect. answered is false if the server has ended.
func (w *writer) ask(ctx context.Context, c *wire, q *request, last asked) (a answer, answered bool, err error) {
	w.last = &last
	if a, err = c.do(ctx, q); err != nil {
		return a, false, nil
	}
	if a.status == http.StatusInsufficientStorage && a.code == "InsufficientStorage" {
		return a, true, fmt.Errorf("%v: %w", q, errFull)
	}
	if a.status >= 300 {
		return a, true, fmt.Errorf("%v: %d %s\n%s", q, a.status, a.code, a.body)
	}
	w.completed++
	return a, true, nil
}

func (w *writer) set(key string, data []byte) {
	if data == nil {
		delete(w.plain, key)
	} else {
		w.plain[key] = data
	}
}

func (w *writer) put(ctx context.Context, c *wire) (bool, error) {
	key, data := w.key(), w.anyData()
	q := to("PUT", "plain", key).with(data)
	if w.rng.IntN(4) == 0 {
		q.header["x-oss-server-side-encryption"] = "AES256"
	}
	_, ok, err := w.ask(ctx, c, q, asked{key: key, data: data})
	if ok && err == nil {
		w.set(key, data)
	}
	return ok, err
}

func (w *writer) remove(ctx context.Context, c *wire) (bool, error) {
	key := w.key()
	_, ok, err := w.ask(ctx, c, to("DELETE", "plain", key), asked{key: key})
	if ok && err == nil {
		w.set(key, nil)
	}
	return ok, err
}

func (w *writer) append(ctx context.Context, c *wire) (bool, error) {
	key := w.prefix + "log"
	have := w.plain[key]
	data := slices.Concat(have, w.anyData())
	if len(have) > 1<<20 {
		_, ok, err := w.ask(ctx, c, to("DELETE", "plain", key), asked{key: key})
		if ok && err == nil {
			w.set(key, nil)
		}
		return ok, err
	}
	q := to("POST", "plain", key, "append", "", "position", strconv.Itoa(len(have))).with(data[len(have):])
	_, ok, err := w.ask(ctx, c, q, asked{key: key, data: data})
	if ok && err == nil {
		w.set(key, data)
	}
	return ok, err
}

func (w *writer) copy(ctx context.Context, c *wire) (bool, error) {
	if len(w.plain) == 0 {
		return true, nil
	}
	from := slices.Sorted(maps.Keys(w.plain))[w.rng.IntN(len(w.plain))]
	key := w.key()
	q := to("PUT", "plain", key)
	q.header["x-oss-copy-source"] = "/plain/" + from
	_, ok, err := w.ask(ctx, c, q, asked{key: key, data: w.plain[from]})
	if ok && err == nil {
		w.set(key, w.plain[from])
	}
	return ok, err
}

func (w *writer) putVersion(ctx context.Context, c *wire) (bool, error) {
	key, data := w.key(), w.anyData()
	a, ok, err := w.ask(ctx, c, to("PUT", "versioned", key).with(data), asked{key: key, versioned: true, data: data})
	if ok && err == nil {
		w.versions[key] = slices.Insert(w.versions[key], 0, kept{a.header.Get("X-Oss-Version-Id"), data})
	}
	return ok, err
}

// removeVersion makes a delete marker.
func (w *writer) removeVersion(ctx context.Context, c *wire) (bool, error) {
	key := w.key()
	a, ok, err := w.ask(ctx, c, to("DELETE", "versioned", key), asked{key: key, versioned: true})
	if ok && err == nil {
		w.versions[key] = slices.Insert(w.versions[key], 0, kept{id: a.header.Get("X-Oss-Version-Id")})
	}
	return ok, err
}

// mostVersions is the approximate number of versions of a key that are kept.
const mostVersions = 12

// trim removes the oldest version of a key that has too many.
func (w *writer) trim(ctx context.Context, c *wire) (bool, error) {
	for key, list := range w.versions {
		if len(list) <= mostVersions {
			continue
		}
		oldest := list[len(list)-1].id
		_, ok, err := w.ask(ctx, c, to("DELETE", "versioned", key, "versionId", oldest), asked{key: key, versioned: true, removed: oldest})
		if ok && err == nil {
			w.versions[key] = list[:len(list)-1]
		}
		return ok, err
	}
	return true, nil
}

// part begins an upload, or adds a part to the existing one.
func (w *writer) part(ctx context.Context, c *wire) (bool, error) {
	if len(w.uploads) == 0 {
		key := w.prefix + "parts"
		a, ok, err := w.ask(ctx, c, to("POST", "plain", key, "uploads", ""), asked{key: key, began: true})
		if !ok || err != nil {
			return ok, err
		}
		var doc struct {
			UploadID string `xml:"UploadId"`
		}
		if err := xml.Unmarshal(a.body, &doc); err != nil {
			return true, err
		}
		w.uploads[doc.UploadID] = &sent{key, map[int][]byte{}}
		return true, nil
	}
	id := slices.Collect(maps.Keys(w.uploads))[0]
	u := w.uploads[id]
	number, data := 1+w.rng.IntN(4), w.data(minPart)
	q := to("PUT", "plain", u.key, "uploadId", id, "partNumber", strconv.Itoa(number)).with(data)
	_, ok, err := w.ask(ctx, c, q, asked{key: u.key, upload: id, part: number, data: data})
	if ok && err == nil {
		u.parts[number] = data
	}
	return ok, err
}

// finish completes an upload, or sometimes aborts it.
func (w *writer) finish(ctx context.Context, c *wire) (bool, error) {
	for id, u := range w.uploads {
		if len(u.parts) == 0 {
			return true, nil
		}
		last := asked{key: u.key, upload: id, data: u.joined()}
		q := to("POST", "plain", u.key, "uploadId", id)
		q.header["x-oss-complete-all"] = "yes"
		if w.rng.IntN(4) == 0 {
			q, last.data = to("DELETE", "plain", u.key, "uploadId", id), w.plain[u.key]
		}
		_, ok, err := w.ask(ctx, c, q, last)
		if ok && err == nil {
			delete(w.uploads, id)
			w.set(u.key, last.data)
		}
		return ok, err
	}
	return true, nil
}

func (u *sent) joined() (data []byte) {
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		data = append(data, u.parts[n]...)
	}
	return data
}

// verify checks that everything that was answered is stored, and that the request that was not
// answered has taken effect either completely or not at all. It records which.
func (w *writer) verify(t *testing.T, c *wire) {
	t.Helper()
	keys := slices.Collect(maps.Keys(w.plain))
	if w.last != nil && !w.last.versioned && !w.last.began && w.last.part == 0 && w.plain[w.last.key] == nil {
		keys = append(keys, w.last.key)
	}
	for _, key := range keys {
		got := w.read(t, c, to("GET", "plain", key))
		switch {
		case bytes.Equal(got, w.plain[key]):
		case w.last != nil && w.last.key == key && !w.last.versioned && bytes.Equal(got, w.last.data):
			w.set(key, got)
		default:
			t.Errorf("%s holds %d bytes %.20q, want %d bytes %.20q; not answered: %.100v", key, len(got), got, len(w.plain[key]), w.plain[key], w.last)
		}
	}
	w.verifyListing(t, c)
	w.verifyVersions(t, c)
	w.verifyUploads(t, c)
	w.last = nil
}

// read is nil if there is no object.
func (w *writer) read(t *testing.T, c *wire, q *request) []byte {
	t.Helper()
	a, err := c.do(t.Context(), q)
	switch {
	case err != nil:
		t.Fatal(err)
	case a.status == 404:
		return nil
	case a.status != 200:
		t.Fatalf("%v: %d %s", q, a.status, a.code)
	}
	return a.body
}

func (w *writer) verifyListing(t *testing.T, c *wire) {
	t.Helper()
	var p page
	check(t, xml.Unmarshal(c.must(t, to("GET", "plain", "", "list-type", "2", "prefix", w.prefix, "max-keys", "1000")).body, &p))
	var got []string
	for _, e := range p.Entries {
		if e.XMLName.Local == "Contents" {
			got = append(got, e.Key)
		}
	}
	if want := slices.Sorted(maps.Keys(w.plain)); !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
}

func (w *writer) verifyVersions(t *testing.T, c *wire) {
	t.Helper()
	q := to("GET", "versioned", "", "versions", "", "prefix", w.prefix, "max-keys", "1000")
	got := map[string][]kept{}
	for more := true; more; {
		var p page
		check(t, xml.Unmarshal(c.must(t, q).body, &p))
		for _, e := range p.Entries {
			switch e.XMLName.Local {
			case "Version":
				got[e.Key] = append(got[e.Key], kept{e.ID, []byte{}})
			case "DeleteMarker":
				got[e.Key] = append(got[e.Key], kept{id: e.ID})
			}
		}
		more, q.query["key-marker"], q.query["version-id-marker"] = p.IsTruncated, p.NextKeyMarker, p.NextVersionIDMarker
	}
	keys := maps.Clone(got)
	maps.Copy(keys, w.versions)
	for key := range keys {
		list, want := got[key], w.versions[key]
		if l := w.last; l != nil && l.versioned && l.key == key {
			switch {
			case l.removed != "" && len(list) == len(want)-1:
				want = want[:len(want)-1]
			case l.removed == "" && len(list) == len(want)+1:
				want = slices.Insert(slices.Clone(want), 0, kept{list[0].id, l.data})
			}
			w.versions[key] = want
		}
		if len(list) != len(want) {
			t.Errorf("%s has %d versions, want %d; not answered: %.100v", key, len(list), len(want), w.last)
			continue
		}
		for i, v := range want {
			if list[i].id != v.id || (list[i].data == nil) != (v.data == nil) {
				t.Errorf("version %d of %s is %s, want %s", i, key, list[i].id, v.id)
				continue
			}
			if v.data == nil || i > 2 && i < len(want)-2 {
				continue // reading all of them each time would take long
			}
			if data := w.read(t, c, to("GET", "versioned", key, "versionId", v.id)); !bytes.Equal(data, v.data) {
				t.Errorf("version %s of %s holds %d bytes, want %d", v.id, key, len(data), len(v.data))
			}
		}
	}
}

func (w *writer) verifyUploads(t *testing.T, c *wire) {
	t.Helper()
	for id, u := range w.uploads {
		a, err := c.do(t.Context(), to("GET", "plain", u.key, "uploadId", id))
		check(t, err)
		l := w.last
		if a.code == "NoSuchUpload" && l != nil && l.upload == id && l.part == 0 {
			delete(w.uploads, id)
			continue
		}
		var doc struct {
			Part []struct {
				PartNumber int
				ETag       string
			}
		}
		if a.status != 200 || xml.Unmarshal(a.body, &doc) != nil {
			t.Errorf("upload %s: %d %s", id, a.status, a.code)
			continue
		}
		got := map[int]string{}
		for _, p := range doc.Part {
			got[p.PartNumber] = strings.Trim(p.ETag, `"`)
		}
		if l != nil && l.upload == id && l.part > 0 && got[l.part] == sum(l.data) {
			u.parts[l.part] = l.data
		}
		want := map[int]string{}
		for n, data := range u.parts {
			want[n] = sum(data)
		}
		if !maps.Equal(got, want) {
			t.Errorf("parts %v, want %v", got, want)
		}
	}
}

// TestKill kills the server while many clients write to it, repeatedly on the same folder.
// Every fourth time, a backup is in progress.
func TestKill(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	const clients = 16
	writers := make([]*writer, clients)
	for i := range writers {
		writers[i] = newWriter(i)
	}
	answered, backups := 0, 0
	kills := rounds(t, killsVariable, 3)
	for round := range kills {
		s := start(t, data)
		c := newWire(s)
		if round == 0 {
			makeBuckets(t, c)
		}
		verifyAll(t, c, writers)
		if t.Failed() {
			t.Fatalf("after kill %d\n%s", round, s.Log())
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var b *killedBackup
		if round%4 == 1 {
			b = beginBackup(t, s, c, round)
		}
		for _, w := range writers {
			wg.Go(func() {
				if err := w.write(ctx, c); err != nil {
					t.Error(err)
				}
			})
		}
		time.AfterFunc(20*time.Millisecond+rand.N(300*time.Millisecond), s.Kill)
		wg.Wait()
		cancel()
		c.client.CloseIdleConnections()
		s.Kill()
		if round%2 == 0 { // otherwise the server is the first to clean up
			inspect(t, data)
		}
		if b != nil && b.check(t) {
			backups++
		}
		if t.Failed() {
			t.Fatalf("at kill %d\n%s", round+1, s.Log())
		}
	}
	s := start(t, data)
	c := newWire(s)
	verifyAll(t, c, writers)
	c.client.CloseIdleConnections()
	check(t, s.Stop())
	for _, w := range writers {
		answered += w.completed
	}
	t.Logf("%d kills, %d answered requests, %d backups done before the kill: %v", kills, answered, backups, inspect(t, data))
}

// makeBuckets makes the buckets that writers use.
func makeBuckets(t *testing.T, c *wire) {
	t.Helper()
	c.must(t, to("PUT", "plain", ""))
	c.must(t, to("PUT", "versioned", ""))
	c.must(t, to("PUT", "versioned", "", "versioning", "").with([]byte("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")))
}

func verifyAll(t *testing.T, c *wire, writers []*writer) {
	t.Helper()
	for _, w := range writers {
		w.verify(t, c)
	}
}
