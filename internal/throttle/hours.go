package throttle

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Hours are the hours of a day in which a store may be used. The zero value means
// always.
type Hours struct {
	from, to int // minutes since midnight; equal: always
	zone     *time.Location
}

// ParseHours parses hours such as "22:00-06:00 Europe/Berlin": from the first time
// to the second, which may be on the next day, in a zone of the IANA database.
// Without a zone the times are in UTC. Empty text means always, as does a range
// with two equal times.
func ParseHours(text string) (Hours, error) {
	if text == "" {
		return Hours{}, nil
	}
	wrong := func(reason string) error {
		return fmt.Errorf("hours %.100q: %s; an example is %q", text, reason, "22:00-06:00 Europe/Berlin")
	}
	span, zone, _ := strings.Cut(text, " ")
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		return Hours{}, wrong("a beginning and an end are expected")
	}
	h := Hours{zone: time.UTC}
	for part, minutes := range map[string]*int{from: &h.from, to: &h.to} {
		t, err := time.Parse("15:04", part)
		if err != nil || len(part) != len("15:04") {
			return Hours{}, wrong(fmt.Sprintf("%q is not a time of day", part))
		}
		*minutes = t.Hour()*60 + t.Minute()
	}
	if from == to {
		return Hours{}, nil
	}
	if zone != "" {
		var err error
		if h.zone, err = time.LoadLocation(zone); err != nil || zone == "Local" {
			return Hours{}, wrong(fmt.Sprintf("unknown time zone %q", zone))
		}
	}
	return h, nil
}

// open reports whether the store may be used at t.
func (h Hours) open(t time.Time) bool {
	if h.from == h.to {
		return true
	}
	t = t.In(h.zone)
	now := t.Hour()*60 + t.Minute()
	if h.from < h.to {
		return h.from <= now && now < h.to
	}
	return now >= h.from || now < h.to
}

// Next returns when the store may be used: t, or the beginning of the next hours.
// If clocks are put forward past the beginning, it is the time of that change.
func (h Hours) Next(t time.Time) time.Time {
	if h.open(t) {
		return t
	}
	local := t.In(h.zone)
	for day := range 3 {
		at := time.Date(local.Year(), local.Month(), local.Day()+day, h.from/60, h.from%60, 0, 0, h.zone)
		if at.After(t) {
			return at
		}
	}
	return t // unreachable: there is a beginning each day
}

// longestWait is how long a wait for the hours lasts before the clock, which may be
// set meanwhile, is read again.
const longestWait = 10 * time.Minute

// wait waits for the hours.
func (h Hours) wait(ctx context.Context) error {
	for {
		now := time.Now()
		if h.open(now) {
			return ctx.Err()
		}
		if err := sleep(ctx, min(max(h.Next(now).Sub(now), time.Second), longestWait)); err != nil {
			return err
		}
	}
}
