package store_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/engine"
	"github.com/stocktake/stocktake/internal/engine/sourcetest"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi"
	"github.com/stocktake/stocktake/internal/store"
)

var _ ossapi.Store = (*store.Store)(nil)

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Bucket {
		s := open(t, t.TempDir(), store.Options{Keys: keyring{}})
		bucket(t, s, object.Unversioned)
		return &contractBucket{t, s}
	})
}

// contractBucket is bucket "b" of a store for the suite.
type contractBucket struct {
	t *testing.T
	s *store.Store
}

func (b *contractBucket) Source() engine.Source { return b.s.Source() }
func (b *contractBucket) Name() string          { return "b" }

func (b *contractBucket) Can() sourcetest.Abilities {
	return sourcetest.Abilities{
		Versions: true, Batch: 512, MD5: true, CurrentIDs: true, Tags: true, Encryption: true, CRC64: true, Transition: true,
		Classes: []stocktake.StorageClass{stocktake.IA, stocktake.Archive, stocktake.ColdArchive, stocktake.DeepColdArchive},
		Types:   []stocktake.ObjectType{stocktake.Multipart, stocktake.Appendable, stocktake.Symlink},
		ACLs:    []stocktake.ACL{stocktake.Private, stocktake.PublicRead, stocktake.PublicReadWrite},
	}
}

func (b *contractBucket) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *contractBucket) Put(o sourcetest.Object) string {
	ctx := b.t.Context()
	p := object.Put{Bucket: "b", Key: o.Key, Size: int64(len(o.Body)), Attributes: object.Attributes{ACL: o.ACL}}
	if o.Transition == 0 {
		p.StorageClass = &o.Class
	}
	if o.Encrypted {
		p.Encryption = &object.Encryption{Algorithm: "AES256"}
	}
	for i := range o.Tags {
		p.Tags = append(p.Tags, object.Tag{Key: strconv.Itoa(i), Value: "v"})
	}
	body := strings.NewReader(o.Body)
	var info object.Info
	var err error
	switch o.Type {
	case stocktake.Normal:
		info, err = b.s.PutObject(ctx, by, p, body)
	case stocktake.Appendable:
		info, err = b.s.AppendObject(ctx, by, p, 0, body)
	case stocktake.Symlink:
		info, err = b.s.PutSymlink(ctx, by, p, o.Body)
	case stocktake.Multipart:
		var upload object.Upload
		upload, err = b.s.InitiateUpload(ctx, by, p)
		b.check(err)
		id := object.UploadID{Bucket: "b", Key: o.Key, ID: upload.ID}
		_, err = b.s.UploadPart(ctx, by, id, 1, object.Put{Size: p.Size}, body)
		b.check(err)
		info, err = b.s.CompleteUpload(ctx, by, id, object.Completion{})
	}
	b.check(err)
	if o.Transition != 0 {
		_, err := b.s.UpdateObject(ctx, by, object.Version{Bucket: "b", Key: o.Key, ID: info.VersionID}, func(in *object.Info) error {
			in.StorageClass, in.TransitionTime = o.Class, time.Unix(o.Transition, 0)
			return nil
		})
		b.check(err)
	}
	return info.VersionID
}

func (b *contractBucket) Delete(key string) string {
	did, err := b.s.Delete(b.t.Context(), by, object.Version{Bucket: "b", Key: key})
	b.check(err)
	return did.VersionID
}

func (b *contractBucket) DeleteVersion(key, versionID string) {
	_, err := b.s.Delete(b.t.Context(), by, object.Version{Bucket: "b", Key: key, ID: versionID})
	b.check(err)
}

func (b *contractBucket) SetVersioning(enabled bool) {
	b.check(b.s.UpdateBucket(b.t.Context(), by, "b", func(b *object.Bucket) error {
		if b.Versioning = object.Suspended; enabled {
			b.Versioning = object.Enabled
		}
		return nil
	}))
}

func TestDestinationPromises(t *testing.T) {
	for _, v := range []object.Versioning{object.Unversioned, object.Enabled, object.Suspended} {
		t.Run("versioning="+v.String(), func(t *testing.T) {
			sourcetest.RunDestination(t, func(t *testing.T) engine.Destination {
				s := open(t, t.TempDir(), store.Options{})
				bucket(t, s, v)
				return s.Destination("b", by)
			})
		})
	}
}
