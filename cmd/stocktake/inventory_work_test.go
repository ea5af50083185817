package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
)

// The tables name each machine, and each task with who works on it.
func TestPrintWork(t *testing.T) {
	now := time.Now()
	work := stocktake.Work{
		Machines: []stocktake.Machine{
			{ID: "1", Name: "east", Roles: []string{"worker", "scheduler"}, Version: "v1", Started: now.Add(-2 * time.Hour), Seen: now, Slices: 2, Scheduler: true},
			{ID: "2", Name: "west", Roles: []string{"api"}, Started: now, Seen: now},
		},
		Runs: []stocktake.RunWork{
			{Run: stocktake.Run{ID: "r1", Bucket: "photos", Configuration: "daily"}, Machine: "1", Name: "east", Tasks: []stocktake.RunTask{
				{Kind: stocktake.TaskSlice, State: stocktake.TaskWorking, Attempt: 2, Machine: "1", Name: "east", Since: now, Listed: 1234, Bytes: 5 << 20},
				{Kind: stocktake.TaskSlice, State: stocktake.TaskWaiting, Attempt: 1, Since: now},
			}},
			{Run: stocktake.Run{ID: "r2", Bucket: "photos", Configuration: "weekly", State: stocktake.Publishing}},
		},
		Waiting: 17,
	}
	var out strings.Builder
	if err := printWork(&out, &work, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`east +worker,scheduler +v1 +2h0m ago +0s ago +1 of 2 +yes`,
		`west +api +- +0s ago +0s ago +- +-`,
		`photos +daily +r1 +east +slice +working +2 +east +0s ago +1,234 +5`,
		`photos +daily +r1 +east +slice +waiting +1 +- `,
		`photos +weekly +r2 +- +- +publishing`,
		`(?m)^17 runs wait$`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%s\nhas no %s", out.String(), want)
		}
	}
	if strings.Contains(out.String(), "no machine has") {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	work.Machines = work.Machines[1:]
	if err := printWork(&out, &work, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"no machine has the role worker: runs wait until one starts\n", "no machine has the role scheduler: nothing falls due until one starts\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nhas no %s", out.String(), want)
		}
	}
	if got := workersOf(&work.Runs[0]); got != "east" {
		t.Errorf("%q work on the run", got)
	}
}
