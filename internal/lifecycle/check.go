package lifecycle

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// Limits of the rules of a bucket.
//
// Source: OSS user guide, "Lifecycle rules based on the last modified time".
const (
	MaxRules  = 1000
	MaxNots   = 100  // of one rule
	MaxTotal  = 1000 // Nots of all rules
	maxID     = 255  // characters
	maxSize   = 5 << 40
	maxDays   = 36500
	maxTagKey = 128 // characters
	maxTag    = 256 // characters of a value
)

// ErrMixedAges reports a rule with one action due by days and another due by a
// date.
var ErrMixedAges = errors.New("the rule mixes dates and days")

// Check validates rules as PutBucketLifecycle does. overlap is the request's
// x-oss-allow-same-action-overlap. The error is a
// *stocktake.InvalidArgumentError, an *OverlapError or ErrMixedAges.
//
// OSS documents no rule for dates except that they are midnights, so no other
// rule is checked here.
//
// Source: OSS API reference, PutBucketLifecycle; OSS error codes 0014-00000013
// to 0014-00000089.
func Check(l *object.Lifecycle, overlap bool) error {
	if n := len(l.Rules); n == 0 || n > MaxRules {
		return invalid("Rule", strconv.Itoa(n), "0014-00000013", fmt.Sprintf("a bucket has 1 to %d rules", MaxRules))
	}
	ids, nots := make(map[string]bool, len(l.Rules)), 0
	for i := range l.Rules {
		r := &l.Rules[i]
		if err := checkRule(r); err != nil {
			return err
		}
		if ids[r.ID] {
			return invalid("ID", r.ID, "0014-00000020", "another rule has the same")
		}
		ids[r.ID] = true
		nots += len(r.Not)
	}
	if nots > MaxTotal {
		return invalid("Filter/Not", strconv.Itoa(nots), "", fmt.Sprintf("the rules of a bucket have at most %d", MaxTotal))
	}
	return checkOverlaps(l.Rules, overlap)
}

func invalid(element, value, ec, reason string) error {
	if len(value) > 200 {
		value = value[:200]
	}
	return &stocktake.InvalidArgumentError{Element: element, Value: value, EC: ec, Reason: reason}
}

func checkRule(r *object.LifecycleRule) error {
	if n := utf8.RuneCountInString(r.ID); n == 0 || n > maxID {
		return invalid("ID", r.ID, "0014-00000019", fmt.Sprintf("it has 1 to %d characters", maxID))
	}
	if !hasVersionActions(r) && !hasUploadActions(r) {
		return invalid("Rule", r.ID, "0014-00000026", "the rule does nothing")
	}
	for _, check := range []func(*object.LifecycleRule) error{checkSelection, checkNots, checkExclusive, checkAges, checkOrder, checkMixed} {
		if err := check(r); err != nil {
			return err
		}
	}
	return nil
}

func checkSelection(r *object.LifecycleRule) error {
	if r.Prefix != "" && !stocktake.ValidKey(r.Prefix) {
		return invalid("Prefix", r.Prefix, "", "no name of an object can start with it")
	}
	for i, t := range r.Tags {
		if n := utf8.RuneCountInString(t.Key); n == 0 || n > maxTagKey || utf8.RuneCountInString(t.Value) > maxTag {
			return invalid("Tag", t.Key, "", "no object can have the tag")
		}
		for _, other := range r.Tags[:i] {
			if other.Key == t.Key {
				return invalid("Tag", t.Key, "", "the rule has a tag of the same key")
			}
		}
	}
	switch {
	case r.SizeGreaterThan < 0 || r.SizeGreaterThan >= maxSize:
		return invalid("Filter/ObjectSizeGreaterThan", strconv.FormatInt(r.SizeGreaterThan, 10), "", "1 byte to 5 TB are expected")
	case r.SizeLessThan < 0 || r.SizeLessThan > maxSize:
		return invalid("Filter/ObjectSizeLessThan", strconv.FormatInt(r.SizeLessThan, 10), "", "1 byte to 5 TB are expected")
	case r.SizeLessThan > 0 && r.SizeGreaterThan >= r.SizeLessThan:
		return invalid("Filter/ObjectSizeLessThan", strconv.FormatInt(r.SizeLessThan, 10), "", "it must be more than ObjectSizeGreaterThan")
	}
	return nil
}

// checkNots requires a prefix or a tag in each Not. The reference of OSS
// requires a prefix, its console and examples require either.
func checkNots(r *object.LifecycleRule) error {
	if len(r.Not) > MaxNots {
		return invalid("Filter/Not", strconv.Itoa(len(r.Not)), "0014-00000089", fmt.Sprintf("a rule has at most %d", MaxNots))
	}
	for i := range r.Not {
		n := &r.Not[i]
		switch {
		case n.Prefix == "" && n.Tag == nil:
			return invalid("Filter/Not", "", "", "it needs a prefix or a tag")
		case n.Prefix != "" && !strings.HasPrefix(n.Prefix, r.Prefix):
			return invalid("Filter/Not/Prefix", n.Prefix, "0014-00000035", "it must start with the prefix of the rule")
		case n.Prefix == r.Prefix && n.Tag == nil:
			return invalid("Filter/Not/Prefix", n.Prefix, "", "without a tag it excludes all that the rule selects")
		case n.Tag != nil && slices.Contains(r.Tags, *n.Tag):
			return invalid("Filter/Not/Tag", n.Tag.Key, "0014-00000036", "the rule selects objects with the same tag")
		}
	}
	return nil
}

// checkExclusive refuses elements that exclude each other: parts and delete
// markers have neither tags nor sizes.
func checkExclusive(r *object.LifecycleRule) error {
	sized := r.SizeGreaterThan > 0 && r.SizeLessThan > 0
	switch {
	case hasUploadActions(r) && len(r.Tags) > 0:
		return invalid("AbortMultipartUpload", "", "0014-00000027", "it cannot be given together with Tag")
	case r.ExpiredDeleteMarker && len(r.Tags) > 0:
		return invalid("Expiration/ExpiredObjectDeleteMarker", "true", "0014-00000027", "it cannot be given together with Tag")
	case hasUploadActions(r) && len(r.Not) > 0:
		return invalid("AbortMultipartUpload", "", "", "it cannot be given together with Filter/Not")
	case hasUploadActions(r) && sized:
		return invalid("AbortMultipartUpload", "", "", "it cannot be given together with both bounds of the size")
	case r.ExpiredDeleteMarker && sized:
		return invalid("Expiration/ExpiredObjectDeleteMarker", "true", "", "it cannot be given together with both bounds of the size")
	case r.ExpiredDeleteMarker && r.Expiration != nil:
		return invalid("Expiration/ExpiredObjectDeleteMarker", "true", "0014-00000059", "it cannot be given together with Days or CreatedBeforeDate")
	}
	return nil
}
