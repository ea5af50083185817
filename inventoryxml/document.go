package inventoryxml

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// MaxSize is the longest document of PutBucketInventory, in bytes.
const MaxSize = 1 << 20

// Names of the root elements.
const (
	configurationElement = "InventoryConfiguration"
	listElement          = "ListInventoryConfigurationsResult"
)

// Parse reads the document that Append writes, or that OSS answers to
// GetBucketInventory. It returns a [*stocktake.MalformedXMLError] for a document
// that is not of the schema, and a [*stocktake.InvalidArgumentError] for a text
// that an InventoryConfiguration cannot hold, such as an unknown field; Validate
// judges the rest. A bound of 0, as OSS may write for one that is not set, is
// read as no bound. The configuration is normalized.
//
// Servers use [ParsePut].
func Parse(data []byte) (stocktake.InventoryConfiguration, error) {
	in, err := parse(data, false)
	if err == nil && len(in.unreadable) > 0 {
		err = in.unreadable[0]
	}
	if err != nil {
		return stocktake.InventoryConfiguration{}, err
	}
	return in.c, nil
}

// ParsePut reads the body of a PutBucketInventory and validates it. Of several
// faults it returns the one that comes first in the order of OSS: a
// [*stocktake.MalformedXMLError] for the document, then one for its structure,
// then a [*stocktake.InvalidArgumentError]. The configuration is normalized.
//
// Elements may come in any order. Unknown elements, namespaces, attributes and
// comments are ignored, an element given twice is refused, a Field given twice
// counts once. Blanks around everything but Id and the prefixes mean nothing.
//
// Source: OSS API reference, PutBucketInventory, and its error codes 0020-*.
func ParsePut(body []byte, rules stocktake.InventoryRules) (stocktake.InventoryConfiguration, error) {
	in, err := parse(body, true)
	if err == nil {
		err = in.c.Validate(rules, in.unreadable...)
	}
	if err != nil {
		return stocktake.InventoryConfiguration{}, err
	}
	return in.c, nil
}

func parse(data []byte, request bool) (*decoder, error) {
	if len(data) > MaxSize {
		return nil, ossxml.Malformed("longer than 1 MiB")
	}
	doc, err := ossxml.Parse(data, configurationElement)
	if err != nil {
		return nil, err
	}
	return read(doc, request)
}

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
	out := encoder{x: newWriter(dst), indent: indent}
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

// newWriter returns a writer whose documents every client can read: what XML 1.0
// cannot carry, which is in no valid configuration, becomes U+FFFD.
func newWriter(dst []byte) ossxml.Writer {
	return ossxml.Writer{Buf: append(dst, ossxml.Header...), Strict: true}
}

// An encoder writes the elements of a configuration one after another, and the
// tags of the containers around them.
type encoder struct {
	x        ossxml.Writer
	indent   bool
	*element          // that is being written
	opened   []string // the names of the containers that are open
}

// text writes the element.
func (out *encoder) text(value string) {
	name := out.openParents()
	out.line(len(out.opened))
	out.x.Text(name, value)
}

// optional writes the element unless it is empty and need not be there.
func (out *encoder) optional(value string) {
	if value != "" || out.required || out.always {
		out.text(value)
	}
}

// empty writes the element without an end tag.
func (out *encoder) empty() {
	name := out.openParents()
	out.line(len(out.opened))
	out.x.Buf = append(out.x.Buf, "<"+name+"/>"...)
}

// open writes the start of the element, a container. It is closed when an element
// outside of it is written.
func (out *encoder) open() {
	out.openContainers(strings.Split(out.path, "/"))
}

// openParents opens the containers of the element and returns its name.
func (out *encoder) openParents() string {
	names := strings.Split(out.path, "/")
	last := len(names) - 1
	out.openContainers(names[:last])
	return names[last]
}

// openContainers closes and opens containers until those that are open are containers.
func (out *encoder) openContainers(containers []string) {
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
func (out *encoder) close(depth int) {
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
func (out *encoder) line(depth int) {
	if out.indent {
		out.x.Buf = append(append(out.x.Buf, '\n'), strings.Repeat("  ", depth+1)...)
	}
}

// A decoder makes a configuration of a document.
type decoder struct {
	c       config
	request bool // the document is a request: a number that must not be 0 is refused

	at         *element                          // that is being read
	structure  []*stocktake.MalformedXMLError    // of elements that are missing or not of their type
	unreadable []*stocktake.InvalidArgumentError // of texts that c cannot hold
}

// read reads an InventoryConfiguration. Of several elements that are missing or
// not of their type, OSS reports the one with the lowest EC; those without an EC
// come last.
func read(doc *ossxml.Element, request bool) (*decoder, error) {
	var found [len(elements)][]*ossxml.Element
	if err := find(doc, schema, &found); err != nil {
		return nil, err
	}
	in := &decoder{request: request}
	for i := range elements {
		in.at = &elements[i]
		for _, e := range found[i] {
			in.at.read(in, e.Text)
		}
		if in.at.required && len(found[i]) == 0 && (in.at.within == nil || in.at.within(&in.c)) {
			in.malformed(in.at.missing, in.at.path+" is missing")
		}
	}
	if len(in.structure) > 0 {
		return nil, slices.MinFunc(in.structure, func(a, b *stocktake.MalformedXMLError) int {
			return cmp.Compare(cmp.Or(a.EC, "none"), cmp.Or(b.EC, "none"))
		})
	}
	in.c = in.c.Normalized()
	return in, nil
}

func (in *decoder) malformed(ec, reason string) {
	in.structure = append(in.structure, &stocktake.MalformedXMLError{EC: ec, Reason: reason})
}

// refuse notes a text that the configuration cannot hold. Of a repeated element
// only the first is noted.
func (in *decoder) refuse(text string) {
	err := stocktake.Unreadable(in.at.path, text)
	if !slices.ContainsFunc(in.unreadable, func(e *stocktake.InvalidArgumentError) bool { return e.Element == err.Element }) {
		in.unreadable = append(in.unreadable, err)
	}
}

// refuseZero notes a 0 of an element for which a configuration's 0 means no value.
func (in *decoder) refuseZero() {
	if in.request {
		in.refuse("0")
	}
}

func (in *decoder) bool(text, ec string) bool {
	text = strings.TrimSpace(text)
	yes := strings.EqualFold(text, "true")
	if !yes && !strings.EqualFold(text, "false") {
		in.malformed(ec, in.at.path+" is neither true nor false")
	}
	return yes
}

// int returns the number in text. One that is too large for an int64 becomes the
// largest, which no rule accepts.
func (in *decoder) int(text, ec string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		in.malformed(ec, in.at.path+" is not a number")
	}
	return n
}

// A node is an element of the schema and what may be in it.
type node struct {
	path     string
	row      int    // of elements; -1: a container without a row
	bit      uint64 // tells it from the other nodes of its parent
	children map[string]*node
}

// schema has the elements by their place in the document.
var schema = func() *node {
	root := &node{row: -1}
	for i := range elements {
		at := root
		for name := range strings.SplitSeq(elements[i].path, "/") {
			child := at.children[name]
			if child == nil {
				child = &node{path: strings.TrimPrefix(at.path+"/"+name, "/"), row: -1, bit: 1 << len(at.children)}
				if at.children == nil {
					at.children = map[string]*node{}
				}
				at.children[name] = child
			}
			at = child
		}
		at.row = i
	}
	return root
}()

// find finds the elements of the schema in e. One that may be there once and is
// there twice is refused, since either of the two could be the wrong one.
func find(e *ossxml.Element, at *node, found *[len(elements)][]*ossxml.Element) error {
	var seen uint64 // bits of the nodes found in e
	for i := range e.Children {
		child := &e.Children[i]
		n := at.children[child.Name]
		if n == nil {
			continue
		}
		if repeated := n.row >= 0 && elements[n.row].repeated; !repeated {
			if seen&n.bit != 0 {
				return ossxml.Malformed(n.path + " occurs twice")
			}
			seen |= n.bit
		}
		if n.row >= 0 {
			found[n.row] = append(found[n.row], child)
		}
		if err := find(child, n, found); err != nil {
			return err
		}
	}
	return nil
}
