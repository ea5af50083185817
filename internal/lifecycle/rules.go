package lifecycle

import (
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
)

// Rules are the enabled rules of a bucket. They are immutable and safe for
// concurrent use. The zero Rules do nothing.
type Rules struct {
	rules []object.LifecycleRule
}

// NewRules returns the enabled rules of l, which must not change afterwards; a nil
// l has none. It copies nothing if all rules are enabled.
func NewRules(l *object.Lifecycle) *Rules {
	r := new(Rules)
	switch {
	case l == nil:
		return r
	case !slices.ContainsFunc(l.Rules, func(one object.LifecycleRule) bool { return !one.Enabled }):
		r.rules = slices.Clip(l.Rules)
		return r
	}
	for i := range l.Rules {
		if l.Rules[i].Enabled {
			r.rules = append(r.rules, l.Rules[i])
		}
	}
	return r
}

// Empty reports whether there is nothing to do.
func (r *Rules) Empty() bool { return len(r.rules) == 0 }

// prefixes returns the key prefixes of all rules, sorted, without those that are
// within another one.
func (r *Rules) prefixes() []string {
	var all []string
	for i := range r.rules {
		all = append(all, r.rules[i].Prefix)
	}
	slices.Sort(all)
	var least []string
	for _, p := range all {
		if len(least) == 0 || !strings.HasPrefix(p, least[len(least)-1]) {
			least = append(least, p)
		}
	}
	return least
}

// within returns the rules that want accepts, for keys with the prefix, which is
// one of prefixes.
func (r *Rules) within(prefix string, want func(*object.LifecycleRule) bool) *Rules {
	some := new(Rules)
	for i := range r.rules {
		if strings.HasPrefix(r.rules[i].Prefix, prefix) && want(&r.rules[i]) {
			some.rules = append(some.rules, r.rules[i])
		}
	}
	return some
}

// untagged returns the rules as if every version had all tags that they demand: a
// version that these rules keep is kept whatever its tags are. It returns nil if no
// rule has tags.
func (r *Rules) untagged() *Rules {
	some, asked := new(Rules), false
	for _, one := range r.rules {
		asked = asked || len(one.Tags) > 0
		one.Tags = nil
		byTag := func(n object.LifecycleNot) bool { return n.Tag != nil }
		if slices.ContainsFunc(one.Not, byTag) {
			asked = true
			one.Not = slices.DeleteFunc(slices.Clone(one.Not), byTag)
		}
		some.rules = append(some.rules, one)
	}
	if !asked {
		return nil
	}
	return some
}

// hasVersionActions reports whether a rule has an action on versions, hasUploadActions
// whether it aborts uploads.
func hasVersionActions(r *object.LifecycleRule) bool {
	return r.Expiration != nil || r.ExpiredDeleteMarker || r.NoncurrentExpiration > 0 ||
		len(r.Transitions) > 0 || len(r.NoncurrentTransitions) > 0
}

func hasUploadActions(r *object.LifecycleRule) bool { return r.AbortUploads != nil }

// selects reports whether all conditions of r hold for a version.
func selects(r *object.LifecycleRule, v *object.Info) bool {
	if !strings.HasPrefix(v.Key, r.Prefix) ||
		r.SizeGreaterThan > 0 && v.Size <= r.SizeGreaterThan ||
		r.SizeLessThan > 0 && v.Size >= r.SizeLessThan {
		return false
	}
	for _, tag := range r.Tags {
		if !slices.Contains(v.Tags, tag) {
			return false
		}
	}
	for i := range r.Not {
		if not := &r.Not[i]; strings.HasPrefix(v.Key, not.Prefix) && (not.Tag == nil || slices.Contains(v.Tags, *not.Tag)) {
			return false
		}
	}
	return true
}

// selectsKey is selects for what has no tags and no size: uploads, and delete
// markers without other versions.
func selectsKey(r *object.LifecycleRule, key string) bool {
	if !strings.HasPrefix(key, r.Prefix) {
		return false
	}
	for i := range r.Not {
		if not := &r.Not[i]; not.Tag == nil && strings.HasPrefix(key, not.Prefix) {
			return false
		}
	}
	return true
}
