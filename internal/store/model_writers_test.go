package store_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc64"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/object"
	"pgregory.net/rapid"
)

// keyring has a key that is not secret.
type keyring struct{}

func (keyring) Wrap(_ context.Context, _ string, e object.Encryption, key []byte) (object.Encryption, []byte, error) {
	if e.Algorithm == "KMS" && e.KeyID == "" {
		e.KeyID = "default"
	}
	return e, append([]byte(e.KeyID+"|"), key...), nil
}

func (keyring) Unwrap(_ context.Context, e object.Encryption, wrapped []byte) ([]byte, error) {
	id, key, _ := bytes.Cut(wrapped, []byte("|"))
	if string(id) != e.KeyID {
		return nil, object.ErrKMSKey
	}
	return key, nil
}

// upload is an unfinished upload of the model.
type upload struct {
	object.Upload
	parts map[int]string
}

func (w *world) attributes() (a object.Attributes) {
	class := stocktake.StorageClass(rapid.IntRange(0, stocktake.NumStorageClasses-1).Draw(w.t, "class"))
	a.StorageClass = &class
	if rapid.Bool().Draw(w.t, "encrypted") {
		a.Encryption = &object.Encryption{Algorithm: "KMS"}
	}
	a.Tags = []object.Tag{{Key: "k", Value: class.String()}}
	a.Headers.ContentType = "text/" + class.String()
	return a
}

func (w *world) data() string {
	size := rapid.SampledFrom([]int{0, 1, 64, 65, 200}).Draw(w.t, "size")
	return strings.Repeat(string(rune('a'+rapid.IntRange(0, 25).Draw(w.t, "byte"))), size)
}

// add puts the result of a write into the model, after comparing it with what was
// expected.
func (w *world) add(got object.Info, data string, pieces []int, a *object.Attributes, kind stocktake.ObjectType) {
	want := object.Info{
		Key: got.Key, VersionID: got.VersionID, IsLatest: true, Size: int64(len(data)), ETag: got.ETag, MD5: got.MD5,
		CRC64: crc64.Checksum([]byte(data), crc64.MakeTable(crc64.ECMA)), LastModified: got.LastModified, Type: kind,
		Parts: got.Parts, StorageClass: *a.StorageClass, Headers: a.Headers, Tags: a.Tags, Symlink: got.Symlink,
	}
	if a.Encryption != nil && kind != stocktake.Symlink {
		want.Encryption = object.Encryption{Algorithm: "KMS", KeyID: "default"}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.t.Fatalf("made (-want +got):\n%s", diff)
	}
	if w.m.versioning == object.Unversioned && got.VersionID != "" || w.m.versioning == object.Suspended && got.VersionID != object.NullVersion {
		w.t.Fatalf("version id %q", got.VersionID)
	}
	w.m.add(version{Info: got, data: data, pieces: pieces})
}

func (w *world) copyObject(*rapid.T) {
	src := object.Version{Bucket: "b", Key: w.key("source")}
	if rapid.Bool().Draw(w.t, "named") {
		src.ID = w.anID(src.Key)
	}
	p := object.Put{Bucket: "b", Key: w.key("key"), Attributes: w.attributes()}
	i := w.m.find(src.Key, src.ID)
	refuse := errors.New("refused")
	refused := rapid.IntRange(0, 9).Draw(w.t, "refused") == 0
	_, got, err := w.s.CopyObject(w.t.Context(), by, src, p, func(info object.Info, p *object.Put) error {
		if have := w.m.versions[src.Key][i]; info.Size != have.Size || info.ETag.String() != have.ETag.String() {
			w.t.Fatalf("copy of %+v, want %+v", info, have)
		}
		if refused {
			return refuse
		}
		p.Tags = append(p.Tags, object.Tag{Key: "copied"})
		return nil
	})
	switch {
	case i < 0 && src.ID == "":
		if !errors.Is(err, object.ErrNoSuchKey) {
			w.t.Fatal(err)
		}
		return
	case i < 0:
		if !errors.Is(err, object.ErrNoSuchVersion) {
			w.t.Fatal(err)
		}
		return
	}
	have := w.m.versions[src.Key][i]
	switch {
	case have.IsDeleteMarker:
		if !errors.Is(err, object.ErrNoSuchKey) && !errors.Is(err, object.ErrMethodNotAllowed) {
			w.t.Fatal(err)
		}
		return
	case refused:
		if err != refuse {
			w.t.Fatal(err)
		}
		return
	case have.StorageClass >= stocktake.Archive && have.Type != stocktake.Symlink:
		if err != object.ErrNotRestored {
			w.t.Fatal(err)
		}
		return
	case err != nil:
		w.t.Fatal(err)
	}
	p.Tags = append(p.Tags, object.Tag{Key: "copied"})
	kind := stocktake.Normal
	if have.Type == stocktake.Symlink {
		kind = stocktake.Symlink
		if got.Symlink != have.Symlink || got.ETag.String() != have.ETag.String() {
			w.t.Fatalf("copied link %+v, want %+v", got, have)
		}
	} else if got.ETag.Sum != md5.Sum([]byte(have.data)) || !bytes.Equal(got.MD5, got.ETag.Sum[:]) {
		w.t.Fatalf("copied %+v", got)
	}
	w.add(got, have.data, []int{len(have.data)}, &p.Attributes, kind)
}

func (w *world) update(*rapid.T) {
	key := w.key("key")
	id := w.anID(key)
	i := w.m.find(key, id)
	class := stocktake.StorageClass(rapid.IntRange(0, stocktake.NumStorageClasses-1).Draw(w.t, "class"))
	change := func(info *object.Info) error {
		info.ACL, info.StorageClass = stocktake.PublicRead, class
		info.Tags = []object.Tag{{Key: "updated"}}
		info.TransitionTime = time.Unix(1, 0).UTC()
		info.Restore.Requested = time.Unix(2, 0).UTC()
		return nil
	}
	got, err := w.s.UpdateObject(w.t.Context(), by, object.Version{Bucket: "b", Key: key, ID: id}, func(info *object.Info) error {
		info.Size, info.Key = 1<<40, "not kept"
		return change(info)
	})
	if i < 0 || w.m.versions[key][i].IsDeleteMarker {
		if !errors.Is(err, object.ErrNoSuchVersion) && !errors.Is(err, object.ErrMethodNotAllowed) {
			w.t.Fatal(err)
		}
		return
	}
	v := &w.m.versions[key][i]
	_ = change(&v.Info)
	want := v.Info
	want.VersionID, want.IsLatest = got.VersionID, i == 0
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		w.t.Fatalf("update: %v (-want +got):\n%s", err, diff)
	}
}

func (w *world) symlink(*rapid.T) {
	p := object.Put{Bucket: "b", Key: w.key("key"), Attributes: w.attributes()}
	got, err := w.s.PutSymlink(w.t.Context(), by, p, "target")
	if err != nil || got.Symlink != "target" {
		w.t.Fatalf("%+v: %v", got, err)
	}
	w.add(got, "", nil, &p.Attributes, stocktake.Symlink)
}

// append appends, mostly at the end of the object.
func (w *world) append(*rapid.T) {
	p := object.Put{Bucket: "b", Key: w.key("key"), Attributes: w.attributes(), Size: -1}
	for key, versions := range w.m.versions {
		if len(key) < 3 && versions[0].Type == stocktake.Appendable && rapid.Bool().Draw(w.t, "again") {
			p.Key = key
			break
		}
	}
	have, exists := version{}, false
	if v := w.m.versions[p.Key]; len(v) > 0 && !v[0].IsDeleteMarker {
		have, exists = v[0], true
	}
	position := have.Size
	if rapid.IntRange(0, 9).Draw(w.t, "misplaced") == 0 {
		position++
	}
	data := w.data()
	got, err := w.s.AppendObject(w.t.Context(), by, p, position, strings.NewReader(data))
	wrong, isPosition := errors.AsType[*object.PositionError](err)
	switch {
	case exists && have.Type != stocktake.Appendable:
		if err != object.ErrNotAppendable {
			w.t.Fatal(err)
		}
		return
	case exists && have.Sealed:
		if err != object.ErrSealed {
			w.t.Fatal(err)
		}
		return
	case position != have.Size:
		if !isPosition || wrong.Length != have.Size {
			w.t.Fatal(err)
		}
		return
	case err != nil:
		w.t.Fatal(err)
	case !exists:
		w.add(got, data, []int{len(data)}, &p.Attributes, stocktake.Appendable)
		return
	}
	v := &w.m.versions[p.Key][0]
	v.data += data
	want := v.Info
	want.Size, want.CRC64 = int64(len(v.data)), crc64.Checksum([]byte(v.data), crc64.MakeTable(crc64.ECMA))
	want.VersionID, want.IsLatest, want.ETag, want.LastModified = got.VersionID, true, got.ETag, got.LastModified
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || got.ETag.String() == v.ETag.String() {
		w.t.Fatalf("append, ETag before %s (-want +got):\n%s", v.ETag, diff)
	}
	id := v.VersionID
	v.Info, v.pieces = got, []int{len(v.data)}
	v.VersionID = id
}

func (w *world) sealObject(*rapid.T) {
	key := w.key("key")
	versions := w.m.versions[key]
	var position int64
	if len(versions) > 0 {
		position = versions[0].Size
	}
	got, err := w.s.SealAppendObject(w.t.Context(), by, "b", key, position)
	switch {
	case len(versions) == 0 || versions[0].IsDeleteMarker:
		if !errors.Is(err, object.ErrNoSuchKey) {
			w.t.Fatal(err)
		}
	case versions[0].Type != stocktake.Appendable:
		if err != object.ErrNotAppendable {
			w.t.Fatal(err)
		}
	case err != nil || !got.Sealed:
		w.t.Fatalf("%+v: %v", got, err)
	default:
		versions[0].Sealed = true
	}
}

func (w *world) initiate(*rapid.T) {
	p := object.Put{Bucket: "b", Key: w.key("key"), Attributes: w.attributes()}
	got, err := w.s.InitiateUpload(w.t.Context(), by, p)
	if err != nil || w.m.uploads[got.ID] != nil {
		w.t.Fatalf("%+v: %v", got, err)
	}
	w.m.uploads[got.ID] = &upload{got, map[int]string{}}
	w.m.attributes[got.ID] = p.Attributes
}

// anUpload draws an upload, mostly an existing one.
func (w *world) anUpload() (object.UploadID, *upload) {
	ids := slices.Sorted(maps.Keys(w.m.uploads))
	ids = append(ids, "0123456789ABCDEF0123456789ABCDEF", "nonsense")
	id := rapid.SampledFrom(ids).Draw(w.t, "upload")
	u := w.m.uploads[id]
	if u == nil {
		return object.UploadID{Bucket: "b", Key: "a", ID: id}, nil
	}
	if rapid.IntRange(0, 9).Draw(w.t, "wrong key") == 0 {
		return object.UploadID{Bucket: "b", Key: u.Key + "x", ID: id}, nil
	}
	return object.UploadID{Bucket: "b", Key: u.Key, ID: id}, u
}

func (w *world) uploadPart(*rapid.T) {
	id, u := w.anUpload()
	number := rapid.IntRange(1, 4).Draw(w.t, "number")
	data := w.data()
	if rapid.Bool().Draw(w.t, "large") {
		data = strings.Repeat(data+"x", object.MinPartSize/(len(data)+1)+1)
	}
	got, err := w.s.UploadPart(w.t.Context(), by, id, number, object.Put{Size: int64(len(data))}, strings.NewReader(data))
	if u == nil {
		if err != object.ErrNoSuchUpload {
			w.t.Fatal(err)
		}
		return
	}
	if err != nil || got.Number != number || got.Size != int64(len(data)) || got.MD5 != md5.Sum([]byte(data)) {
		w.t.Fatalf("%+v: %v", got, err)
	}
	u.parts[number] = data
}

func (w *world) uploadPartCopy(*rapid.T) {
	id, u := w.anUpload()
	key := w.key("source")
	number := rapid.IntRange(1, 4).Draw(w.t, "number")
	var data string
	readable := false
	if v := w.m.versions[key]; len(v) > 0 && !v[0].IsDeleteMarker && (v[0].StorageClass < stocktake.Archive || v[0].Type == stocktake.Symlink) {
		data, readable = v[0].data, true
	}
	off, n := int64(0), int64(-1)
	if rapid.Bool().Draw(w.t, "range") {
		off = int64(len(data) / 3)
		n = int64(len(data) / 2)
		data = data[off : off+n]
	}
	_, got, err := w.s.UploadPartCopy(w.t.Context(), by, id, number, object.Version{Bucket: "b", Key: key}, off, n, nil)
	switch {
	case u == nil:
		if err != object.ErrNoSuchUpload {
			w.t.Fatal(err)
		}
	case !readable:
		if !errors.Is(err, object.ErrNoSuchKey) && err != object.ErrNotRestored {
			w.t.Fatal(err)
		}
	case err != nil || got.Size != int64(len(data)) || got.MD5 != md5.Sum([]byte(data)):
		w.t.Fatalf("%+v: %v", got, err)
	default:
		u.parts[number] = data
	}
}

func (w *world) complete(*rapid.T) {
	id, u := w.anUpload()
	var numbers []int
	if u != nil {
		numbers = slices.Sorted(maps.Keys(u.parts))
	}
	var wanted []object.CompletedPart
	var wantErr error
	if rapid.Bool().Draw(w.t, "listed") {
		wanted = []object.CompletedPart{}
		numbers = slices.DeleteFunc(numbers, func(int) bool { return rapid.IntRange(0, 4).Draw(w.t, "leave out") == 0 })
		for _, n := range numbers {
			sum := md5.Sum([]byte(u.parts[n]))
			wanted = append(wanted, object.CompletedPart{Number: n, ETag: hex.EncodeToString(sum[:])})
		}
		switch rapid.IntRange(0, 9).Draw(w.t, "mistake") {
		case 0:
			wanted = append(wanted, object.CompletedPart{Number: 9, ETag: "none"})
			wantErr = object.ErrInvalidPart
		case 1:
			if len(wanted) > 1 {
				slices.Reverse(wanted)
				wantErr = object.ErrInvalidPartOrder
			}
		}
	}
	var data string
	var sums []byte
	var pieces []int
	for i, n := range numbers {
		part := u.parts[n]
		if len(part) < object.MinPartSize && i < len(numbers)-1 && wantErr == nil {
			wantErr = object.ErrPartTooSmall
		}
		sum := md5.Sum([]byte(part))
		sums = append(sums, strings.ToUpper(hex.EncodeToString(sum[:]))...)
		data += part
		pieces = append(pieces, len(part))
	}
	if len(numbers) == 0 && (wanted == nil || u != nil && len(u.parts) > 0) {
		wantErr = object.ErrInvalidPart
	}
	if u == nil {
		wantErr = object.ErrNoSuchUpload
	}
	got, err := w.s.CompleteUpload(w.t.Context(), by, id, object.Completion{Parts: wanted})
	if wantErr != nil {
		// Of two mistakes, either may be reported first.
		if err == nil || !errors.Is(err, wantErr) && !errors.Is(err, object.ErrInvalidPart) {
			w.t.Fatalf("complete %v: %v, want %v", wanted, err, wantErr)
		}
		return
	}
	if err != nil || got.ETag.Sum != md5.Sum(sums) || int(got.ETag.Parts) != len(numbers) || got.Parts != len(numbers) || got.MD5 != nil {
		w.t.Fatalf("complete: %+v: %v", got, err)
	}
	a := w.m.attributes[id.ID]
	delete(w.m.uploads, id.ID)
	w.add(got, data, pieces, &a, stocktake.Multipart)
}

// multipart makes an object of several blobs.
func (w *world) multipart(*rapid.T) {
	p := object.Put{Bucket: "b", Key: w.key("key"), Attributes: w.attributes()}
	u, err := w.s.InitiateUpload(w.t.Context(), by, p)
	if err != nil {
		w.t.Fatal(err)
	}
	id := object.UploadID{Bucket: "b", Key: p.Key, ID: u.ID}
	var data string
	var pieces []int
	for n := range rapid.IntRange(1, 3).Draw(w.t, "large parts") {
		pieces = append(pieces, object.MinPartSize+n)
	}
	pieces = append(pieces, rapid.SampledFrom([]int{0, 1, 64, 65}).Draw(w.t, "last part"))
	for n, size := range pieces {
		part := strings.Repeat(string(rune('a'+n)), size)
		if _, err := w.s.UploadPart(w.t.Context(), by, id, n+1, object.Put{Size: -1}, strings.NewReader(part)); err != nil {
			w.t.Fatal(err)
		}
		data += part
	}
	got, err := w.s.CompleteUpload(w.t.Context(), by, id, object.Completion{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.add(got, data, pieces, &p.Attributes, stocktake.Multipart)
}

func (w *world) abort(*rapid.T) {
	id, u := w.anUpload()
	err := w.s.AbortUpload(w.t.Context(), by, id)
	if u == nil {
		if err != object.ErrNoSuchUpload {
			w.t.Fatal(err)
		}
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	delete(w.m.uploads, id.ID)
}

// listUploads compares the uploads, and the parts of one.
func (w *world) listUploads(*rapid.T) {
	q := object.UploadQuery{Bucket: "b", Prefix: prefixes.Draw(w.t, "prefix"), Delimiter: delimiters.Draw(w.t, "delimiter"), Max: rapid.IntRange(1, 3).Draw(w.t, "max")}
	var all []object.Upload
	for _, u := range w.m.uploads {
		all = append(all, u.Upload)
	}
	slices.SortFunc(all, func(a, b object.Upload) int { return strings.Compare(a.Key+"\x00"+a.ID, b.Key+"\x00"+b.ID) })
	var want, got []string
	for _, u := range all {
		rest, ok := strings.CutPrefix(u.Key, q.Prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, q.Delimiter); q.Delimiter != "" && i >= 0 {
			want = append(want, q.Prefix+rest[:i+len(q.Delimiter)]+"...")
			continue
		}
		want = append(want, fmt.Sprintf("%q %s %s", u.Key, u.ID, u.StorageClass))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for {
		page, err := w.s.UploadList(w.t.Context(), q)
		if err != nil || len(page.Uploads)+len(page.CommonPrefixes) > q.Max {
			w.t.Fatal(page, err)
		}
		for _, p := range page.CommonPrefixes {
			got = append(got, p+"...")
		}
		for _, u := range page.Uploads {
			got = append(got, fmt.Sprintf("%q %s %s", u.Key, u.ID, u.StorageClass))
		}
		if !page.Truncated {
			break
		}
		q.After, q.AfterUpload = page.NextAfter, page.NextAfterUpload
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.t.Fatalf("uploads %+v (-want +got):\n%s", q, diff)
	}
	w.listParts()
}

func (w *world) listParts() {
	id, u := w.anUpload()
	after := 0
	limit := rapid.IntRange(1, 3).Draw(w.t, "limit")
	var got []int
	for {
		up, parts, more, err := w.s.Parts(w.t.Context(), id, after, limit)
		if u == nil {
			if err != object.ErrNoSuchUpload {
				w.t.Fatal(err)
			}
			return
		}
		if err != nil || !reflect.DeepEqual(up, u.Upload) || len(parts) > limit {
			w.t.Fatalf("%+v, want %+v: %v", up, u.Upload, err)
		}
		for _, p := range parts {
			if p.MD5 != md5.Sum([]byte(u.parts[p.Number])) {
				w.t.Fatalf("%+v", p)
			}
			got = append(got, p.Number)
			after = p.Number
		}
		if !more {
			break
		}
	}
	if want := slices.Sorted(maps.Keys(u.parts)); !slices.Equal(got, want) {
		w.t.Fatalf("parts %v, want %v", got, want)
	}
}

// writeReport writes an object as a run does.
func (w *world) writeReport(*rapid.T) {
	key, data := w.key("key"), w.data()
	f, err := w.s.Destination("b", by).Create(w.t.Context(), key, engine.FileOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Abort()
	if _, err := f.Write([]byte(data)); err != nil {
		w.t.Fatal(err)
	}
	if err := f.Commit(w.t.Context(), md5.Sum([]byte(data))); err != nil {
		w.t.Fatal(err)
	}
	info, err := w.s.Head(w.t.Context(), object.Version{Bucket: "b", Key: key})
	if err != nil {
		w.t.Fatal(err)
	}
	w.m.add(version{Info: info, data: data, pieces: []int{len(data)}, report: true})
}

// removeReport removes what runs have written under a key.
func (w *world) removeReport(*rapid.T) {
	key := w.key("key")
	if err := w.s.Destination("b", by).Remove(w.t.Context(), key); err != nil {
		w.t.Fatal(err)
	}
	for i := len(w.m.versions[key]) - 1; i >= 0; i-- {
		if w.m.versioning == object.Unversioned || w.m.versions[key][i].report {
			w.m.drop(key, i)
		}
	}
}
