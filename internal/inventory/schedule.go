package inventory

import (
	"hash/fnv"
	"time"

	"github.com/stocktake/stocktake"
)

// A DayStart is the time of day at which scheduled runs are due.
type DayStart struct {
	Zone *time.Location // nil means UTC+8, where OSS counts its days
	Hour int            // 0 to 23
}

// beijing is the zone of OSS's nightly batch. It has no daylight saving time, so
// that no zone data is needed for the default.
var beijing = time.FixedZone("UTC+8", 8*60*60)

func (ds DayStart) zone() *time.Location {
	if ds.Zone == nil {
		return beijing
	}
	return ds.Zone
}

// Next returns the first time after after at which a configuration falls due that
// was put at created; the zero time if it never does. It is a function of its
// arguments alone, so that the times missed while no server ran can be computed.
//
//	Daily    every day at the hour
//	Weekly   every week on the weekday of created, from the week after
//	Monthly  on the day of the month, or the last day of a shorter month;
//	         without a day: every 30 days from the day of created
//	Once     never: its single run starts when it is put
//
// If created is after after, the clock was ahead when the configuration was put: created then
// counts as whole periods earlier.
//
// An hour that daylight saving time skips begins when the clocks have been put forward; of an hour
// that occurs twice, the first counts.
//
// Source: OSS developer guide, bucket inventory; see spec inventory-report.md,
// section 1.
func Next(s stocktake.Schedule, created, after time.Time, day DayStart) time.Time {
	switch s.Frequency {
	case stocktake.Daily:
		return day.every(after, after, 1)
	case stocktake.Weekly:
		return day.everyFrom(day.notAfter(created, after, 7), after, 7)
	case stocktake.Monthly:
		if s.DayOfMonth == 0 {
			return day.everyFrom(day.notAfter(created, after, 30), after, 30)
		}
		return day.monthly(after, s.DayOfMonth)
	}
	return time.Time{}
}

// plan sets the first due time of e after after.
func (s *Service) plan(e *Entry, after time.Time) {
	e.Due, e.Wake = time.Time{}, time.Time{}
	if e.Suspended || !e.Configuration.IsEnabled {
		return
	}
	e.Due = Next(e.Configuration.Schedule, e.Created, after, s.opts.DayStart)
	e.Wake = s.wakeOf(e, e.Due)
}

// wakeOf returns when the scheduler makes the run of e that is due at due.
func (s *Service) wakeOf(e *Entry, due time.Time) time.Time {
	if due.IsZero() || s.opts.Spread == 0 {
		return due
	}
	h := fnv.New64a()
	name := e.Bucket + "\x00" + e.Configuration.ID
	if s.shares(e.Bucket) {
		name = e.Bucket // runs of a bucket that are due together run together
	}
	_, _ = h.Write([]byte(name)) // never fails
	// In whole milliseconds, so that it is stored exactly.
	return due.Add(time.Duration(h.Sum64()%uint64(s.opts.Spread)) / time.Millisecond * time.Millisecond)
}

// notAfter returns created or, if that is after after, the same time of day whole periods earlier.
func (ds DayStart) notAfter(created, after time.Time, days int) time.Time {
	if !created.After(after) {
		return created
	}
	local := created.In(ds.zone())
	periods := (civilDays(local)-civilDays(after.In(ds.zone())))/days + 1
	return local.AddDate(0, 0, -periods*days)
}

// everyFrom does what every does, except for the day of created itself, whose run was the first.
func (ds DayStart) everyFrom(created, after time.Time, days int) time.Time {
	if last := ds.at(created.In(ds.zone()).Date()); after.Before(last) {
		after = last
	}
	return ds.every(created, after, days)
}

// every returns the first due time after after on the days that lie a multiple of
// days from the day of origin, which is not after after.
func (ds DayStart) every(origin, after time.Time, days int) time.Time {
	y, m, d := origin.In(ds.zone()).Date()
	passed := civilDays(after.In(ds.zone())) - civilDays(origin.In(ds.zone()))
	for n := passed / days; ; n++ {
		if t := ds.at(y, m, d+n*days); t.After(after) {
			return t
		}
	}
}

// civilDays numbers the calendar days of t's zone.
func civilDays(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

func (ds DayStart) monthly(after time.Time, day int) time.Time {
	y, m, _ := after.In(ds.zone()).Date()
	for ; ; m++ {
		last := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if t := ds.at(y, m, min(day, last)); t.After(after) {
			return t
		}
	}
}

// at returns the instant at which a calendar day's hour begins.
func (ds DayStart) at(y int, m time.Month, d int) time.Time {
	wall := time.Date(y, m, d, ds.Hour, 0, 0, 0, time.UTC) // the reading of the clock, as if it were UTC
	t := time.Date(y, m, d, ds.Hour, 0, 0, 0, ds.zone())
	start, end := t.ZoneBounds()

	switch shown := wallClock(t); {
	case shown.After(wall): // skipped, and t is after the gap, which start ended
		t = start
	case shown.Before(wall): // skipped, and t is before the gap, which begins at end
		t = end
	case !start.IsZero():
		// It occurs twice if the zone before start also showed it.
		_, offset := start.Add(-1).Zone()
		if first := wall.Add(-time.Duration(offset) * time.Second); first.Before(start) {
			t = first
		}
	}
	return t.UTC()
}

// wallClock returns the wall clock time at t, as if it were UTC.
func wallClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// now returns the time as it is stored and shown.
func (s *Service) now() time.Time { return s.clock.Now().Truncate(time.Millisecond) }

// wake makes Serve check what has changed, and look for free runs: there may be some, or a
// place for one.
func (s *Service) wake() {
	s.mayTake.Store(true)
	s.nudge()
}

// nudge makes Serve check what has changed; the clock is held until it has. It does not look
// for free runs, which is a costly question where there are many.
func (s *Service) nudge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latch.Hold()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// wakeAt makes Serve check at t what is due; the zero time means never.
func (s *Service) wakeAt(t time.Time) {
	s.mu.Lock()
	sooner := !t.IsZero() && (s.next.IsZero() || t.Before(s.next))
	if sooner {
		s.next = t
	}
	s.mu.Unlock()
	if sooner {
		s.nudge()
	}
}

// checkWhenLate makes Serve check a queued run at the time at which it becomes late.
func (s *Service) checkWhenLate(r *stocktake.Run) {
	if s.opts.LateAfter < 0 || r.Late {
		return
	}
	at := r.Due.Add(s.opts.LateAfter)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nextLate.IsZero() || at.Before(s.nextLate) {
		s.nextLate = at
	}
}
