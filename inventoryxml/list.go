package inventoryxml

import (
	"bytes"
	"strconv"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// ParseList reads the document of ListBucketInventory: the configurations of a
// page and, if truncated, the token of the next. Errors are those of [Parse].
func ParseList(data []byte) (page []stocktake.InventoryConfiguration, next string, truncated bool, err error) {
	doc, err := ossxml.Parse(data, listElement)
	if err != nil {
		return nil, "", false, err
	}
	for i := range doc.Children {
		e := &doc.Children[i]
		if e.Name != configurationElement {
			continue
		}
		in, err := read(e, false)
		if err == nil && len(in.unreadable) > 0 {
			err = in.unreadable[0]
		}
		if err != nil {
			return nil, "", false, err
		}
		page = append(page, in.c)
	}
	if text := doc.Value("IsTruncated"); text != "" {
		if truncated, err = strconv.ParseBool(text); err != nil {
			return nil, "", false, ossxml.Malformed("IsTruncated is neither true nor false")
		}
	}
	if e := doc.Child("NextContinuationToken"); e != nil {
		next = e.Text
	}
	return page, next, truncated, nil
}

// AppendList appends the document of ListBucketInventory to dst: a page of
// configurations as [Append] wrote them, the token that the request carried, and,
// if truncated, the token that continues the listing: the id of the last
// configuration of the page. Empty tokens are left out.
func AppendList(dst []byte, page [][]byte, token, next string, truncated bool) []byte {
	x := newWriter(dst)
	x.Start(listElement)
	for _, document := range page {
		x.Buf = append(x.Buf, bytes.TrimPrefix(document, []byte(ossxml.Header))...)
	}
	x.Optional("ContinuationToken", token)
	x.Bool("IsTruncated", truncated)
	x.Optional("NextContinuationToken", next)
	x.End(listElement)
	return x.Buf
}
