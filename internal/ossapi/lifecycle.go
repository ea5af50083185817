package ossapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
)

// putBucketLifecycle answers PutBucketLifecycle.
func (c *call) putBucketLifecycle() error {
	overlap := strings.EqualFold(c.r.Header.Get("X-Oss-Allow-Same-Action-Overlap"), "true")
	doc, err := c.readXML("LifecycleConfiguration", maxDocument)
	if err != nil {
		return err
	}
	l, err := parseLifecycle(doc)
	if err != nil {
		return err
	}
	if err := lifecycle.Check(&l, overlap); err != nil {
		return err
	}
	return c.setBucket(http.StatusOK, func(b *object.Bucket) { b.Lifecycle = &l })
}

// expiration is the value of x-oss-expiration; empty if no rule of the bucket
// will delete the object.
func (c *call) expiration(info *object.Info) string {
	if c.bucket.Lifecycle == nil {
		return ""
	}
	return lifecycle.NewRules(c.bucket.Lifecycle).Header(info)
}

// getBucketLifecycle answers GetBucketLifecycle.
func (c *call) getBucketLifecycle() error {
	if c.bucket.Lifecycle == nil {
		return errNoLifecycle
	}
	return c.xml(func(x *xmlWriter) { lifecycleDocument(x, c.bucket.Lifecycle) })
}

// deleteBucketLifecycle answers DeleteBucketLifecycle.
func (c *call) deleteBucketLifecycle() error {
	return c.setBucket(http.StatusNoContent, func(b *object.Bucket) { b.Lifecycle = nil })
}

// parseLifecycle reads a LifecycleConfiguration; what it says may still be
// against the rules. Rules by last access are not offered, as access is not
// tracked.
func parseLifecycle(doc *element) (l object.Lifecycle, err error) {
	for i := range doc.children {
		if doc.children[i].name != "Rule" {
			continue
		}
		r, err := parseRule(&doc.children[i])
		if err != nil {
			return l, err
		}
		if r.ID == "" {
			r.ID = "rule-" + strconv.Itoa(len(l.Rules)+1)
		}
		l.Rules = append(l.Rules, r)
	}
	if len(l.Rules) == 0 {
		return l, malformed("no Rule")
	}
	return l, nil
}

func parseRule(e *element) (r object.LifecycleRule, err error) {
	r.ID = e.value("ID")
	switch v := e.value("Status"); v {
	case "Enabled":
		r.Enabled = true
	case "Disabled":
	default:
		return r, malformed("Status is neither Enabled nor Disabled")
	}
	if p := e.child("Prefix"); p != nil {
		r.Prefix = p.text
	}
	p := ruleParser{rule: &r}
	for i := range e.children {
		if err := p.child(&e.children[i]); err != nil {
			return r, err
		}
	}
	return r, nil
}

// A ruleParser reads the parts of a rule.
type ruleParser struct{ rule *object.LifecycleRule }

func (p *ruleParser) child(e *element) (err error) {
	r := p.rule
	switch e.name {
	case "Tag":
		r.Tags = append(r.Tags, tagOf(e))
	case "Filter":
		return p.filter(e)
	case "Expiration":
		r.ExpiredDeleteMarker = strings.EqualFold(e.value("ExpiredObjectDeleteMarker"), "true")
		if age, err := parseAge(e); err != nil || *age != (object.LifecycleAge{}) || !r.ExpiredDeleteMarker {
			r.Expiration = age
			return err
		}
	case "AbortMultipartUpload":
		r.AbortUploads, err = parseAge(e)
	case "Transition":
		var t object.LifecycleTransition
		if t, err = parseTransition(e, false); err == nil {
			r.Transitions = append(r.Transitions, t)
		}
	case "NoncurrentVersionTransition":
		var t object.LifecycleTransition
		if t, err = parseTransition(e, true); err == nil {
			r.NoncurrentTransitions = append(r.NoncurrentTransitions, t)
		}
	case "NoncurrentVersionExpiration":
		r.NoncurrentExpiration, err = parseDays("NoncurrentDays", e.value("NoncurrentDays"))
	}
	return err
}

func (p *ruleParser) filter(e *element) error {
	for i := range e.children {
		f := &e.children[i]
		switch f.name {
		case "ObjectSizeGreaterThan", "ObjectSizeLessThan":
			n, ok := parseOffset(strings.TrimSpace(f.text))
			if !ok {
				return malformed(f.name + " is no number")
			}
			if f.name == "ObjectSizeGreaterThan" {
				p.rule.SizeGreaterThan = n
			} else {
				p.rule.SizeLessThan = n
			}
		case "Not":
			not := object.LifecycleNot{}
			if c := f.child("Prefix"); c != nil {
				not.Prefix = c.text
			}
			if c := f.child("Tag"); c != nil {
				not.Tag = new(tagOf(c))
			}
			p.rule.Not = append(p.rule.Not, not)
		}
	}
	return nil
}

func tagOf(e *element) object.Tag { return object.Tag{Key: e.value("Key"), Value: e.value("Value")} }

func parseTransition(e *element, noncurrent bool) (t object.LifecycleTransition, err error) {
	v := e.value("StorageClass")
	class, ok := stocktake.ParseStorageClass(v)
	switch {
	case !ok:
		return t, invalidArgument("StorageClass", v, "IA, Archive, ColdArchive or DeepColdArchive is expected")
	case strings.EqualFold(e.value("IsAccessTime"), "true"):
		return t, errNotImplemented
	}
	t.StorageClass = class
	if noncurrent {
		t.Days, err = parseDays("NoncurrentDays", e.value("NoncurrentDays"))
		return t, err
	}
	age, err := parseAge(e)
	if err == nil {
		t.LifecycleAge = *age
	}
	return t, err
}

// parseAge reads Days, Date and CreatedBeforeDate.
func parseAge(e *element) (*object.LifecycleAge, error) {
	var age object.LifecycleAge
	var err error
	if v := e.value("Days"); v != "" {
		if age.Days, err = parseDays("Days", v); err != nil {
			return nil, err
		}
	}
	for _, d := range []struct {
		name string
		into *time.Time
	}{{"Date", &age.Date}, {"CreatedBeforeDate", &age.CreatedBefore}} {
		if v := e.value(d.name); v != "" {
			t, err := time.Parse(time.RFC3339, v)
			if err != nil {
				return nil, invalidArgument(d.name, v, "midnight UTC of a date is expected, such as 2026-01-05T00:00:00.000Z")
			}
			*d.into = t.UTC()
		}
	}
	return &age, nil
}

func parseDays(name, v string) (int, error) {
	n, ok := parseOffset(v)
	if !ok || n < 1 || n > 1<<31-1 {
		return 0, invalidArgument(name, v, "a number of days from 1 on is expected")
	}
	return int(n), nil
}

// lifecycleDocument writes a LifecycleConfiguration.
func lifecycleDocument(x *xmlWriter, l *object.Lifecycle) {
	x.start("LifecycleConfiguration")
	for i := range l.Rules {
		lifecycleRule(x, &l.Rules[i])
	}
	x.end("LifecycleConfiguration")
}

func lifecycleRule(x *xmlWriter, r *object.LifecycleRule) {
	x.start("Rule")
	x.text("ID", r.ID)
	x.text("Prefix", r.Prefix)
	x.text("Status", map[bool]string{true: "Enabled", false: "Disabled"}[r.Enabled])
	for _, t := range r.Tags {
		lifecycleTag(x, t)
	}
	if len(r.Not) > 0 || r.SizeGreaterThan > 0 || r.SizeLessThan > 0 {
		lifecycleFilter(x, r)
	}
	if r.Expiration != nil {
		x.start("Expiration")
		lifecycleAge(x, *r.Expiration)
		x.end("Expiration")
	}
	if r.ExpiredDeleteMarker {
		x.start("Expiration")
		x.bool("ExpiredObjectDeleteMarker", true)
		x.end("Expiration")
	}
	for _, t := range r.Transitions {
		x.start("Transition")
		lifecycleAge(x, t.LifecycleAge)
		x.text("StorageClass", t.StorageClass.String())
		x.end("Transition")
	}
	if r.AbortUploads != nil {
		x.start("AbortMultipartUpload")
		lifecycleAge(x, *r.AbortUploads)
		x.end("AbortMultipartUpload")
	}
	if r.NoncurrentExpiration > 0 {
		x.start("NoncurrentVersionExpiration")
		x.int("NoncurrentDays", int64(r.NoncurrentExpiration))
		x.end("NoncurrentVersionExpiration")
	}
	for _, t := range r.NoncurrentTransitions {
		x.start("NoncurrentVersionTransition")
		x.int("NoncurrentDays", int64(t.Days))
		x.text("StorageClass", t.StorageClass.String())
		x.end("NoncurrentVersionTransition")
	}
	x.end("Rule")
}

func lifecycleFilter(x *xmlWriter, r *object.LifecycleRule) {
	x.start("Filter")
	if r.SizeGreaterThan > 0 {
		x.int("ObjectSizeGreaterThan", r.SizeGreaterThan)
	}
	if r.SizeLessThan > 0 {
		x.int("ObjectSizeLessThan", r.SizeLessThan)
	}
	for _, n := range r.Not {
		x.start("Not")
		x.text("Prefix", n.Prefix)
		if n.Tag != nil {
			lifecycleTag(x, *n.Tag)
		}
		x.end("Not")
	}
	x.end("Filter")
}

func lifecycleTag(x *xmlWriter, t object.Tag) {
	x.start("Tag")
	x.text("Key", t.Key)
	x.text("Value", t.Value)
	x.end("Tag")
}

func lifecycleAge(x *xmlWriter, a object.LifecycleAge) {
	if a.Days > 0 {
		x.int("Days", int64(a.Days))
	}
	if !a.Date.IsZero() {
		x.time("Date", a.Date)
	}
	if !a.CreatedBefore.IsZero() {
		x.time("CreatedBeforeDate", a.CreatedBefore)
	}
}
