package main

import (
	"context"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake/internal/terminal"
)

type objectLs struct {
	remote
	Where     string `arg:"" help:"oss://BUCKET/PREFIX."`
	Recursive bool   `help:"List all objects below the prefix." short:"r"`
	JSON      bool   `help:"Print one JSON object a line."`
}

// An objectLine is an object, or a folder, in a listing.
type objectLine struct {
	Key      string    `json:"key"`
	Folder   bool      `json:"folder,omitempty"` // keys that start with Key
	Size     int64     `json:"size"`
	Modified time.Time `json:"lastModified,omitzero"`
	Class    string    `json:"storageClass,omitempty"`
	ETag     string    `json:"etag,omitempty"`
}

// objectRow is the form of a line for people. Listings may be long, so lines are
// printed as they come, and columns have fixed widths.
const objectRow = "%10s  %-20s  %-15s  %s\n"

// Run lists.
func (c *objectLs) Run(ctx context.Context, con console) error {
	at, err := parseAddress(c.Where)
	if err != nil {
		return err
	}
	oc, err := c.ossClient()
	if err != nil {
		return err
	}
	req := &oss.ListObjectsV2Request{Bucket: &at.Bucket, Prefix: &at.Key, MaxKeys: 1000}
	if !c.Recursive {
		req.Delimiter = oss.Ptr("/")
	}
	found := false
	for p := oc.NewListObjectsV2Paginator(req); p.HasNext(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return explain(err, "list "+at.String())
		}
		for _, f := range page.CommonPrefixes {
			found = true
			if err := c.print(con, objectLine{Key: oss.ToString(f.Prefix), Folder: true}); err != nil {
				return err
			}
		}
		for _, o := range page.Contents {
			found = true
			line := objectLine{
				Key: oss.ToString(o.Key), Size: o.Size, Modified: oss.ToTime(o.LastModified).UTC(),
				Class: oss.ToString(o.StorageClass), ETag: oss.ToString(o.ETag),
			}
			if err := c.print(con, line); err != nil {
				return err
			}
		}
	}
	if found || c.JSON {
		return nil
	}
	_, err = sayf(con.out, "no objects below %s\n", printable(at.String()))
	return err
}

func (c *objectLs) print(con console, l objectLine) error {
	if c.JSON {
		return terminal.NewEncoder(con.out).Encode(l)
	}
	bytes, class := size(l.Size), l.Class
	if l.Folder {
		bytes, class = "-", "folder"
	}
	_, err := sayf(con.out, objectRow, bytes, when(l.Modified), printable(class), printable(l.Key))
	return err
}
