package store_test

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"pgregory.net/rapid"
)

// model is what a bucket should be: the specification, as simply as it can be
// written.
type model struct {
	versioning object.Versioning
	versions   map[string][]version // newest first
	uploads    map[string]*upload   // by id
	attributes map[string]object.Attributes
}

type version struct {
	object.Info
	data   string
	pieces []int // the sizes of its blobs
	report bool  // written by a run
}

func (m *model) nullAt(key string) int {
	return slices.IndexFunc(m.versions[key], func(v version) bool { return m.id(v) == object.NullVersion })
}

// id returns the id of a version, whatever the bucket shows of it.
func (m *model) id(v version) string {
	if v.VersionID == "" {
		return object.NullVersion
	}
	return v.VersionID
}

func (m *model) drop(key string, i int) {
	if m.versions[key] = slices.Delete(m.versions[key], i, i+1); len(m.versions[key]) == 0 {
		delete(m.versions, key)
	}
}

// add makes v the current version.
func (m *model) add(v version) {
	if m.versioning != object.Enabled {
		if i := m.nullAt(v.Key); i >= 0 {
			m.drop(v.Key, i)
		}
	}
	m.versions[v.Key] = slices.Insert(m.versions[v.Key], 0, v)
}

// find returns the index of a version in its key's list, -1 if it is missing.
func (m *model) find(key, id string) int {
	if id == "" {
		return min(len(m.versions[key]), 1) - 1
	}
	return slices.IndexFunc(m.versions[key], func(v version) bool { return m.id(v) == id })
}

// all lists the versions as the bucket shows them.
func (m *model) all(current bool) (list []version) {
	keys := make([]string, 0, len(m.versions))
	for key := range m.versions {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		for i, v := range m.versions[key] {
			if current && (i > 0 || v.IsDeleteMarker) {
				continue
			}
			v.IsLatest, v.VersionID = i == 0, m.id(v)
			if m.versioning == object.Unversioned {
				v.VersionID = ""
			}
			list = append(list, v)
		}
	}
	return list
}

// world is a store on a disk that can crash, and its model.
type world struct {
	t    *rapid.T
	fs   *vfs.MemFS
	s    *store.Store
	opts store.Options
	m    model
}

var (
	keys = rapid.OneOf(
		rapid.SampledFrom([]string{"a", "a/", "a/b", "a/b/c", "a/c", "a\x00", "a\x00\x01", "a\x01", "ab", "b", "b/", "b//", "猫", "😀", "a/\xff", "\xff\xff"}),
		rapid.StringMatching(`[ab/]{1,4}`),
	)
	prefixes   = rapid.SampledFrom([]string{"", "", "a", "a/", "a\x00", "b", "\xff", "zz"})
	delimiters = rapid.SampledFrom([]string{"", "/", "/", "b", "//", "\x00"})
)

// key draws a key, half of the time an existing one.
func (w *world) key(label string) string {
	if len(w.m.versions) > 0 && rapid.Bool().Draw(w.t, "known") {
		return rapid.SampledFrom(slices.Sorted(maps.Keys(w.m.versions))).Draw(w.t, label)
	}
	return keys.Draw(w.t, label)
}

func newWorld(t *rapid.T) *world { return newWorldWith(t, func(*store.Options) {}) }

// newWorldWith is newWorld with other options.
func newWorldWith(t *rapid.T, set func(*store.Options)) *world {
	w := &world{t: t, fs: vfs.NewCrashableMem(), m: model{
		versions: map[string][]version{}, uploads: map[string]*upload{}, attributes: map[string]object.Attributes{},
	}}
	w.opts = store.Options{InlineBytes: 64, CacheBytes: 1 << 20, Keys: keyring{}, Log: slog.New(slog.DiscardHandler)}
	set(&w.opts)
	w.open()
	if err := w.s.CreateBucket(t.Context(), by, object.Bucket{Name: "b", Owner: "1", ACL: stocktake.Private}, false); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) open() {
	w.opts.FS = w.fs
	s, err := store.Open(w.t.Context(), "data", w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
}

func (w *world) close() {
	if err := w.s.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// crash loses a part of what was not synced, and restarts.
func (w *world) crash(*rapid.T) {
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: rapid.SampledFrom([]int{0, 50, 100}).Draw(w.t, "unsynced")}
	cfg.RNG = rand.New(rand.NewPCG(rapid.Uint64().Draw(w.t, "seed"), 0))
	after := w.fs.CrashClone(cfg)
	w.close()
	w.fs = after
	w.open()
}

func (w *world) put(*rapid.T) {
	data := w.data()
	p := object.Put{Bucket: "b", Key: w.key("key"), Size: -1, Attributes: w.attributes()}
	p.ForbidOverwrite = rapid.Bool().Draw(w.t, "forbid")
	got, err := w.s.PutObject(w.t.Context(), by, p, strings.NewReader(data))
	if p.ForbidOverwrite && w.m.versioning == object.Unversioned && len(w.m.versions[p.Key]) > 0 {
		if !errors.Is(err, object.ErrFileExists) {
			w.t.Fatalf("put over %q: %v", p.Key, err)
		}
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if got.ETag.Sum != md5.Sum([]byte(data)) || !bytes.Equal(got.MD5, got.ETag.Sum[:]) {
		w.t.Fatalf("put returned %+v", got)
	}
	w.add(got, data, []int{len(data)}, &p.Attributes, stocktake.Normal)
}

func (w *world) deleteCurrent(*rapid.T) {
	key := w.key("key")
	did, err := w.s.Delete(w.t.Context(), by, object.Version{Bucket: "b", Key: key})
	if err != nil {
		w.t.Fatal(err)
	}
	switch w.m.versioning {
	case object.Unversioned:
		if did != (object.Deleted{}) {
			w.t.Fatalf("delete returned %+v", did)
		}
		delete(w.m.versions, key)
	case object.Suspended:
		if did != (object.Deleted{VersionID: object.NullVersion, DeleteMarker: true}) {
			w.t.Fatalf("delete returned %+v", did)
		}
	}
	if w.m.versioning != object.Unversioned {
		w.m.add(version{Info: object.Info{Key: key, VersionID: did.VersionID, IsDeleteMarker: true}})
	}
}

// anID draws the id of a version of key, mostly of an existing one.
func (w *world) anID(key string) string {
	ids := []string{object.NullVersion, "CAEQAAAAAAAAAAAAAAAA", "nonsense"}
	for _, v := range w.m.versions[key] {
		ids = append(ids, w.m.id(v), w.m.id(v))
	}
	return rapid.SampledFrom(ids).Draw(w.t, "id")
}

func (w *world) deleteVersion(*rapid.T) {
	key := w.key("key")
	id := w.anID(key)
	did, err := w.s.Delete(w.t.Context(), by, object.Version{Bucket: "b", Key: key, ID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	i := w.m.find(key, id)
	want := object.Deleted{VersionID: id}
	if w.m.versioning == object.Unversioned {
		want.VersionID = ""
	}
	if i >= 0 {
		want.DeleteMarker = w.m.versions[key][i].IsDeleteMarker
		w.m.drop(key, i)
	}
	if did != want {
		w.t.Fatalf("delete of %q %s returned %+v, want %+v", key, id, did, want)
	}
}

func (w *world) setVersioning(*rapid.T) {
	v := rapid.SampledFrom([]object.Versioning{object.Enabled, object.Suspended}).Draw(w.t, "versioning")
	if err := w.s.UpdateBucket(w.t.Context(), by, "b", func(b *object.Bucket) error {
		b.Versioning = v
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	w.m.versioning = v
}

// read opens one version.
func (w *world) read(*rapid.T) {
	v := object.Version{Bucket: "b", Key: w.key("key")}
	if rapid.Bool().Draw(w.t, "named") {
		v.ID = w.anID(v.Key)
	}
	info, c, err := w.s.Open(w.t.Context(), v)
	i := w.m.find(v.Key, v.ID)
	marker, isMarker := errors.AsType[*object.DeleteMarkerError](err)
	switch {
	case i < 0 && v.ID == "":
		if !errors.Is(err, object.ErrNoSuchKey) || isMarker {
			w.t.Fatalf("open %+v: %v", v, err)
		}
		return
	case i < 0:
		if !errors.Is(err, object.ErrNoSuchVersion) {
			w.t.Fatalf("open %+v: %v", v, err)
		}
		return
	}
	have := w.m.versions[v.Key][i]
	switch {
	case have.IsDeleteMarker && v.ID == "":
		if !isMarker || marker.VersionID != w.m.id(have) || !errors.Is(err, object.ErrNoSuchKey) {
			w.t.Fatalf("open %+v: %v", v, err)
		}
		return
	case have.IsDeleteMarker:
		if !errors.Is(err, object.ErrMethodNotAllowed) {
			w.t.Fatalf("open %+v: %v", v, err)
		}
		return
	case err != nil:
		w.t.Fatalf("open %+v: %v", v, err)
	}
	defer c.Close()
	off := rapid.Int64Range(0, info.Size).Draw(w.t, "from")
	n := rapid.Int64Range(0, info.Size-off).Draw(w.t, "length")
	r, err := c.Range(off, n)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || string(data) != have.data[off:off+n] || info.IsLatest != (i == 0) {
		w.t.Fatalf("open %+v: %+v, %q from %d, want %q: %v", v, info, data, off, have.data[off:off+n], err)
	}
}

// list compares a listing, made of pages of one size.
func (w *world) list(*rapid.T) {
	q := object.ListQuery{
		Bucket: "b", Prefix: prefixes.Draw(w.t, "prefix"), Delimiter: delimiters.Draw(w.t, "delimiter"),
		Versions: rapid.Bool().Draw(w.t, "versions"), Max: rapid.IntRange(1, 5).Draw(w.t, "max"),
	}
	if rapid.Bool().Draw(w.t, "after") {
		q.After = keys.Draw(w.t, "after key")
	}
	want := w.wantList(q)
	var got []string
	for {
		page, err := w.s.List(w.t.Context(), q)
		if err != nil {
			w.t.Fatal(err)
		}
		n := len(page.Entries) + len(page.CommonPrefixes)
		if n > q.Max || page.Truncated && n < q.Max {
			w.t.Fatalf("page of %d, asked for %d, truncated %v", n, q.Max, page.Truncated)
		}
		got = append(got, merged(page)...)
		if !page.Truncated {
			break
		}
		q.After, q.AfterVersion = page.NextAfter, page.NextAfterVersion
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.t.Fatalf("list %+v (-want +got):\n%s", q, diff)
	}
}

// merged returns the entries and common prefixes of a page in order.
func merged(page object.Listing) (list []string) {
	for i, p := range page.CommonPrefixes {
		if i > 0 && p <= page.CommonPrefixes[i-1] {
			list = append(list, "out of order")
		}
	}
	prefixes := page.CommonPrefixes
	for _, e := range page.Entries {
		for len(prefixes) > 0 && prefixes[0] < e.Key {
			list, prefixes = append(list, prefixes[0]+"..."), prefixes[1:]
		}
		list = append(list, show(e))
	}
	for _, p := range prefixes {
		list = append(list, p+"...")
	}
	return list
}

func show(e object.Info) string {
	return fmt.Sprintf("%q %s latest=%v marker=%v size=%d", e.Key, e.VersionID, e.IsLatest, e.IsDeleteMarker, e.Size)
}

func (w *world) wantList(q object.ListQuery) (list []string) {
	last := ""
	for _, v := range w.m.all(!q.Versions) {
		rest, ok := strings.CutPrefix(v.Key, q.Prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, q.Delimiter); q.Delimiter != "" && i >= 0 {
			group := q.Prefix + rest[:i+len(q.Delimiter)]
			if group > q.After && group+"..." != last {
				last = group + "..."
				list = append(list, last)
			}
			continue
		}
		if v.Key > q.After {
			last = show(v.Info)
			list = append(list, last)
		}
	}
	return list
}

// scan compares a snapshot, cut at random keys.
func (w *world) scan(*rapid.T) {
	sn, err := w.s.Source().Snapshot(w.t.Context(), "b")
	if err != nil {
		w.t.Fatal(err)
	}
	defer sn.Close()
	versions := rapid.Bool().Draw(w.t, "versions")
	want := w.m.all(!versions)
	prefix := prefixes.Draw(w.t, "prefix")
	want = slices.DeleteFunc(want, func(v version) bool { return !strings.HasPrefix(v.Key, prefix) })
	cuts := append(rapid.SliceOfN(keys, 0, 3).Draw(w.t, "cuts"), "")
	slices.Sort(cuts)
	var got []version
	for i, from := range cuts {
		to := ""
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		if from == to && from != "" {
			continue
		}
		if i+1 < len(cuts) && to == "" {
			continue
		}
		err := sn.Scan(w.t.Context(), engine.Segment{Prefix: prefix, From: from, To: to}, versions, func(batch []stocktake.Record) error {
			if len(batch) == 0 {
				w.t.Fatal("empty batch")
			}
			for _, r := range batch {
				v := version{Info: object.Info{Key: string(r.Key), VersionID: string(r.VersionID), IsLatest: r.IsLatest, IsDeleteMarker: r.IsDeleteMarker}}
				if !r.IsDeleteMarker {
					v.Size, v.StorageClass, v.CRC64 = r.Size, r.StorageClass, r.CRC64
					v.ETag = stocktake.ETag{Sum: r.ETag.Sum, Parts: r.ETag.Parts, Text: bytes.Clone(r.ETag.Text)}
				}
				got = append(got, v)
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	for i := range want {
		v := &want[i]
		*v = version{Info: object.Info{
			Key: v.Key, VersionID: v.VersionID, IsLatest: v.IsLatest, IsDeleteMarker: v.IsDeleteMarker,
			Size: v.Size, StorageClass: v.StorageClass, CRC64: v.CRC64, ETag: v.ETag,
		}}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(version{}), cmpopts.EquateEmpty()); diff != "" {
		w.t.Fatalf("scan of %q at %q (-want +got):\n%s", prefix, cuts, diff)
	}
}

// check compares the statistics, and checks that no unreferenced file is left.
func (w *world) check(*rapid.T) {
	var want object.BucketStat
	files := 0
	for _, v := range w.m.all(false) {
		if v.IsDeleteMarker {
			want.DeleteMarkers++
			continue
		}
		want.Objects[v.StorageClass]++
		want.Bytes[v.StorageClass] += v.Size
		files += w.files(v.pieces)
	}
	for _, u := range w.m.uploads {
		want.Uploads++
		for _, data := range u.parts {
			files += w.files([]int{len(data)})
		}
	}
	got, err := w.s.BucketStat(w.t.Context(), "b")
	got.LastModified = want.LastModified
	if err != nil || got != want {
		w.t.Fatalf("statistics %+v, want %+v: %v", got, want, err)
	}
	w.s.Settle()
	if have := len(memFiles(w.t, w.fs, "data/blobs")) + len(memFiles(w.t, w.fs, "data/tmp")); have != files {
		w.t.Fatalf("%d blob files, want %d", have, files)
	}
}

// files returns how many files blobs of these sizes take.
func (w *world) files(sizes []int) (n int) {
	for _, size := range sizes {
		if size > w.opts.InlineBytes {
			n++
		}
	}
	return n
}

// memFiles returns the files below dir.
func memFiles(t rapid.TB, fs vfs.FS, dir string) (files []string) {
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names) // their order is not defined
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		switch {
		case err != nil:
			t.Fatal(err)
		case info.IsDir():
			files = append(files, memFiles(t, fs, path)...)
		default:
			files = append(files, path)
		}
	}
	return files
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		defer w.close()
		t.Repeat(map[string]func(*rapid.T){
			"put": w.put, "put again": w.put, "delete": w.deleteCurrent, "delete version": w.deleteVersion,
			"copy": w.copyObject, "update": w.update, "symlink": w.symlink, "append": w.append, "append again": w.append, "seal": w.sealObject,
			"initiate": w.initiate, "part": w.uploadPart, "part again": w.uploadPart, "part copy": w.uploadPartCopy,
			"complete": w.complete, "multipart": w.multipart, "multipart again": w.multipart, "abort": w.abort, "list uploads": w.listUploads,
			"versioning": w.setVersioning, "read": w.read, "list": w.list, "scan": w.scan, "crash": w.crash, "": w.check,
		})
	})
}
