package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
)

func date(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func days(n int) *object.LifecycleAge { return &object.LifecycleAge{Days: n} }

func to(class stocktake.StorageClass, n int) object.LifecycleTransition {
	return object.LifecycleTransition{LifecycleAge: object.LifecycleAge{Days: n}, StorageClass: class}
}

// OSS's own example: with a rule of 1 day, objects uploaded before 08:00 in Beijing
// are deleted from 08:00 of the next day on, objects uploaded after it a day later.
func TestDaysAreRoundedUp(t *testing.T) {
	for _, tt := range []struct{ modified, due string }{
		{"2020-07-20T07:59:59+08:00", "2020-07-21T08:00:00+08:00"},
		{"2020-07-20T08:00:00+08:00", "2020-07-21T08:00:00+08:00"},
		{"2020-07-20T08:00:00.001+08:00", "2020-07-22T08:00:00+08:00"},
		{"2020-07-20T23:59:59+08:00", "2020-07-22T08:00:00+08:00"},
	} {
		rules := lifecycle.NewRules(&object.Lifecycle{Rules: []object.LifecycleRule{{ID: "r", Enabled: true, Expiration: days(1)}}})
		v := object.Info{Key: "k", IsLatest: true, LastModified: date(tt.modified)}
		at, id, ok := rules.Expiration(&v)
		if !ok || id != "r" || !at.Equal(date(tt.due)) {
			t.Errorf("modified %s: due %s, want %s", tt.modified, at, tt.due)
		}
		for _, d := range []struct {
			after time.Duration
			want  lifecycle.Kind
		}{{-time.Nanosecond, lifecycle.Keep}, {0, lifecycle.Expire}, {time.Hour, lifecycle.Expire}} {
			if got := rules.Decide(&v, lifecycle.Situation{Now: at.Add(d.after)}); got.Kind != d.want {
				t.Errorf("modified %s, %v after %s: %v, want %v", tt.modified, d.after, at, got.Kind, d.want)
			}
		}
	}
}

// now is noon of a day; a version modified d days ago was modified in the
// afternoon.
var now = date("2026-06-30T12:00:00Z")

func ago(d int) time.Time { return now.AddDate(0, 0, -d).Add(time.Hour) }

func TestDecide(t *testing.T) {
	type situation struct {
		replaced int // days ago
		alone    bool
	}
	current := func(age int, fill ...func(*object.Info)) object.Info {
		v := object.Info{Key: "logs/a", Size: 100, IsLatest: true, LastModified: ago(age)}
		for _, f := range fill {
			f(&v)
		}
		return v
	}
	old := func(fill ...func(*object.Info)) object.Info {
		v := current(400, fill...)
		v.IsLatest = false
		return v
	}
	class := func(c stocktake.StorageClass) func(*object.Info) {
		return func(v *object.Info) { v.StorageClass = c }
	}
	tags := func(tags ...object.Tag) func(*object.Info) { return func(v *object.Info) { v.Tags = tags } }
	marker := func(v *object.Info) { v.IsDeleteMarker, v.Size = true, 0 }
	typed := func(t stocktake.ObjectType) func(*object.Info) { return func(v *object.Info) { v.Type = t } }
	sealed := func(v *object.Info) { v.Sealed = true }
	a1, b2 := object.Tag{Key: "a", Value: "1"}, object.Tag{Key: "b", Value: "2"}
	type rule = object.LifecycleRule
	const (
		std  = stocktake.Standard
		ia   = stocktake.IA
		arch = stocktake.Archive
		cold = stocktake.ColdArchive
		deep = stocktake.DeepColdArchive
	)
	ladder := []object.LifecycleTransition{to(ia, 30), to(arch, 60), to(cold, 90), to(deep, 120)}

	for _, tt := range []struct {
		name  string
		rules []rule
		v     object.Info
		s     situation
		want  string // "kind class rule"
	}{
		{"not due", []rule{{Expiration: days(10)}}, current(10), situation{}, "keep"},
		{"due", []rule{{Expiration: days(10)}}, current(11), situation{}, "expire 1"},
		{"another prefix", []rule{{Prefix: "log/", Expiration: days(1)}}, current(9), situation{}, "keep"},
		{"prefix", []rule{{Prefix: "logs/", Expiration: days(1)}}, current(9), situation{}, "expire 1"},
		{"the whole key as prefix", []rule{{Prefix: "logs/a", Expiration: days(1)}}, current(9), situation{}, "expire 1"},

		{"a tag is missing", []rule{{Tags: []object.Tag{a1, b2}, Expiration: days(1)}}, current(9, tags(a1)), situation{}, "keep"},
		{"a tag has another value", []rule{{Tags: []object.Tag{a1}, Expiration: days(1)}}, current(9, tags(object.Tag{Key: "a", Value: "2"})), situation{}, "keep"},
		{"more tags than asked for", []rule{{Tags: []object.Tag{a1}, Expiration: days(1)}}, current(9, tags(b2, a1)), situation{}, "expire 1"},

		{"not that prefix", []rule{{Not: []object.LifecycleNot{{Prefix: "logs/a"}}, Expiration: days(1)}}, current(9), situation{}, "keep"},
		{"not another prefix", []rule{{Not: []object.LifecycleNot{{Prefix: "logs/b"}}, Expiration: days(1)}}, current(9), situation{}, "expire 1"},
		{"not that prefix with a tag it lacks", []rule{{Not: []object.LifecycleNot{{Prefix: "logs/", Tag: &a1}}, Expiration: days(1)}}, current(9), situation{}, "expire 1"},
		{"not that tag", []rule{{Not: []object.LifecycleNot{{Tag: &a1}}, Expiration: days(1)}}, current(9, tags(a1)), situation{}, "keep"},
		{"one of several nots", []rule{{Not: []object.LifecycleNot{{Prefix: "x"}, {Prefix: "logs/"}}, Expiration: days(1)}}, current(9), situation{}, "keep"},
		{"a not is of its own rule only", []rule{{Not: []object.LifecycleNot{{Prefix: "logs/"}}, Expiration: days(1)}, {Expiration: days(2)}}, current(9), situation{}, "expire 2"},

		{"as large as the bound below", []rule{{SizeGreaterThan: 100, Expiration: days(1)}}, current(9), situation{}, "keep"},
		{"larger than the bound below", []rule{{SizeGreaterThan: 99, Expiration: days(1)}}, current(9), situation{}, "expire 1"},
		{"as large as the bound above", []rule{{SizeLessThan: 100, Expiration: days(1)}}, current(9), situation{}, "keep"},
		{"smaller than the bound above", []rule{{SizeLessThan: 101, Expiration: days(1)}}, current(9), situation{}, "expire 1"},

		{"created before a date", []rule{{Expiration: &object.LifecycleAge{CreatedBefore: date("2026-06-21T00:00:00Z")}}}, current(10), situation{}, "expire 1"},
		{"created after a date", []rule{{Expiration: &object.LifecycleAge{CreatedBefore: date("2026-06-20T00:00:00Z")}}}, current(10), situation{}, "keep"},
		{"created before a date to come", []rule{{Expiration: &object.LifecycleAge{CreatedBefore: date("2026-07-01T00:00:00Z")}}}, current(10), situation{}, "keep"},
		{"from a date on", []rule{{Expiration: &object.LifecycleAge{Date: date("2026-06-30T00:00:00Z")}}}, current(1), situation{}, "expire 1"},
		{"from a date to come on", []rule{{Expiration: &object.LifecycleAge{Date: date("2026-07-01T00:00:00Z")}}}, current(10), situation{}, "keep"},

		{"first step", []rule{{Transitions: ladder}}, current(31), situation{}, "transition IA 1"},
		{"coldest step that is due", []rule{{Transitions: ladder}}, current(91), situation{}, "transition ColdArchive 1"},
		{"next step", []rule{{Transitions: ladder}}, current(61, class(ia)), situation{}, "transition Archive 1"},
		{"there already", []rule{{Transitions: ladder}}, current(61, class(arch)), situation{}, "keep"},
		{"never warmer", []rule{{Transitions: []object.LifecycleTransition{to(ia, 1)}}}, current(61, class(deep)), situation{}, "keep"},
		{"colder class of two rules", []rule{{Transitions: []object.LifecycleTransition{to(ia, 1)}}, {Transitions: []object.LifecycleTransition{to(arch, 1)}}}, current(9), situation{}, "transition Archive 2"},
		{"first of two rules that want the same", []rule{{Expiration: days(2)}, {Expiration: days(1)}}, current(9), situation{}, "expire 1"},
		{"deletion before transition", []rule{{Transitions: ladder}, {Expiration: days(365)}}, current(400), situation{}, "expire 2"},
		{"symlinks keep their class", []rule{{Transitions: ladder}}, current(400, typed(stocktake.Symlink)), situation{}, "keep"},
		{"symlinks expire", []rule{{Expiration: days(1)}}, current(400, typed(stocktake.Symlink)), situation{}, "expire 1"},
		{"appendable objects go as far as Archive", []rule{{Transitions: ladder}}, current(400, typed(stocktake.Appendable)), situation{}, "transition Archive 1"},
		{"and further when sealed", []rule{{Transitions: ladder}}, current(400, typed(stocktake.Appendable), sealed), situation{}, "transition DeepColdArchive 1"},

		{"a current version is not noncurrent", []rule{{NoncurrentExpiration: 1, NoncurrentTransitions: ladder}}, current(400), situation{}, "keep"},
		{"a noncurrent version is not current", []rule{{Expiration: days(1), Transitions: ladder}}, old(), situation{replaced: 300}, "keep"},
		{"replaced of late", []rule{{NoncurrentExpiration: 10}}, old(), situation{replaced: 10}, "keep"},
		{"replaced long ago", []rule{{NoncurrentExpiration: 10}}, old(), situation{replaced: 11}, "remove 1"},
		{"noncurrent step", []rule{{NoncurrentTransitions: ladder, NoncurrentExpiration: 365}}, old(), situation{replaced: 70}, "transition Archive 1"},
		{"noncurrent marker", []rule{{NoncurrentExpiration: 10}}, old(marker), situation{replaced: 11}, "remove 1"},
		{"noncurrent markers have no class", []rule{{NoncurrentTransitions: ladder}}, old(marker), situation{replaced: 70}, "keep"},

		{"marker alone", []rule{{ExpiredDeleteMarker: true}}, current(0, marker), situation{alone: true}, "remove 1"},
		{"marker alone, size bound", []rule{{ExpiredDeleteMarker: true, SizeGreaterThan: 5}}, current(0, marker), situation{alone: true}, "remove 1"},
		{"marker alone, excluded", []rule{{ExpiredDeleteMarker: true, Not: []object.LifecycleNot{{Prefix: "logs/"}}}}, current(0, marker), situation{alone: true}, "keep"},
		{"marker not alone", []rule{{ExpiredDeleteMarker: true}}, current(9, marker), situation{}, "keep"},
		{"markers do not expire", []rule{{Expiration: days(1)}}, current(9, marker), situation{alone: true}, "keep"},
		{"a single object is not a marker", []rule{{ExpiredDeleteMarker: true}}, current(9), situation{alone: true}, "keep"},
		{"no rules", nil, current(400, class(std)), situation{}, "keep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l object.Lifecycle
			for i, r := range tt.rules {
				r.ID, r.Enabled = string(rune('1'+i)), true
				l.Rules = append(l.Rules, r)
			}
			s := lifecycle.Situation{Now: now, Alone: tt.s.alone}
			if tt.s.replaced > 0 {
				s.Replaced = ago(tt.s.replaced)
			}
			a := lifecycle.NewRules(&l).Decide(&tt.v, s)
			got := a.Kind.String()
			if a.Kind == lifecycle.Transition {
				got += " " + a.Class.String()
			}
			if a.Kind != lifecycle.Keep {
				got += " " + a.Rule
			}
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			for i := range l.Rules {
				l.Rules[i].Enabled = false
			}
			if a := lifecycle.NewRules(&l).Decide(&tt.v, s); a.Kind != lifecycle.Keep {
				t.Errorf("disabled rules: %v", a)
			}
		})
	}
}

// OSS's example of NOT and of tags that overlap.
func TestRulesHaveTheirSayEach(t *testing.T) {
	k1, k2 := object.Tag{Key: "key1", Value: "value1"}, object.Tag{Key: "key2", Value: "value2"}
	rules := lifecycle.NewRules(&object.Lifecycle{Rules: []object.LifecycleRule{
		{ID: "rule1", Enabled: true, Not: []object.LifecycleNot{{Tag: &k1}}, Expiration: days(30)},
		{ID: "rule2", Enabled: true, Tags: []object.Tag{k2}, Expiration: days(50)},
	}})
	for _, tt := range []struct {
		name string
		tags []object.Tag
		days int
		rule string
	}{
		{"neither", nil, 30, "rule1"},
		{"the first only", []object.Tag{k1}, 0, ""},
		{"the second only", []object.Tag{k2}, 30, "rule1"},
		{"both", []object.Tag{k1, k2}, 50, "rule2"},
	} {
		v := object.Info{Key: "k", IsLatest: true, LastModified: date("2026-01-01T00:00:00Z"), Tags: tt.tags}
		at, rule, ok := rules.Expiration(&v)
		if rule != tt.rule || ok != (tt.days > 0) || ok && !at.Equal(v.LastModified.AddDate(0, 0, tt.days)) {
			t.Errorf("%s: %s by %q, want %d days by %q", tt.name, at, rule, tt.days, tt.rule)
		}
	}
}

func TestHeader(t *testing.T) {
	rules := lifecycle.NewRules(&object.Lifecycle{Rules: []object.LifecycleRule{
		{ID: "a \"rule\" of 100 %\n猫", Enabled: true, Prefix: "logs/", Expiration: days(30)},
		{ID: "moves", Enabled: true, Transitions: []object.LifecycleTransition{to(stocktake.IA, 1)}},
	}})
	v := object.Info{Key: "logs/a", IsLatest: true, LastModified: date("2024-05-23T10:00:00Z")}
	if got, want := rules.Header(&v), `expiry-date="Sun, 23 Jun 2024 00:00:00 GMT", rule-id="a %22rule%22 of 100 %25%0A%E7%8C%AB"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, v := range []object.Info{
		{Key: "other", IsLatest: true, LastModified: v.LastModified},
		{Key: "logs/a", LastModified: v.LastModified},
		{Key: "logs/a", IsLatest: true, IsDeleteMarker: true, LastModified: v.LastModified},
	} {
		if got := rules.Header(&v); got != "" {
			t.Errorf("%s of %+v", got, v)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	var l object.Lifecycle
	for i := range 10 {
		l.Rules = append(l.Rules, object.LifecycleRule{
			ID: "r", Enabled: true, Prefix: "logs/" + string(rune('0'+i)), Expiration: days(365),
			Transitions: []object.LifecycleTransition{to(stocktake.IA, 30), to(stocktake.Archive, 60)},
		})
	}
	rules := lifecycle.NewRules(&l)
	v := object.Info{Key: "logs/9/a", IsLatest: true, LastModified: ago(20)}
	s := lifecycle.Situation{Now: now}
	b.ReportAllocs()
	for b.Loop() {
		rules.Decide(&v, s)
	}
}
