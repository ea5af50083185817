package ossapi

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// initiateUpload answers InitiateMultipartUpload.
func (c *call) initiateUpload() error {
	url, err := c.query.URLEncoding()
	if err != nil {
		return err
	}
	p, err := c.newPut()
	if err != nil {
		return err
	}
	if err := checkClientEncryption(p.Headers.Meta); err != nil {
		return err
	}
	u, err := c.Store.InitiateUpload(c.ctx, c.origin(), p)
	if err != nil {
		return err
	}
	c.encryptionHeaders(u.Encryption)
	return c.listing(url, func(x *ossxml.Writer) {
		x.Start("InitiateMultipartUploadResult")
		encodingType(x)
		x.Text("Bucket", c.at.Bucket)
		x.Name("Key", c.at.Key)
		x.Text("UploadId", u.ID)
		x.End("InitiateMultipartUploadResult")
	})
}

// uploadOf returns the upload that a request names.
func (c *call) uploadOf() (object.UploadID, error) {
	id := c.query.Get("uploadId")
	if id == "" {
		return object.UploadID{}, request.InvalidArgument("uploadId", id, "it is empty")
	}
	return object.UploadID{Bucket: c.at.Bucket, Key: c.at.Key, ID: id}, nil
}

// partOf returns the upload and the number of the part that a request names.
func (c *call) partOf() (u object.UploadID, number int, err error) {
	if u, err = c.uploadOf(); err != nil {
		return u, 0, err
	}
	number, err = c.query.Int("partNumber", 0, 1, object.MaxParts)
	if err == nil && number == 0 {
		err = request.InvalidArgument("partNumber", "", "it is missing")
	}
	return u, number, err
}

// uploadPart answers UploadPart.
func (c *call) uploadPart() error {
	u, number, err := c.partOf()
	if err != nil {
		return err
	}
	if err := noPartEncryption(c.r.Header); err != nil {
		return err
	}
	p := object.Put{Bucket: c.at.Bucket, Key: c.at.Key}
	if err := c.body.Describe(&p); err != nil {
		return err
	}
	part, err := c.Store.UploadPart(c.ctx, c.origin(), u, number, p, c.body)
	if err != nil {
		return withEC(err, object.ErrNoSuchUpload, "0042-00000104")
	}
	c.set("ETag", `"`+partETag(&part)+`"`)
	c.set("x-oss-hash-crc64ecma", strconv.FormatUint(part.CRC64, 10))
	c.set("Content-MD5", base64.StdEncoding.EncodeToString(part.MD5[:]))
	return c.empty(http.StatusOK)
}

// completeUpload answers CompleteMultipartUpload.
func (c *call) completeUpload() error {
	u, err := c.uploadOf()
	if err != nil {
		return err
	}
	url, err := c.query.URLEncoding()
	if err != nil {
		return err
	}
	var done object.Completion
	if done.ForbidOverwrite, err = forbidOverwrite(c.r.Header); err != nil {
		return err
	}
	if c.r.Header.Get("X-Oss-Object-Acl") != "" {
		if done.ACL, err = c.newObjectACL(); err != nil {
			return err
		}
	}
	var back *callback
	if c.asksForCallback() {
		if back, err = c.readCallback(); err != nil {
			return err
		}
	}
	if done.Parts, err = c.completedParts(u); err != nil {
		return err
	}
	info, err := c.Store.CompleteUpload(c.ctx, c.origin(), u, done)
	if err != nil {
		return err
	}
	if back != nil {
		return c.sendCallback(back, &info)
	}
	c.setWriteHeaders(&info)
	delete(c.w.Header(), "Content-MD5") // clients would take it for the digest of the answer
	return c.listing(url, func(x *ossxml.Writer) {
		x.Start("CompleteMultipartUploadResult")
		encodingType(x)
		x.Text("Location", c.urlOf(c.at.Bucket, c.at.Key))
		x.Text("Bucket", c.at.Bucket)
		x.Name("Key", c.at.Key)
		x.Text("ETag", quoteETag(&info))
		x.End("CompleteMultipartUploadResult")
	})
}

// urlOf returns the URL of an object, with the address that the client used.
func (c *call) urlOf(bucket, key string) string {
	scheme := "http://"
	if c.r.TLS != nil {
		scheme = "https://"
	}
	path := string(ossxml.AppendURL(nil, key))
	if _, found := c.resolver.BucketOfHost(c.r.Host); found {
		return scheme + request.Bounded(c.r.Host) + "/" + path
	}
	return scheme + request.Bounded(c.r.Host) + "/" + bucket + "/" + path
}

// maxComplete is the size of the document that lists 10,000 parts, in bytes.
const maxComplete = 4 << 20

// completedParts reads the list of parts; nil means all that were uploaded.
func (c *call) completedParts(u object.UploadID) ([]object.CompletedPart, error) {
	data, err := c.body.Document(maxComplete)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(c.r.Header.Get("X-Oss-Complete-All"), "yes") {
		if len(data) > 0 {
			return nil, errBothPartLists
		}
		return nil, nil
	}
	if len(data) == 0 { // a missing upload is reported before a missing list
		if _, _, _, err := c.Store.Parts(c.ctx, u, 0, 1); err != nil {
			return nil, err
		}
	}
	doc, err := ossxml.Parse(data, "CompleteMultipartUpload")
	if err != nil {
		return nil, err
	}
	parts := make([]object.CompletedPart, 0, len(doc.Children))
	for i := range doc.Children {
		e := &doc.Children[i]
		if e.Name != "Part" {
			continue
		}
		n, ok := request.ParseDigits(e.Value("PartNumber"))
		if !ok || n < 1 || n > object.MaxParts {
			return nil, request.InvalidArgument("PartNumber", e.Value("PartNumber"), "a number from 1 to 10000 is expected")
		}
		parts = append(parts, object.CompletedPart{Number: int(n), ETag: strings.Trim(e.Value("ETag"), `"`)})
	}
	return parts, nil // an empty list stays non-nil: it means no parts
}

// abortUpload answers AbortMultipartUpload.
func (c *call) abortUpload() error {
	u, err := c.uploadOf()
	if err != nil {
		return err
	}
	if err := c.Store.AbortUpload(c.ctx, c.origin(), u); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
