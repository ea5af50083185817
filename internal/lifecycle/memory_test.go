package lifecycle_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
)

// A memory is a lifecycle.Store of one account in memory: buckets as OSS has
// them, without bytes.
type memory struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]*memoryBucket
	made    int // versions

	// before is called before every operation, without the lock; its error becomes
	// the error of the operation.
	before func(op, bucket, key string) error
}

type memoryBucket struct {
	object.Bucket
	versions []object.Info // key ascending, newest first; IsLatest is not kept
	uploads  []memoryUpload
}

type memoryUpload struct {
	object.Upload
	parts []object.Part
}

const account = "1000000000000000"

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, buckets: map[string]*memoryBucket{}, before: func(string, string, string) error { return nil }}
}

func (m *memory) bucket(name string, versioning object.Versioning, rules ...object.LifecycleRule) *memoryBucket {
	b := &memoryBucket{Bucket: object.Bucket{Name: name, Owner: account, Versioning: versioning, Lifecycle: &object.Lifecycle{Rules: rules}}}
	m.buckets[name] = b
	return b
}

// enter begins an operation.
func (m *memory) enter(op, bucket, key string) (*memoryBucket, error) {
	if err := m.before(op, bucket, key); err != nil {
		return nil, err
	}
	m.mu.Lock()
	b := m.buckets[bucket]
	if b == nil {
		m.mu.Unlock()
		return nil, stocktake.ErrNoSuchBucket
	}
	return b, nil
}

func (m *memory) put(bucket, key string, fill ...func(*object.Info)) object.Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := object.Info{Key: key, Size: 1, LastModified: m.now()}
	for _, f := range fill {
		f(&v)
	}
	return m.add(m.buckets[bucket], v)
}

// add makes v the current version of its key.
func (m *memory) add(b *memoryBucket, v object.Info) object.Info {
	m.made++
	v.VersionID = fmt.Sprintf("v%09d", m.made)
	v.Parts = m.made // marks a place in a listing, whatever happens to the version
	if b.Versioning != object.Enabled {
		v.VersionID = object.NullVersion
		b.versions = slices.DeleteFunc(b.versions, func(o object.Info) bool { return o.Key == v.Key && o.VersionID == object.NullVersion })
	}
	i, _ := slices.BinarySearchFunc(b.versions, v.Key, func(o object.Info, key string) int { return strings.Compare(o.Key, key) })
	b.versions = slices.Insert(b.versions, i, v)
	return b.published(i)
}

// published returns the i-th version as callers see it.
func (b *memoryBucket) published(i int) object.Info {
	v := b.versions[i]
	v.IsLatest = i == 0 || b.versions[i-1].Key != v.Key
	if b.Versioning == object.Unversioned {
		v.VersionID = ""
	}
	return v
}

// find returns the place of a version.
func (b *memoryBucket) find(v object.Version) (int, error) {
	id := v.ID
	if b.Versioning == object.Unversioned && id == "" {
		id = object.NullVersion
	}
	i := slices.IndexFunc(b.versions, func(o object.Info) bool { return o.Key == v.Key && (id == "" || o.VersionID == id) })
	switch {
	case i >= 0:
		return i, nil
	case v.ID == "":
		return 0, object.ErrNoSuchKey
	}
	return 0, object.ErrNoSuchVersion
}

func (m *memory) Bucket(_ context.Context, name string) (object.Bucket, error) {
	b, err := m.enter("Bucket", name, "")
	if err != nil {
		return object.Bucket{}, err
	}
	defer m.mu.Unlock()
	return b.Bucket, nil
}

func (m *memory) Buckets(_ context.Context, owner, _, after string, limit int) (page []object.Bucket, more bool, err error) {
	if err := m.before("Buckets", "", ""); err != nil {
		return nil, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.buckets {
		if b.Owner == owner && b.Name > after {
			page = append(page, b.Bucket)
		}
	}
	slices.SortFunc(page, func(a, b object.Bucket) int { return cmp.Compare(a.Name, b.Name) })
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}

func (m *memory) List(_ context.Context, q object.ListQuery) (l object.Listing, err error) {
	b, err := m.enter("List", q.Bucket, q.Prefix)
	if err != nil {
		return l, err
	}
	defer m.mu.Unlock()
	for i := range b.versions {
		v := b.published(i)
		past := v.Key > q.After || v.Key == q.After && q.AfterVersion != "" && fmt.Sprintf("%09d", v.Parts) < q.AfterVersion
		if !past && q.After != "" || !strings.HasPrefix(v.Key, q.Prefix) {
			continue
		}
		if len(l.Entries) == q.Max {
			last := l.Entries[q.Max-1]
			l.Truncated, l.NextAfter, l.NextAfterVersion = true, last.Key, fmt.Sprintf("%09d", last.Parts)
			break
		}
		v.Tags = nil // a listing has none
		l.Entries = append(l.Entries, v)
	}
	return l, nil
}

func (m *memory) Head(_ context.Context, v object.Version) (object.Info, error) {
	b, err := m.enter("Head", v.Bucket, v.Key)
	if err != nil {
		return object.Info{}, err
	}
	defer m.mu.Unlock()
	i, err := b.find(v)
	if err == nil && b.versions[i].IsDeleteMarker {
		err = object.ErrMethodNotAllowed
	}
	if err != nil {
		return object.Info{}, err
	}
	return b.published(i), nil
}

func (m *memory) UpdateObject(_ context.Context, _ object.Origin, v object.Version, update func(*object.Info) error) (object.Info, error) {
	b, err := m.enter("UpdateObject", v.Bucket, v.Key)
	if err != nil {
		return object.Info{}, err
	}
	defer m.mu.Unlock()
	i, err := b.find(v)
	if err != nil {
		return object.Info{}, err
	}
	info := b.published(i)
	if info.IsDeleteMarker {
		return object.Info{}, object.ErrMethodNotAllowed
	}
	if err := update(&info); err != nil {
		return object.Info{}, err
	}
	b.versions[i].StorageClass, b.versions[i].TransitionTime = info.StorageClass, info.TransitionTime
	return info, nil
}

func (m *memory) DeleteIf(_ context.Context, _ object.Origin, v object.Version, check func(object.Info) error) (object.Deleted, error) {
	b, err := m.enter("DeleteIf", v.Bucket, v.Key)
	if err != nil {
		return object.Deleted{}, err
	}
	defer m.mu.Unlock()
	i, err := b.find(v)
	if err == nil {
		err = check(b.published(i))
	}
	if err != nil {
		return object.Deleted{}, err
	}
	if v.ID == "" && b.Versioning != object.Unversioned {
		made := m.add(b, object.Info{Key: v.Key, IsDeleteMarker: true, LastModified: m.now()})
		return object.Deleted{VersionID: made.VersionID, DeleteMarker: true}, nil
	}
	b.versions = slices.Delete(b.versions, i, i+1)
	return object.Deleted{}, nil
}

func (m *memory) UploadList(_ context.Context, q object.UploadQuery) (l object.UploadListing, err error) {
	b, err := m.enter("UploadList", q.Bucket, q.Prefix)
	if err != nil {
		return l, err
	}
	defer m.mu.Unlock()
	for _, u := range b.uploads {
		past := u.Key > q.After || u.Key == q.After && u.ID > q.AfterUpload
		if !past && q.After != "" || !strings.HasPrefix(u.Key, q.Prefix) {
			continue
		}
		if len(l.Uploads) == q.Max {
			last := l.Uploads[q.Max-1]
			l.Truncated, l.NextAfter, l.NextAfterUpload = true, last.Key, last.ID
			break
		}
		l.Uploads = append(l.Uploads, u.Upload)
	}
	return l, nil
}

// upload begins an upload whose parts are of those times.
func (m *memory) upload(bucket, key string, initiated time.Time, parts ...time.Time) string {
	b := m.buckets[bucket]
	m.made++
	u := memoryUpload{Upload: object.Upload{ID: fmt.Sprintf("%032X", m.made), Key: key, Initiated: initiated}}
	for i, t := range parts {
		u.parts = append(u.parts, object.Part{Number: i + 1, LastModified: t})
	}
	b.uploads = append(b.uploads, u)
	slices.SortFunc(b.uploads, func(a, b memoryUpload) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
	return u.ID
}

func (m *memory) place(u object.UploadID, op string) (*memoryBucket, int, error) {
	b, err := m.enter(op, u.Bucket, u.Key)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(b.uploads, func(have memoryUpload) bool { return have.ID == u.ID && have.Key == u.Key })
	if i < 0 {
		m.mu.Unlock()
		return nil, 0, object.ErrNoSuchUpload
	}
	return b, i, nil
}

func (m *memory) Parts(_ context.Context, u object.UploadID, after, limit int) (object.Upload, []object.Part, bool, error) {
	b, i, err := m.place(u, "Parts")
	if err != nil {
		return object.Upload{}, nil, false, err
	}
	defer m.mu.Unlock()
	parts := slices.Clone(b.uploads[i].parts)
	parts = slices.DeleteFunc(parts, func(p object.Part) bool { return p.Number <= after })
	return b.uploads[i].Upload, parts[:min(limit, len(parts))], len(parts) > limit, nil
}

func (m *memory) AbortUpload(_ context.Context, _ object.Origin, u object.UploadID) error {
	b, i, err := m.place(u, "AbortUpload")
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	b.uploads = slices.Delete(b.uploads, i, i+1)
	return nil
}

// state returns what a bucket holds, a line each.
func (m *memory) state(bucket string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	b := m.buckets[bucket]
	for i := range b.versions {
		lines = append(lines, line(b.published(i)))
	}
	for _, u := range b.uploads {
		lines = append(lines, "upload "+u.Key)
	}
	return lines
}

func line(v object.Info) string {
	s := v.Key
	if v.VersionID != "" {
		s += " " + v.VersionID
	}
	if v.IsDeleteMarker {
		return s + " marker"
	}
	s += " " + v.StorageClass.String()
	if !v.TransitionTime.IsZero() {
		s += " " + v.TransitionTime.Format(time.DateOnly)
	}
	return s
}

func newWorker(m lifecycle.Store, opts lifecycle.Options) *lifecycle.Worker {
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	return lifecycle.NewWorker(m, func() []string { return []string{account} }, opts)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
