package lifecycle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/clock"
	"github.com/stocktake/stocktake/internal/lifecycle"
	"github.com/stocktake/stocktake/internal/object"
)

// For any rules and any history of a bucket, each pass does what the documentation
// says. expected implements the documentation literally.
func TestPassesAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := clock.NewFrozen(date("2026-01-01T03:00:00Z"))
		m := newMemory(c.Now)
		rules := rapid.SliceOfN(drawRule(), 1, 4).Draw(t, "rules")
		for i := range rules {
			rules[i].ID = fmt.Sprint(i)
		}
		b := m.bucket("b", object.Versioning(rapid.IntRange(0, 2).Draw(t, "versioning")), rules...)
		w := newWorker(m, lifecycle.Options{Clock: c, Rate: 1 << 30, Parallel: rapid.IntRange(1, 3).Draw(t, "parallel")})
		w.SetPage(rapid.IntRange(1, 5).Draw(t, "page"))

		for range rapid.IntRange(1, 12).Draw(t, "days") {
			for range rapid.IntRange(0, 4).Draw(t, "changes") {
				change(t, m, b)
				if err := c.Advance(t.Context(), time.Duration(rapid.IntRange(0, 12).Draw(t, "hours"))*time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			before := m.state("b")
			want := expected(b, rules, c.Now())
			if _, err := w.RunOnce(t.Context(), "b"); err != nil {
				t.Fatal(err)
			}
			if got := masked(m.state("b")); !slices.Equal(got, want) {
				t.Fatalf("at %s, rules %+v\nbefore\n%s\nafter\n%s\nwant\n%s", c.Now(), rules,
					strings.Join(before, "\n"), strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if b.Versioning != object.Unversioned && rapid.IntRange(0, 9).Draw(t, "suspend") == 0 {
				b.Versioning = object.Enabled + object.Suspended - b.Versioning
			}
		}
	})
}

var keys = []string{"a", "a/b", "a/c", "b", "c"}

func change(t *rapid.T, m *memory, b *memoryBucket) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
	case op < 6:
		m.put("b", key, func(v *object.Info) {
			v.Size = int64(rapid.IntRange(0, 3).Draw(t, "size"))
			v.Tags = rapid.SliceOfNDistinct(drawTag(), 0, 2, func(t object.Tag) string { return t.Key }).Draw(t, "tags")
			v.Type = rapid.SampledFrom([]stocktake.ObjectType{stocktake.Normal, stocktake.Symlink, stocktake.Appendable}).Draw(t, "type")
			v.Sealed = v.Type == stocktake.Appendable && rapid.Bool().Draw(t, "sealed")
			v.StorageClass = stocktake.StorageClass(rapid.IntRange(0, 2).Draw(t, "class"))
		})
	case op < 8:
		if b.Versioning != object.Unversioned {
			m.put("b", key, func(v *object.Info) { v.IsDeleteMarker, v.Size = true, 0 })
		}
	case op < 9 && len(b.versions) > 0:
		i := rapid.IntRange(0, len(b.versions)-1).Draw(t, "removed")
		b.versions = slices.Delete(b.versions, i, i+1)
	default:
		m.upload("b", key, m.now())
	}
}

func drawTag() *rapid.Generator[object.Tag] {
	return rapid.Custom(func(t *rapid.T) object.Tag {
		return object.Tag{Key: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "key"), Value: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")}
	})
}

func drawAge() *rapid.Generator[object.LifecycleAge] {
	return rapid.Custom(func(t *rapid.T) (a object.LifecycleAge) {
		d := date("2026-01-01T00:00:00Z").AddDate(0, 0, rapid.IntRange(0, 10).Draw(t, "date"))
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			a.Date = d
		case 1:
			a.CreatedBefore = d
		default:
			a.Days = rapid.IntRange(1, 6).Draw(t, "days")
		}
		return a
	})
}

func drawRule() *rapid.Generator[object.LifecycleRule] {
	return rapid.Custom(func(t *rapid.T) (r object.LifecycleRule) {
		r.Enabled = rapid.IntRange(0, 5).Draw(t, "enabled") > 0
		r.Prefix = rapid.SampledFrom([]string{"", "", "a", "a/", "b", "z"}).Draw(t, "prefix")
		if rapid.Bool().Draw(t, "selective") {
			r.Tags = rapid.SliceOfN(drawTag(), 0, 1).Draw(t, "tags")
			r.SizeGreaterThan = int64(rapid.IntRange(0, 2).Draw(t, "greater"))
			r.SizeLessThan = int64(rapid.IntRange(0, 3).Draw(t, "less"))
			for range rapid.IntRange(0, 2).Draw(t, "nots") {
				n := object.LifecycleNot{Prefix: r.Prefix + rapid.SampledFrom([]string{"", "/", "a"}).Draw(t, "not")}
				if rapid.Bool().Draw(t, "by tag") {
					n.Tag = new(drawTag().Draw(t, "not tag"))
				}
				r.Not = append(r.Not, n)
			}
		}
		if rapid.Bool().Draw(t, "expires") {
			r.Expiration = new(drawAge().Draw(t, "expiration"))
		}
		for range rapid.IntRange(0, 3).Draw(t, "steps") {
			r.Transitions = append(r.Transitions, object.LifecycleTransition{
				LifecycleAge: drawAge().Draw(t, "age"), StorageClass: stocktake.StorageClass(rapid.IntRange(1, 4).Draw(t, "to")),
			})
		}
		r.ExpiredDeleteMarker = rapid.Bool().Draw(t, "markers")
		r.NoncurrentExpiration = rapid.IntRange(0, 4).Draw(t, "noncurrent")
		for range rapid.IntRange(0, 2).Draw(t, "noncurrent steps") {
			r.NoncurrentTransitions = append(r.NoncurrentTransitions, to(stocktake.StorageClass(rapid.IntRange(1, 4).Draw(t, "to")), rapid.IntRange(1, 4).Draw(t, "days")))
		}
		if rapid.Bool().Draw(t, "aborts") {
			r.AbortUploads = new(drawAge().Draw(t, "abort"))
		}
		return r
	})
}

// The model. It counts in whole seconds since 1970, does not order rules, and
// considers one key at a time.

const daySeconds = 24 * 60 * 60

// full reports whether an age has come at the instant at.
func full(a object.LifecycleAge, since, at time.Time) bool {
	if a.Days > 0 {
		firstMidnight := (since.Unix() + daySeconds - 1) / daySeconds
		return at.Unix() >= (firstMidnight+int64(a.Days))*daySeconds
	}
	if a.CreatedBefore.IsZero() {
		return at.Unix() >= a.Date.Unix()
	}
	return since.Unix() < a.CreatedBefore.Unix() && at.Unix() >= a.CreatedBefore.Unix()
}

func applies(r *object.LifecycleRule, v object.Info, tagsAndSizes bool) bool {
	ok := r.Enabled && strings.HasPrefix(v.Key, r.Prefix)
	for _, n := range r.Not {
		excluded := strings.HasPrefix(v.Key, n.Prefix)
		if n.Tag != nil {
			excluded = excluded && tagsAndSizes && slices.Contains(v.Tags, *n.Tag)
		}
		ok = ok && !excluded
	}
	if tagsAndSizes {
		for _, tag := range r.Tags {
			ok = ok && slices.Contains(v.Tags, tag)
		}
		ok = ok && (r.SizeGreaterThan == 0 || v.Size > r.SizeGreaterThan) && (r.SizeLessThan == 0 || v.Size < r.SizeLessThan)
	}
	return ok
}

// expected is the state after a pass at the instant now, ids of new markers
// masked.
func expected(b *memoryBucket, rules []object.LifecycleRule, now time.Time) (lines []string) {
	for i := 0; i < len(b.versions); {
		end := i + 1
		for end < len(b.versions) && b.versions[end].Key == b.versions[i].Key {
			end++
		}
		lines = append(lines, expectedKey(b, b.versions[i:end], rules, now)...)
		i = end
	}
	for _, u := range b.uploads {
		aborted := false
		for i := range rules {
			r := &rules[i]
			aborted = aborted || r.AbortUploads != nil && applies(r, object.Info{Key: u.Key}, false) && full(*r.AbortUploads, u.Initiated, now)
		}
		if !aborted {
			lines = append(lines, "upload "+u.Key)
		}
	}
	return masked(lines)
}

func expectedKey(b *memoryBucket, versions []object.Info, rules []object.LifecycleRule, now time.Time) (lines []string) {
	marker := ""
	for i, v := range versions {
		deleted, class := false, v.StorageClass
		for j := range rules {
			r := &rules[j]
			switch {
			case i == 0 && v.IsDeleteMarker:
				deleted = deleted || r.ExpiredDeleteMarker && len(versions) == 1 && applies(r, v, false)
			case !applies(r, v, true):
			case i == 0:
				deleted = deleted || r.Expiration != nil && full(*r.Expiration, v.LastModified, now)
				class = reached(v, class, r.Transitions, v.LastModified, now)
			default:
				since := versions[i-1].LastModified
				deleted = deleted || r.NoncurrentExpiration > 0 && full(object.LifecycleAge{Days: r.NoncurrentExpiration}, since, now)
				class = reached(v, class, r.NoncurrentTransitions, since, now)
			}
		}
		if b.Versioning == object.Unversioned {
			v.VersionID = ""
		}
		if deleted && i == 0 && !v.IsDeleteMarker && b.Versioning != object.Unversioned {
			id := object.NullVersion
			if b.Versioning == object.Enabled {
				id = "v?"
			}
			marker = v.Key + " " + id + " marker"
			deleted = false // it stays as a noncurrent version, unless it is the null version and the marker, too
			class = v.StorageClass
		}
		if marker != "" && strings.Contains(marker, " "+object.NullVersion+" ") && v.VersionID == object.NullVersion {
			deleted = true // replaced by the marker
		}
		if deleted {
			continue
		}
		if class != v.StorageClass && class >= stocktake.ColdArchive {
			v.TransitionTime = now
		}
		v.StorageClass = class
		lines = append(lines, line(v))
	}
	if marker != "" {
		lines = append([]string{marker}, lines...)
	}
	return lines
}

// reached is the class that v is moved to, at least class.
func reached(v object.Info, class stocktake.StorageClass, steps []object.LifecycleTransition, since, now time.Time) stocktake.StorageClass {
	for _, s := range steps {
		held := v.Type == stocktake.Symlink || v.IsDeleteMarker ||
			v.Type == stocktake.Appendable && !v.Sealed && (s.StorageClass == stocktake.ColdArchive || s.StorageClass == stocktake.DeepColdArchive)
		if !held && full(s.LifecycleAge, since, now) {
			class = max(class, s.StorageClass)
		}
	}
	return class
}

// masked replaces the ids of markers that are current, which the model cannot
// know if they are new.
func masked(lines []string) []string {
	lines = slices.Clone(lines)
	for i, l := range lines {
		f := strings.Fields(l)
		first := i == 0 || strings.Fields(lines[i-1])[0] != f[0]
		if first && len(f) == 3 && f[2] == "marker" && f[1] != object.NullVersion {
			lines[i] = f[0] + " v? marker"
		}
	}
	return lines
}
