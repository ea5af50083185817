package inventory_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
	_ "time/tzdata" // so that the golden files do not depend on the machine's zones

	"pgregory.net/rapid"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/inventory"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a golden file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; see what -update changes. Got:\n%s", path, got)
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func monthly(day int) stocktake.Schedule {
	return stocktake.Schedule{Frequency: stocktake.Monthly, DayOfMonth: day}
}

// TestNextOverAYear lists every due time of a year and some days.
func TestNextOverAYear(t *testing.T) {
	weekly := stocktake.Schedule{Frequency: stocktake.Weekly}
	once := stocktake.Schedule{Frequency: stocktake.Once}
	for _, tt := range []struct {
		name     string
		schedule stocktake.Schedule
		zone     string // "" means the default
		hour     int
		created  string
	}{
		{"daily", daily, "", 0, "2026-01-05T10:00:00+08:00"},
		{"daily-leap-year", daily, "", 0, "2028-01-05T10:00:00+08:00"},
		{"weekly", weekly, "", 0, "2026-01-08T10:00:00+08:00"}, // a Thursday
		{"weekly-day-of-utc8", weekly, "", 0, "2026-01-07T20:00:00Z"},
		{"weekly-late-hour", weekly, "", 23, "2026-01-08T10:00:00+08:00"},
		{"monthly-1", monthly(1), "", 0, "2026-01-05T10:00:00+08:00"},
		{"monthly-28", monthly(28), "", 0, "2026-01-05T10:00:00+08:00"},
		{"monthly-29", monthly(29), "", 0, "2026-01-05T10:00:00+08:00"},
		{"monthly-29-leap-year", monthly(29), "", 0, "2028-01-05T10:00:00+08:00"},
		{"monthly-30", monthly(30), "", 0, "2026-01-05T10:00:00+08:00"},
		{"monthly-31", monthly(31), "", 0, "2026-01-31T10:00:00+08:00"},
		{"monthly-31-leap-year", monthly(31), "", 5, "2028-01-31T03:00:00+08:00"},
		{"monthly-every-30-days", monthly(0), "", 0, "2026-01-31T10:00:00+08:00"},
		{"once", once, "", 0, "2026-01-05T10:00:00+08:00"},
		{"daily-berlin-2", daily, "Europe/Berlin", 2, "2026-01-05T10:00:00Z"},
		{"daily-havana-0", daily, "America/Havana", 0, "2026-01-05T10:00:00Z"},
		{"daily-havana-1", daily, "America/Havana", 1, "2026-01-05T10:00:00Z"},
		{"daily-lord-howe-2", daily, "Australia/Lord_Howe", 2, "2026-01-05T10:00:00Z"},
		{"daily-apia-without-a-day", daily, "Pacific/Apia", 0, "2011-12-01T10:00:00Z"},
		{"weekly-new-york-2", weekly, "America/New_York", 2, "2026-01-04T10:00:00Z"}, // a Sunday
		{"monthly-31-new-york-2", monthly(31), "America/New_York", 2, "2026-01-04T10:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			work := inventory.DayStart{Hour: tt.hour}
			show := time.FixedZone("UTC+8", 8*60*60)
			if tt.zone != "" {
				work.Zone = zone(t, tt.zone)
				show = work.Zone
			}
			created, err := time.Parse(time.RFC3339, tt.created)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			fmt.Fprintf(&out, "created %s, hour %d\n", created.In(show).Format("Mon 2006-01-02T15:04:05Z07:00"), tt.hour)
			end := created.AddDate(1, 1, 0)
			for due := inventory.Next(tt.schedule, created, created, work); !due.IsZero() && due.Before(end); due = inventory.Next(tt.schedule, created, due, work) {
				fmt.Fprintf(&out, "%s  %s\n", due.Format("2006-01-02T15:04:05Z"), due.In(show).Format("Mon 2006-01-02T15:04:05Z07:00"))
			}
			golden(t, filepath.Join("next", tt.name+".txt"), out.Bytes())
		})
	}
}

// TestNextIsTheFirst checks what holds for every schedule: the next time is later,
// within the period, and at the beginning of the hour or after a gap; times in between
// have the same next time.
func TestNextIsTheFirst(t *testing.T) {
	zones := []*time.Location{
		nil, time.UTC, zone(t, "Europe/Berlin"), zone(t, "America/Havana"), zone(t, "Australia/Lord_Howe"),
		zone(t, "Pacific/Apia"), zone(t, "Antarctica/Troll"), zone(t, "Africa/Cairo"),
	}
	rapid.Check(t, func(t *rapid.T) {
		work := inventory.DayStart{Zone: rapid.SampledFrom(zones).Draw(t, "zone"), Hour: rapid.IntRange(0, 23).Draw(t, "hour")}
		schedule := rapid.SampledFrom([]stocktake.Schedule{
			daily, {Frequency: stocktake.Weekly}, monthly(0), monthly(rapid.IntRange(1, 31).Draw(t, "day")),
		}).Draw(t, "schedule")
		start := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
		created := time.Unix(start+rapid.Int64Range(0, 25*365*86400).Draw(t, "created"), 0)
		after := created.Add(time.Duration(rapid.Int64Range(-3*365*86400, 3*365*86400).Draw(t, "after")) * time.Second)

		next := inventory.Next(schedule, created, after, work)
		longest := map[stocktake.Frequency]time.Duration{stocktake.Daily: 50, stocktake.Weekly: 14*24 + 2, stocktake.Monthly: 62*24 + 2}[schedule.Frequency] * time.Hour
		if !next.After(after) || next.Sub(after) > longest {
			t.Fatalf("after %v comes %v", after, next)
		}
		until := next
		if created.After(after) && created.Before(next) { // on the day of created itself another rule counts
			until = created
		}
		between := after.Add(time.Duration(rapid.Int64Range(0, int64(until.Sub(after))-1).Draw(t, "between")))
		if again := inventory.Next(schedule, created, between, work); !again.Equal(next) {
			t.Fatalf("after %v comes %v, but after %v comes %v", after, next, between, again)
		}
		local := next
		if work.Zone != nil {
			local = next.In(work.Zone)
		} else {
			local = next.In(time.FixedZone("", 8*60*60))
		}
		if local.Hour() != work.Hour || local.Minute() != 0 {
			// Only possible because the clocks have just been put forward.
			start, _ := local.ZoneBounds()
			if !start.Equal(next) {
				t.Fatalf("due at %v, want the hour %d", local, work.Hour)
			}
		}
	})
}

func BenchmarkNext(b *testing.B) {
	created := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	work := inventory.DayStart{Zone: zone(b, "Europe/Berlin"), Hour: 2}
	after := created.AddDate(6, 0, 0)
	b.ReportAllocs()
	for b.Loop() {
		inventory.Next(monthly(31), created, after, work)
	}
}
