package bucketxml

import (
	"strconv"
	"strings"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/ossapi/request"
	"github.com/stocktake/stocktake/internal/ossxml"
)

// ParseLifecycle reads a LifecycleConfiguration without validating its rules. Rules
// by last access are not offered, as access is not tracked. Errors:
// [*stocktake.MalformedXMLError], [*stocktake.InvalidArgumentError],
// [request.ErrNotImplemented].
func ParseLifecycle(doc *ossxml.Element) (l object.Lifecycle, err error) {
	for i := range doc.Children {
		if doc.Children[i].Name != "Rule" {
			continue
		}
		r, err := parseLifecycleRule(&doc.Children[i])
		if err != nil {
			return l, err
		}
		if r.ID == "" {
			r.ID = "rule-" + strconv.Itoa(len(l.Rules)+1)
		}
		l.Rules = append(l.Rules, r)
	}
	if len(l.Rules) == 0 {
		return l, ossxml.Malformed("no Rule")
	}
	return l, nil
}

func parseLifecycleRule(e *ossxml.Element) (r object.LifecycleRule, err error) {
	r.ID = e.Value("ID")
	switch v := e.Value("Status"); v {
	case "Enabled":
		r.Enabled = true
	case "Disabled":
	default:
		return r, ossxml.Malformed("Status is neither Enabled nor Disabled")
	}
	if p := e.Child("Prefix"); p != nil {
		r.Prefix = p.Text
	}
	p := ruleParser{rule: &r}
	for i := range e.Children {
		if err := p.child(&e.Children[i]); err != nil {
			return r, err
		}
	}
	return r, nil
}

// A ruleParser reads the parts of a rule.
type ruleParser struct{ rule *object.LifecycleRule }

func (p *ruleParser) child(e *ossxml.Element) (err error) {
	r := p.rule
	switch e.Name {
	case "Tag":
		r.Tags = append(r.Tags, tagOf(e))
	case "Filter":
		return p.filter(e)
	case "Expiration":
		r.ExpiredDeleteMarker = strings.EqualFold(e.Value("ExpiredObjectDeleteMarker"), "true")
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
		r.NoncurrentExpiration, err = parseDays("NoncurrentDays", e.Value("NoncurrentDays"))
	}
	return err
}

func (p *ruleParser) filter(e *ossxml.Element) error {
	for i := range e.Children {
		f := &e.Children[i]
		switch f.Name {
		case "ObjectSizeGreaterThan", "ObjectSizeLessThan":
			n, ok := request.ParseDigits(strings.TrimSpace(f.Text))
			if !ok {
				return ossxml.Malformed(f.Name + " is not a number")
			}
			if f.Name == "ObjectSizeGreaterThan" {
				p.rule.SizeGreaterThan = n
			} else {
				p.rule.SizeLessThan = n
			}
		case "Not":
			not := object.LifecycleNot{}
			if c := f.Child("Prefix"); c != nil {
				not.Prefix = c.Text
			}
			if c := f.Child("Tag"); c != nil {
				not.Tag = new(tagOf(c))
			}
			p.rule.Not = append(p.rule.Not, not)
		}
	}
	return nil
}

func tagOf(e *ossxml.Element) object.Tag {
	return object.Tag{Key: e.Value("Key"), Value: e.Value("Value")}
}

func parseTransition(e *ossxml.Element, noncurrent bool) (t object.LifecycleTransition, err error) {
	v := e.Value("StorageClass")
	class, ok := stocktake.ParseStorageClass(v)
	switch {
	case !ok:
		return t, request.InvalidArgument("StorageClass", v, "IA, Archive, ColdArchive or DeepColdArchive is expected")
	case strings.EqualFold(e.Value("IsAccessTime"), "true"):
		return t, request.ErrNotImplemented
	}
	t.StorageClass = class
	if noncurrent {
		t.Days, err = parseDays("NoncurrentDays", e.Value("NoncurrentDays"))
		return t, err
	}
	age, err := parseAge(e)
	if err == nil {
		t.LifecycleAge = *age
	}
	return t, err
}

// parseAge reads Days, Date and CreatedBeforeDate.
func parseAge(e *ossxml.Element) (*object.LifecycleAge, error) {
	var age object.LifecycleAge
	var err error
	if v := e.Value("Days"); v != "" {
		if age.Days, err = parseDays("Days", v); err != nil {
			return nil, err
		}
	}
	for _, d := range []struct {
		name string
		into *time.Time
	}{{"Date", &age.Date}, {"CreatedBeforeDate", &age.CreatedBefore}} {
		if v := e.Value(d.name); v != "" {
			t, err := time.Parse(time.RFC3339, v)
			if err != nil {
				return nil, request.InvalidArgument(d.name, v, "midnight UTC of a date is expected, such as 2026-01-05T00:00:00.000Z")
			}
			*d.into = t.UTC()
		}
	}
	return &age, nil
}

func parseDays(name, v string) (int, error) {
	n, ok := request.ParseDigits(v)
	if !ok || n < 1 || n > 1<<31-1 {
		return 0, request.InvalidArgument(name, v, "a number of days from 1 on is expected")
	}
	return int(n), nil
}

// WriteLifecycle writes a LifecycleConfiguration.
func WriteLifecycle(x *ossxml.Writer, l *object.Lifecycle) {
	x.Start("LifecycleConfiguration")
	for i := range l.Rules {
		lifecycleRule(x, &l.Rules[i])
	}
	x.End("LifecycleConfiguration")
}

func lifecycleRule(x *ossxml.Writer, r *object.LifecycleRule) {
	x.Start("Rule")
	x.Text("ID", r.ID)
	x.Text("Prefix", r.Prefix)
	x.Text("Status", map[bool]string{true: "Enabled", false: "Disabled"}[r.Enabled])
	for _, t := range r.Tags {
		lifecycleTag(x, t)
	}
	if len(r.Not) > 0 || r.SizeGreaterThan > 0 || r.SizeLessThan > 0 {
		lifecycleFilter(x, r)
	}
	if r.Expiration != nil {
		x.Start("Expiration")
		lifecycleAge(x, *r.Expiration)
		x.End("Expiration")
	}
	if r.ExpiredDeleteMarker {
		x.Start("Expiration")
		x.Bool("ExpiredObjectDeleteMarker", true)
		x.End("Expiration")
	}
	for _, t := range r.Transitions {
		x.Start("Transition")
		lifecycleAge(x, t.LifecycleAge)
		x.Text("StorageClass", t.StorageClass.String())
		x.End("Transition")
	}
	if r.AbortUploads != nil {
		x.Start("AbortMultipartUpload")
		lifecycleAge(x, *r.AbortUploads)
		x.End("AbortMultipartUpload")
	}
	if r.NoncurrentExpiration > 0 {
		x.Start("NoncurrentVersionExpiration")
		x.Int("NoncurrentDays", int64(r.NoncurrentExpiration))
		x.End("NoncurrentVersionExpiration")
	}
	for _, t := range r.NoncurrentTransitions {
		x.Start("NoncurrentVersionTransition")
		x.Int("NoncurrentDays", int64(t.Days))
		x.Text("StorageClass", t.StorageClass.String())
		x.End("NoncurrentVersionTransition")
	}
	x.End("Rule")
}

func lifecycleFilter(x *ossxml.Writer, r *object.LifecycleRule) {
	x.Start("Filter")
	if r.SizeGreaterThan > 0 {
		x.Int("ObjectSizeGreaterThan", r.SizeGreaterThan)
	}
	if r.SizeLessThan > 0 {
		x.Int("ObjectSizeLessThan", r.SizeLessThan)
	}
	for _, n := range r.Not {
		x.Start("Not")
		x.Text("Prefix", n.Prefix)
		if n.Tag != nil {
			lifecycleTag(x, *n.Tag)
		}
		x.End("Not")
	}
	x.End("Filter")
}

func lifecycleTag(x *ossxml.Writer, t object.Tag) {
	x.Start("Tag")
	x.Text("Key", t.Key)
	x.Text("Value", t.Value)
	x.End("Tag")
}

func lifecycleAge(x *ossxml.Writer, a object.LifecycleAge) {
	if a.Days > 0 {
		x.Int("Days", int64(a.Days))
	}
	if !a.Date.IsZero() {
		x.Time("Date", a.Date)
	}
	if !a.CreatedBefore.IsZero() {
		x.Time("CreatedBeforeDate", a.CreatedBefore)
	}
}
