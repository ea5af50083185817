package lifecycle

import (
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// An Action is the action of the rules on a version. The zero Action keeps it.
type Action struct {
	Kind  Kind
	Class stocktake.StorageClass // to move to, of a Transition
	Rule  string                 // id of the rule that demands it; empty for Keep
}

// A Kind is the kind of an action.
type Kind uint8

// The kinds, in ascending order of precedence.
const (
	Keep       Kind = iota
	Transition      // move the version to another class
	Expire          // delete the current version, as DeleteObject without a version id does
	Remove          // permanently remove a noncurrent version or a delete marker
)

var kindNames = [...]string{"keep", "transition", "expire", "remove"}

// String returns the name of the kind, for logs.
func (k Kind) String() string { return kindNames[min(int(k), len(kindNames)-1)] }

// before reports whether a takes precedence over b.
//
// Source: OSS user guide, "Priorities of lifecycle rules".
func (a *Action) before(b *Action) bool {
	if a.Kind != b.Kind {
		return a.Kind > b.Kind
	}
	return a.Kind == Transition && a.Class > b.Class
}

// A Situation has the input of Decide in addition to the version.
type Situation struct {
	Now time.Time

	// Replaced is when the version ceased to be the current one: when the next
	// newer version of its key was last modified. It is unused for a current one.
	Replaced time.Time

	Alone bool // the key has no other version
}

// Decide returns the action for a version now. It reads Key, IsLatest,
// IsDeleteMarker, Size, LastModified, Type, Sealed, StorageClass and Tags. If
// several rules demand the same action, it names the first. It does not allocate.
func (r *Rules) Decide(v *object.Info, s Situation) Action {
	var best Action
	for i := range r.rules {
		a := decide(&r.rules[i], v, &s)
		if a.before(&best) {
			best = a
		}
	}
	return best
}

// decide returns the action that one rule demands.
func decide(r *object.LifecycleRule, v *object.Info, s *Situation) Action {
	if v.IsDeleteMarker && v.IsLatest {
		if r.ExpiredDeleteMarker && s.Alone && selectsKey(r, v.Key) {
			return Action{Kind: Remove, Rule: r.ID}
		}
		return Action{}
	}
	if !selects(r, v) {
		return Action{}
	}
	if !v.IsLatest {
		days := object.LifecycleAge{Days: r.NoncurrentExpiration}
		if days.Days > 0 && isDue(&days, s.Replaced, s.Now) {
			return Action{Kind: Remove, Rule: r.ID}
		}
		return coldest(r.ID, r.NoncurrentTransitions, v, s.Replaced, s.Now)
	}
	if r.Expiration != nil && isDue(r.Expiration, v.LastModified, s.Now) {
		return Action{Kind: Expire, Rule: r.ID}
	}
	return coldest(r.ID, r.Transitions, v, v.LastModified, s.Now)
}

// coldest returns the move to the coldest class that is due and possible.
func coldest(id string, all []object.LifecycleTransition, v *object.Info, since, now time.Time) (a Action) {
	for i := range all {
		t := &all[i]
		if mayBecome(v, t.StorageClass) && isDue(&t.LifecycleAge, since, now) && (a.Kind == Keep || t.StorageClass > a.Class) {
			a = Action{Kind: Transition, Class: t.StorageClass, Rule: id}
		}
	}
	return a
}

// mayBecome reports whether a version can be moved to a class.
//
// Source: OSS user guide, "Lifecycle rules based on the last modified time",
// limits on the conversion of storage classes.
func mayBecome(v *object.Info, class stocktake.StorageClass) bool {
	switch {
	case v.IsDeleteMarker, class <= v.StorageClass, class >= stocktake.NumStorageClasses, v.Type == stocktake.Symlink:
		return false
	case v.Type == stocktake.Appendable && !v.Sealed:
		return class < stocktake.ColdArchive
	}
	return true
}

// hasTransitionTime reports whether TransitionTime records moves to a class.
//
// Source: OSS API reference, HeadObject, x-oss-transition-time; OSS user guide,
// bucket inventory, field TransitionTime.
func hasTransitionTime(class stocktake.StorageClass) bool { return class >= stocktake.ColdArchive }
