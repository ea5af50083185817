package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/object"
)

// An OverlapError reports two rules for the same objects that exclude each other.
// OSS answers it with InvalidRequest.
type OverlapError struct {
	Action string // such as "Expiration"; empty: any action
	Rules  [2]string
	EC     string // OSS diagnostic code
}

// Error returns the message of OSS, where it is known.
func (e *OverlapError) Error() string {
	if e.Action == "" {
		return "Overlap for same prefix."
	}
	return fmt.Sprintf("Overlap for same action type %s", e.Action)
}

// Diagnostic codes of overlapping rules.
//
// Source: OSS error codes.
const (
	ecSameClass  = "0014-00000079"
	ecSameAction = "0014-00000084"
	ecSamePrefix = "0014-00000085"
)

// checkOverlaps compares each rule with those whose prefix contains its own. As in
// OSS's own examples, rules with different tags do not overlap. Neither do two
// rules if one excludes everything that the other selects. Rules for parts must not
// overlap even if allowed is true.
//
// It sorts the rules by prefix, so that the rules that contain a prefix form a
// chain before it: each of a thousand rules is compared with only a few.
func checkOverlaps(rules []object.LifecycleRule, allowed bool) error {
	sorted := make([]*object.LifecycleRule, len(rules))
	for i := range rules {
		sorted[i] = &rules[i]
	}
	slices.SortStableFunc(sorted, func(a, b *object.LifecycleRule) int { return strings.Compare(a.Prefix, b.Prefix) })
	var chain []*object.LifecycleRule // of rules whose prefix each contains the next
	for _, r := range sorted {
		for len(chain) > 0 && !strings.HasPrefix(r.Prefix, chain[len(chain)-1].Prefix) {
			chain = chain[:len(chain)-1]
		}
		for _, outer := range chain {
			if err := checkOverlap(outer, r, allowed); err != nil {
				return err
			}
		}
		chain = append(chain, r)
	}
	return nil
}

func checkOverlap(outer, inner *object.LifecycleRule, allowed bool) error {
	fail := func(action, ec string) error {
		return &OverlapError{Action: action, Rules: [2]string{outer.ID, inner.ID}, EC: ec}
	}
	if hasUploadActions(outer) && hasUploadActions(inner) {
		return fail("AbortMultipartUpload", ecSameAction)
	}
	if allowed || !sameTags(outer.Tags, inner.Tags) || excludes(outer, inner.Prefix) || excludes(inner, outer.Prefix) {
		return nil
	}
	deletes := func(r *object.LifecycleRule) bool { return r.Expiration != nil || r.ExpiredDeleteMarker }
	switch {
	case deletes(outer) && deletes(inner):
		return fail("Expiration", ecSameAction)
	case outer.NoncurrentExpiration > 0 && inner.NoncurrentExpiration > 0:
		return fail("NoncurrentVersionExpiration", ecSameAction)
	case sameClass(outer.Transitions, inner.Transitions):
		return fail("Transition", ecSameClass)
	case sameClass(outer.NoncurrentTransitions, inner.NoncurrentTransitions):
		return fail("NoncurrentVersionTransition", ecSameClass)
	case outer.Prefix == inner.Prefix:
		return fail("", ecSamePrefix)
	}
	return nil
}

func sameTags(a, b []object.Tag) bool {
	if len(a) != len(b) {
		return false
	}
	for _, t := range a {
		if !slices.Contains(b, t) {
			return false
		}
	}
	return true
}

// excludes reports whether r selects no key with the prefix.
func excludes(r *object.LifecycleRule, prefix string) bool {
	return slices.ContainsFunc(r.Not, func(n object.LifecycleNot) bool {
		return n.Tag == nil && strings.HasPrefix(prefix, n.Prefix)
	})
}

func sameClass(a, b []object.LifecycleTransition) bool {
	return slices.ContainsFunc(a, func(t object.LifecycleTransition) bool {
		return slices.ContainsFunc(b, func(u object.LifecycleTransition) bool { return t.StorageClass == u.StorageClass })
	})
}
