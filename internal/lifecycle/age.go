package lifecycle

import (
	"net/http"
	"time"

	"github.com/stocktake/stocktake/internal/object"
)

const day = 24 * time.Hour

// midnight returns the first midnight UTC that is not before t.
func midnight(t time.Time) time.Time {
	m := t.UTC().Truncate(day)
	if m.Before(t) {
		m = m.Add(day)
	}
	return m
}

// dueAt returns when an age that counts days from since is due; false if never.
func dueAt(a *object.LifecycleAge, since time.Time) (time.Time, bool) {
	switch {
	case a.Days > 0:
		return midnight(since).AddDate(0, 0, a.Days), true
	case !a.Date.IsZero():
		return a.Date, true
	case !a.CreatedBefore.IsZero():
		return a.CreatedBefore, since.Before(a.CreatedBefore)
	}
	return time.Time{}, false
}

func isDue(a *object.LifecycleAge, since, now time.Time) bool {
	at, ok := dueAt(a, since)
	return ok && !now.Before(at)
}

// Expiration returns when a version is due to be deleted and by which rule: the
// earliest time, and the first rule of several. It returns false if no rule
// deletes the version or if it is not the current one.
func (r *Rules) Expiration(v *object.Info) (at time.Time, rule string, ok bool) {
	if !v.IsLatest || v.IsDeleteMarker {
		return time.Time{}, "", false
	}
	for i := range r.rules {
		one := &r.rules[i]
		if one.Expiration == nil || !selects(one, v) {
			continue
		}
		if t, due := dueAt(one.Expiration, v.LastModified); due && (!ok || t.Before(at)) {
			at, rule, ok = t, one.ID, true
		}
	}
	return at, rule, ok
}

// Header returns the value of x-oss-expiration for a version, or "" for no header.
//
//	expiry-date="Sun, 23 Jun 2024 00:00:00 GMT", rule-id="rule"
func (r *Rules) Header(v *object.Info) string {
	at, rule, ok := r.Expiration(v)
	if !ok {
		return ""
	}
	value := append(at.UTC().AppendFormat([]byte(`expiry-date="`), http.TimeFormat), `", rule-id="`...)
	for _, c := range []byte(rule) {
		// An id may hold characters that a header may not.
		if c < ' ' || c == '"' || c == '%' || c >= 0x7f {
			const hex = "0123456789ABCDEF"
			value = append(value, '%', hex[c>>4], hex[c&15])
			continue
		}
		value = append(value, c)
	}
	return string(append(value, '"'))
}
