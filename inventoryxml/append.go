package inventoryxml

import (
	"bytes"
	"slices"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// Append appends c to dst as the document of GetBucketInventory and
// PutBucketInventory. Nothing of a valid c is lost: [Parse] returns
// c.Normalized() again.
func Append(dst []byte, c *stocktake.InventoryConfiguration) []byte {
	return appendDocument(dst, c, false)
}

// AppendIndented appends what Append appends, with each element on a line of its
// own, for people.
func AppendIndented(dst []byte, c *stocktake.InventoryConfiguration) []byte {
	return append(appendDocument(dst, c, true), '\n')
}

func appendDocument(dst []byte, c *stocktake.InventoryConfiguration, indent bool) []byte {
	out := writing{x: newWriter(dst), indent: indent}
	out.x.Start(configurationElement)
	for i := range elements {
		out.element = &elements[i]
		if out.within == nil || out.within(c) {
			out.write(&out, c)
		}
	}
	out.close(0)
	out.line(-1)
	out.x.End(configurationElement)
	return out.x.Buf
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

// newWriter returns a writer whose documents every client can read: what XML 1.0
// cannot carry, which is in no valid configuration, becomes U+FFFD.
func newWriter(dst []byte) ossxml.Writer {
	return ossxml.Writer{Buf: append(dst, ossxml.Header...), Strict: true}
}

// A writing writes the elements of a configuration one after another, and the
// tags of the containers around them.
type writing struct {
	x        ossxml.Writer
	indent   bool
	*element          // that is being written
	opened   []string // the names of the containers that are open
}

// text writes the element.
func (out *writing) text(value string) {
	name := out.enter()
	out.line(len(out.opened))
	out.x.Text(name, value)
}

// optional writes the element unless it is empty and need not be there.
func (out *writing) optional(value string) {
	if value != "" || out.required || out.always {
		out.text(value)
	}
}

// empty writes the element without an end tag.
func (out *writing) empty() {
	name := out.enter()
	out.line(len(out.opened))
	out.x.Buf = append(out.x.Buf, "<"+name+"/>"...)
}

// open writes the start of the element, a container. It is closed when an element
// outside of it is written.
func (out *writing) open() {
	out.down(strings.Split(out.path, "/"))
}

// enter opens the containers of the element and returns its name.
func (out *writing) enter() string {
	names := strings.Split(out.path, "/")
	last := len(names) - 1
	out.down(names[:last])
	return names[last]
}

// down closes and opens containers until those that are open are containers.
func (out *writing) down(containers []string) {
	common := 0
	for common < min(len(containers), len(out.opened)) && containers[common] == out.opened[common] {
		common++
	}
	out.close(common)
	for _, name := range containers[common:] {
		out.line(len(out.opened))
		out.x.Start(name)
		out.opened = append(out.opened, name)
	}
}

// close closes containers until depth of them are open.
func (out *writing) close(depth int) {
	for i, name := range slices.Backward(out.opened) {
		if i < depth {
			break
		}
		out.line(i)
		out.x.End(name)
	}
	out.opened = out.opened[:depth]
}

// line begins a line for an element that is in depth containers, -1 for the root.
func (out *writing) line(depth int) {
	if out.indent {
		out.x.Buf = append(append(out.x.Buf, '\n'), strings.Repeat("  ", depth+1)...)
	}
}
