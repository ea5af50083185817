package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/digest"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store/layout"
)

// CompleteUpload implements ossapi.Uploads. The object consists of the blobs of its parts, which
// are not moved.
func (s *Store) CompleteUpload(_ context.Context, by object.Origin, u object.UploadID, done object.Completion) (made object.Info, err error) {
	b, err := s.bucket(u.Bucket)
	if err != nil {
		return object.Info{}, err
	}
	err = s.change(by, b, u.Key, func(c *change, state *object.Bucket) error {
		upload, err := s.upload(b, u)
		if err != nil {
			return err
		}
		parts, err := s.parts(upload.Seq, 0, object.MaxParts)
		if err != nil {
			return err
		}
		used, unused, err := choose(parts, done.Parts)
		if err != nil {
			return err
		}
		if done.ACL != stocktake.DefaultACL {
			upload.Info.ACL = done.ACL
		}
		w := &newVersion{key: u.Key, forbidOverwrite: done.ForbidOverwrite, info: upload.Info}
		if err := s.checkOverwrite(b, w, state); err != nil {
			return err
		}
		r := &layout.Row{Info: upload.Info, DataKey: upload.DataKey}
		joinParts(&r.Info, used)
		if err := c.join(r, used); err != nil {
			return err
		}
		if err := c.replace(r, state); err != nil {
			return err
		}
		made = r.Public(state.Versioning != object.Unversioned, true)
		return c.endUpload(upload, parts, unused)
	})
	if err != nil {
		return object.Info{}, err
	}
	return made, nil
}

// choose returns the wanted parts, or all if wanted is nil. An empty list is legal only if no part
// was uploaded: the SDKs upload an empty object this way. With uploaded parts it would discard
// them.
func choose(parts []layout.Part, wanted []object.CompletedPart) (used, unused []layout.Part, err error) {
	if wanted == nil {
		used = parts
	}
	next := 0
	for i, w := range wanted {
		if i > 0 && w.Number <= wanted[i-1].Number {
			return nil, nil, object.ErrInvalidPartOrder
		}
		for next < len(parts) && parts[next].Number < w.Number {
			unused = append(unused, parts[next])
			next++
		}
		if next == len(parts) || parts[next].Number != w.Number || !strings.EqualFold(hex.EncodeToString(parts[next].MD5[:]), w.ETag) {
			return nil, nil, fmt.Errorf("%w: part %d", object.ErrInvalidPart, w.Number)
		}
		used = append(used, parts[next])
		next++
	}
	if wanted != nil {
		unused = append(unused, parts[next:]...)
	}
	if len(used) == 0 && (wanted == nil || len(parts) > 0) {
		return nil, nil, fmt.Errorf("%w: there is none", object.ErrInvalidPart)
	}
	for _, p := range used[:max(len(used)-1, 0)] {
		if p.Size < object.MinPartSize {
			return nil, nil, fmt.Errorf("%w: part %d has %d bytes", object.ErrPartTooSmall, p.Number, p.Size)
		}
	}
	return used, unused, nil
}

// joinParts fills in the attributes of an object of these parts. Its ETag is the
// MD5 of the upper-case ETags of the parts, one after another, and their number:
// OSS hashes the text, not the sums as S3 does.
func joinParts(in *object.Info, parts []layout.Part) {
	sums := md5.New()
	for _, p := range parts {
		e := stocktake.ETag{Sum: p.MD5}
		sums.Write(e.AppendText(nil))
		in.CRC64 = digest.JoinCRC64(in.CRC64, p.CRC64, p.Size)
		in.Size += p.Size
	}
	in.Type, in.Parts = stocktake.Multipart, len(parts)
	in.ETag = stocktake.ETag{Parts: uint32(len(parts))}
	sums.Sum(in.ETag.Sum[:0])
}

// join makes the parts the content of r.
func (c *change) join(r *layout.Row, parts []layout.Part) error {
	pieces := make([]layout.Piece, 0, len(parts))
	for i := range parts {
		if parts[i].Size > 0 {
			pieces = append(pieces, parts[i].Piece())
		}
	}
	switch len(pieces) {
	case 0:
		return nil
	case 1:
		r.Content = pieces[0].Content
		return nil
	}
	id, err := c.s.nextSeq()
	if err != nil {
		return err
	}
	r.Content = layout.Content{Kind: layout.ContentMap, ID: id}
	return c.batch.Set(layout.IDKey(layout.SpaceMaps, id), layout.AppendPieces(nil, pieces), nil)
}
