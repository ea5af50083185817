package lifecycle_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
)

func TestCheckRule(t *testing.T) {
	a1 := object.Tag{Key: "a", Value: "1"}
	before := func(s string) *object.LifecycleAge { return &object.LifecycleAge{CreatedBefore: date(s)} }
	for _, tt := range []struct {
		name        string
		rule        object.LifecycleRule
		element, ec string // empty: accepted
	}{
		{"days", object.LifecycleRule{Expiration: days(1)}, "", ""},
		{"a date", object.LifecycleRule{Expiration: before("2026-01-01T00:00:00Z")}, "", ""},
		{"steps", object.LifecycleRule{Transitions: []object.LifecycleTransition{to(stocktake.IA, 30), to(stocktake.Archive, 31)}, Expiration: days(32)}, "", ""},
		{"steps out of order", object.LifecycleRule{Transitions: []object.LifecycleTransition{to(stocktake.DeepColdArchive, 9), to(stocktake.IA, 3)}}, "", ""},
		{"everything of noncurrent versions", object.LifecycleRule{ExpiredDeleteMarker: true, NoncurrentExpiration: 9, NoncurrentTransitions: []object.LifecycleTransition{to(stocktake.IA, 3)}}, "", ""},
		{"uploads", object.LifecycleRule{Prefix: "a/", AbortUploads: days(1)}, "", ""},
		{"not a tag", object.LifecycleRule{Not: []object.LifecycleNot{{Tag: &a1}}, Expiration: days(1)}, "", ""},
		{"not a prefix", object.LifecycleRule{Prefix: "dir", Not: []object.LifecycleNot{{Prefix: "dir1"}, {Prefix: "dir2", Tag: &a1}}, Expiration: days(1)}, "", ""},
		{"not the same prefix with a tag", object.LifecycleRule{Prefix: "dir", Not: []object.LifecycleNot{{Prefix: "dir", Tag: &a1}}, Expiration: days(1)}, "", ""},
		{"sizes", object.LifecycleRule{SizeGreaterThan: 500, SizeLessThan: 64500, Expiration: days(40)}, "", ""},
		{"dates in either order", object.LifecycleRule{
			Expiration:  before("2023-01-18T00:00:00Z"),
			Transitions: []object.LifecycleTransition{{LifecycleAge: *before("2023-02-19T00:00:00Z"), StorageClass: stocktake.Archive}},
		}, "", ""},

		{"nothing to do", object.LifecycleRule{}, "Rule", "0014-00000026"},
		{"a long id", object.LifecycleRule{ID: strings.Repeat("猫", 256), Expiration: days(1)}, "ID", "0014-00000019"},
		{"a prefix of no key", object.LifecycleRule{Prefix: "/a", Expiration: days(1)}, "Prefix", ""},
		{"a long prefix", object.LifecycleRule{Prefix: strings.Repeat("a", 1024), Expiration: days(1)}, "Prefix", ""},
		{"a tag twice", object.LifecycleRule{Tags: []object.Tag{a1, {Key: "a", Value: "2"}}, Expiration: days(1)}, "Tag", ""},
		{"a tag without a key", object.LifecycleRule{Tags: []object.Tag{{}}, Expiration: days(1)}, "Tag", ""},
		{"sizes that leave nothing", object.LifecycleRule{SizeGreaterThan: 5, SizeLessThan: 5, Expiration: days(1)}, "Filter/ObjectSizeLessThan", ""},
		{"a size beyond all objects", object.LifecycleRule{SizeGreaterThan: 5 << 40, Expiration: days(1)}, "Filter/ObjectSizeGreaterThan", ""},
		{"a negative size", object.LifecycleRule{SizeLessThan: -1, Expiration: days(1)}, "Filter/ObjectSizeLessThan", ""},

		{"not nothing", object.LifecycleRule{Not: []object.LifecycleNot{{}}, Expiration: days(1)}, "Filter/Not", ""},
		{"not a foreign prefix", object.LifecycleRule{Prefix: "test", Not: []object.LifecycleNot{{Prefix: "log"}}, Expiration: days(1)}, "Filter/Not/Prefix", "0014-00000035"},
		{"not its own prefix", object.LifecycleRule{Prefix: "test", Not: []object.LifecycleNot{{Prefix: "test"}}, Expiration: days(1)}, "Filter/Not/Prefix", ""},
		{"not its own tag", object.LifecycleRule{Tags: []object.Tag{a1}, Not: []object.LifecycleNot{{Tag: &a1}}, Expiration: days(1)}, "Filter/Not/Tag", "0014-00000036"},
		{"nots", object.LifecycleRule{Not: make([]object.LifecycleNot, 101), Expiration: days(1)}, "Filter/Not", "0014-00000089"},

		{"uploads by tag", object.LifecycleRule{Tags: []object.Tag{a1}, AbortUploads: days(1)}, "AbortMultipartUpload", "0014-00000027"},
		{"uploads and not", object.LifecycleRule{Not: []object.LifecycleNot{{Prefix: "a"}}, AbortUploads: days(1)}, "AbortMultipartUpload", ""},
		{"uploads by size", object.LifecycleRule{SizeGreaterThan: 1, SizeLessThan: 5, AbortUploads: days(1)}, "AbortMultipartUpload", ""},
		{"markers by tag", object.LifecycleRule{Tags: []object.Tag{a1}, ExpiredDeleteMarker: true}, "Expiration/ExpiredObjectDeleteMarker", "0014-00000027"},
		{"markers by size", object.LifecycleRule{SizeGreaterThan: 1, SizeLessThan: 5, ExpiredDeleteMarker: true}, "Expiration/ExpiredObjectDeleteMarker", ""},
		{"markers and days", object.LifecycleRule{ExpiredDeleteMarker: true, Expiration: days(1)}, "Expiration/ExpiredObjectDeleteMarker", "0014-00000059"},

		{"two ages", object.LifecycleRule{Expiration: &object.LifecycleAge{Days: 1, CreatedBefore: date("2026-01-01T00:00:00Z")}}, "Expiration", "0014-00000061"},
		{"no age", object.LifecycleRule{AbortUploads: &object.LifecycleAge{}}, "AbortMultipartUpload", "0014-00000073"},
		{"days below zero", object.LifecycleRule{Expiration: days(-1)}, "Expiration/Days", ""},
		{"too many days", object.LifecycleRule{Expiration: days(36501)}, "Expiration/Days", ""},
		{"no midnight", object.LifecycleRule{Expiration: before("2026-01-01T00:00:01Z")}, "Expiration/CreatedBeforeDate", ""},
		{"no midnight to begin at", object.LifecycleRule{Expiration: &object.LifecycleAge{Date: date("2026-01-01T08:00:00Z")}}, "Expiration/Date", ""},
		{"noncurrent days below zero", object.LifecycleRule{NoncurrentExpiration: -1, AbortUploads: days(1)}, "NoncurrentVersionExpiration/NoncurrentDays", ""},
		{"to Standard", object.LifecycleRule{Transitions: []object.LifecycleTransition{to(stocktake.Standard, 1)}}, "Transition/StorageClass", "0014-00000044"},
		{"to no class", object.LifecycleRule{NoncurrentTransitions: []object.LifecycleTransition{to(99, 1)}}, "NoncurrentVersionTransition/StorageClass", "0014-00000062"},
		{"noncurrent by date", object.LifecycleRule{NoncurrentTransitions: []object.LifecycleTransition{{LifecycleAge: *before("2026-01-01T00:00:00Z"), StorageClass: stocktake.IA}}}, "NoncurrentVersionTransition", ""},

		{"colder first", object.LifecycleRule{Transitions: []object.LifecycleTransition{to(stocktake.IA, 60), to(stocktake.Archive, 60)}}, "Transition/Days", ""},
		{"a class twice", object.LifecycleRule{Transitions: []object.LifecycleTransition{to(stocktake.IA, 60), to(stocktake.IA, 70)}}, "Transition/StorageClass", ""},
		{"days and dates", object.LifecycleRule{Transitions: []object.LifecycleTransition{to(stocktake.IA, 60), {LifecycleAge: *before("2026-01-01T00:00:00Z"), StorageClass: stocktake.Archive}}}, "Transition", "0014-00000080"},
		{"gone before it moves", object.LifecycleRule{Transitions: []object.LifecycleTransition{to(stocktake.IA, 30)}, Expiration: days(30)}, "Expiration/Days", ""},
		{"noncurrent gone before it moves", object.LifecycleRule{NoncurrentTransitions: []object.LifecycleTransition{to(stocktake.IA, 31)}, NoncurrentExpiration: 30}, "NoncurrentVersionExpiration/NoncurrentDays", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.rule.ID == "" {
				tt.rule.ID = "rule"
			}
			err := lifecycle.Check(&object.Lifecycle{Rules: []object.LifecycleRule{tt.rule}}, false)
			if tt.element == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e, ok := errors.AsType[*stocktake.InvalidArgumentError](err)
			if !ok || e.Element != tt.element || e.EC != tt.ec {
				t.Fatalf("%+v (%v), want %s, EC %q", e, err, tt.element, tt.ec)
			}
			if len(e.Value) > 200 {
				t.Errorf("a value of %d bytes", len(e.Value))
			}
		})
	}
}

// The text of OSS for steps in the wrong order.
func TestCheckNamesSteps(t *testing.T) {
	err := lifecycle.Check(&object.Lifecycle{Rules: []object.LifecycleRule{{
		ID: "r", Transitions: []object.LifecycleTransition{to(stocktake.IA, 60), to(stocktake.Archive, 30)},
	}}}, true)
	const want = "Days in the Transition action for StorageClass Archive must be more than the Transition action for StorageClass IA"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestCheckOverlaps(t *testing.T) {
	a1, a2 := object.Tag{Key: "a", Value: "1"}, object.Tag{Key: "a", Value: "2"}
	type rule = object.LifecycleRule
	ia := []object.LifecycleTransition{to(stocktake.IA, 30)}
	arch := []object.LifecycleTransition{to(stocktake.Archive, 60)}
	for _, tt := range []struct {
		name    string
		rules   []rule
		action  string // of the error; "-" if accepted
		allowed string // the same with overlaps allowed
	}{
		{"apart", []rule{{Prefix: "a", Expiration: days(1)}, {Prefix: "b", Expiration: days(1)}}, "-", "-"},
		{"OSS's example", []rule{{Prefix: "dir1/", Expiration: days(180)}, {Prefix: "dir1/dir2/", Transitions: ia, Expiration: days(60)}}, "Expiration", "-"},
		{"inner first", []rule{{Prefix: "test/log", Expiration: days(1)}, {Prefix: "test", Expiration: days(1)}}, "Expiration", "-"},
		{"sibling, then inner", []rule{{Prefix: "a", Expiration: days(1)}, {Prefix: "ab", Transitions: ia}, {Prefix: "ac", Expiration: days(2)}}, "Expiration", "-"},
		{"the whole bucket", []rule{{Prefix: "z", NoncurrentExpiration: 1}, {NoncurrentExpiration: 1}}, "NoncurrentVersionExpiration", "-"},
		{"markers count as expiration", []rule{{ExpiredDeleteMarker: true}, {Prefix: "daily/", Expiration: days(90)}}, "Expiration", "-"},
		{"other actions", []rule{{Expiration: days(9)}, {Prefix: "a", Transitions: ia}}, "-", "-"},
		{"the same class", []rule{{Transitions: ia}, {Prefix: "a", Transitions: ia}}, "Transition", "-"},
		{"other classes", []rule{{Transitions: ia}, {Prefix: "a", Transitions: arch}}, "-", "-"},
		{"the same class of noncurrent versions", []rule{{NoncurrentTransitions: ia}, {Prefix: "a", NoncurrentTransitions: ia}}, "NoncurrentVersionTransition", "-"},
		{"the same prefix", []rule{{Prefix: "test", Expiration: days(200)}, {Prefix: "test", Transitions: ia}}, "", "-"},
		{"other tags", []rule{{Tags: []object.Tag{a1}, Expiration: days(1)}, {Tags: []object.Tag{a2}, Expiration: days(2)}}, "-", "-"},
		{"the same tags", []rule{{Tags: []object.Tag{a1}, Expiration: days(1)}, {Prefix: "a", Tags: []object.Tag{a1}, Expiration: days(2)}}, "Expiration", "-"},
		{"excluded", []rule{{Not: []object.LifecycleNot{{Prefix: "dir/"}}, Expiration: days(50)}, {Prefix: "dir/", Expiration: days(100)}}, "-", "-"},
		{"excluded with a tag", []rule{{Not: []object.LifecycleNot{{Prefix: "dir/", Tag: &a1}}, Expiration: days(50)}, {Prefix: "dir/", Expiration: days(100)}}, "Expiration", "-"},
		{"uploads never", []rule{{AbortUploads: days(3)}, {Prefix: "a", AbortUploads: days(3)}}, "AbortMultipartUpload", "AbortMultipartUpload"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := object.Lifecycle{Rules: tt.rules}
			for i := range l.Rules {
				l.Rules[i].ID = fmt.Sprint(i)
			}
			for _, c := range []struct {
				allowed bool
				want    string
			}{{false, tt.action}, {true, tt.allowed}} {
				err := lifecycle.Check(&l, c.allowed)
				if c.want == "-" {
					if err != nil {
						t.Errorf("allowed %v: %v", c.allowed, err)
					}
					continue
				}
				e, ok := errors.AsType[*lifecycle.OverlapError](err)
				if !ok || e.Action != c.want || e.EC == "" || !strings.HasPrefix(e.Error(), "Overlap for same ") {
					t.Errorf("allowed %v: %#v, want %s", c.allowed, err, c.want)
				}
			}
		})
	}
}

func TestCheckAll(t *testing.T) {
	var l object.Lifecycle
	if err := lifecycle.Check(&l, false); err == nil {
		t.Error("no rule was accepted")
	}
	for i := range lifecycle.MaxRules {
		l.Rules = append(l.Rules, object.LifecycleRule{ID: fmt.Sprint(i), Prefix: fmt.Sprintf("%04d/", i), Expiration: days(1)})
	}
	check(t, lifecycle.Check(&l, false))
	if err := lifecycle.Check(&object.Lifecycle{Rules: append(l.Rules, object.LifecycleRule{ID: "x", Prefix: "x", Expiration: days(1)})}, false); err == nil {
		t.Error("1,001 rules were accepted")
	}
	l.Rules[7].ID = "9"
	if e, ok := errors.AsType[*stocktake.InvalidArgumentError](lifecycle.Check(&l, false)); !ok || e.EC != "0014-00000020" {
		t.Errorf("two rules of an id: %v", e)
	}
}

// The costliest rules that a client can send are checked quickly: all of one
// prefix, with overlaps allowed.
func TestCheckIsBounded(t *testing.T) {
	var l object.Lifecycle
	for i := range lifecycle.MaxRules {
		l.Rules = append(l.Rules, object.LifecycleRule{ID: fmt.Sprint(i), Expiration: days(1), Tags: []object.Tag{{Key: fmt.Sprint(i)}}})
	}
	start := time.Now()
	check(t, lifecycle.Check(&l, false))
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}
