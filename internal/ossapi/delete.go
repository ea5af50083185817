package ossapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
	"github.com/stocktake/stocktake/internal/ram"
)

// maxDeletes is how many objects one DeleteMultipleObjects may name.
//
// Source: OSS API reference, DeleteMultipleObjects.
const maxDeletes = 1000

// maxDelete is the size, in bytes, of a document of maxDeletes names, each of
// 1,023 bytes that are all escaped twice.
const maxDelete = 2 << 20

// deletesAtOnce is how many of them are deleted concurrently, so that the store can
// make many deletions durable with one write to the disk.
const deletesAtOnce = 32

// deleteObject answers DeleteObject.
func (c *call) deleteObject() error {
	v, err := c.version()
	if err != nil {
		return err
	}
	did, err := c.Store.Delete(c.ctx, c.origin(), v)
	if err != nil {
		return err
	}
	c.set("x-oss-version-id", did.VersionID)
	if did.DeleteMarker {
		c.set("x-oss-delete-marker", "true")
	}
	return c.empty(http.StatusNoContent)
}

// deleteMultipleObjects answers DeleteMultipleObjects. If the caller may not
// delete all of the objects, none is deleted.
func (c *call) deleteMultipleObjects() error {
	url, err := c.query.URLEncoding()
	if err != nil {
		return err
	}
	doc, err := c.body.XML("Delete", maxDelete)
	if err != nil {
		return err
	}
	versions, err := c.versionsToDelete(doc)
	if err != nil {
		return err
	}
	if err := c.allowDeletes(versions); err != nil {
		return err
	}
	did := make([]object.Deleted, len(versions))
	g, ctx := errgroup.WithContext(c.ctx)
	g.SetLimit(deletesAtOnce)
	for i, v := range versions {
		g.Go(func() error { return c.deleteOne(ctx, v, &did[i]) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	quiet := strings.EqualFold(doc.Value("Quiet"), "true")
	return c.xml(func(x *ossxml.Writer) {
		x.URL = url
		x.Start("DeleteResult")
		if url {
			x.Text("EncodingType", "url")
		}
		for i := range versions {
			if !quiet {
				deleted(x, &versions[i], did[i])
			}
		}
		x.End("DeleteResult")
	})
}

// allowDeletes checks that the caller may delete all of the versions.
func (c *call) allowDeletes(versions []object.Version) error {
	deciders := make(map[string]*ram.Decider, 2)
	for _, v := range versions {
		action := "oss:DeleteObject"
		if v.ID != "" {
			action = "oss:DeleteObjectVersion"
		}
		if deciders[action] == nil {
			deciders[action] = c.decider(action, &c.bucket)
		}
		if err := c.decide(deciders[action], &c.bucket, v.Key, ""); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) deleteOne(ctx context.Context, v object.Version, did *object.Deleted) (err error) {
	*did, err = c.Store.Delete(ctx, c.origin(), v)
	return err
}

func (c *call) versionsToDelete(doc *ossxml.Element) (versions []object.Version, err error) {
	for i := range doc.Children {
		o := &doc.Children[i]
		if o.Name != "Object" {
			continue
		}
		key := o.Child("Key")
		switch {
		case key == nil || key.Text == "":
			return nil, ossxml.Malformed("an Object has no Key")
		case len(versions) == maxDeletes:
			return nil, ossxml.Malformed("more than 1,000 objects")
		case !stocktake.ValidKey(key.Text):
			return nil, invalidName(key.Text)
		}
		id := o.Value("VersionId")
		if id != "" && !request.IssuedVersionForm(id) {
			return nil, request.InvalidArgument("VersionId", id, "no version has such an id")
		}
		versions = append(versions, object.Version{Bucket: c.at.Bucket, Key: key.Text, ID: id})
	}
	if len(versions) == 0 {
		return nil, ossxml.Malformed("no Object")
	}
	return versions, nil
}

// invalidName returns the error of an illegal key in a document, which the URL does not name.
func invalidName(key string) error {
	return &request.DetailError{
		Err: request.ErrInvalidObjectName, Text: fmt.Sprintf("The specified object is not valid: %q.", request.Bounded(key)),
		Fields: [][2]string{{"Key", request.Bounded(key)}},
	}
}

func deleted(x *ossxml.Writer, v *object.Version, did object.Deleted) {
	x.Start("Deleted")
	x.Name("Key", v.Key)
	x.Optional("VersionId", v.ID)
	if did.DeleteMarker {
		x.Bool("DeleteMarker", true)
		x.Optional("DeleteMarkerVersionId", did.VersionID)
	}
	x.End("Deleted")
}
