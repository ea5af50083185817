package systemtest

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
	"github.com/stocktake/stocktake/internal/store"
	"github.com/stocktake/stocktake/internal/store/seed"
	"github.com/stocktake/stocktake/internal/testserver"
	"github.com/stocktake/stocktake/report"
)

// manyObjects is the number of objects in the inventories.
const manyObjects = 300_000

// numbered yields n objects without bytes. An audit would report seeded objects that have a
// blob.
func numbered(n int) iter.Seq[object.Info] {
	return func(yield func(object.Info) bool) {
		for i := range n {
			o := object.Info{Key: fmt.Sprintf("photos/%03d/%08d.jpg", i/1000, i), IsLatest: true, LastModified: time.UnixMilli(int64(1e12 + i))}
			o.ETag.Sum[0] = byte(i)
			if !yield(o) {
				return
			}
		}
	}
}

// fill makes a data folder with a bucket of many objects and a bucket for reports.
func fill(t *testing.T, data string) {
	t.Helper()
	bucket := object.Bucket{Name: "reports", Owner: testserver.AccountID, ACL: stocktake.Private, Redundancy: "LRS"}
	_, err := seed.Bucket(t.Context(), data, bucket, numbered(0))
	check(t, err)
	bucket.Name = "many"
	n, err := seed.Bucket(t.Context(), data, bucket, numbered(manyObjects))
	check(t, err)
	if n != manyObjects {
		t.Fatalf("%d objects", n)
	}
}

func putInventory(t *testing.T, c *wire, id string) {
	t.Helper()
	c.must(t, to("PUT", "many", "", "inventory", "", "inventoryId", id).with([]byte(`<InventoryConfiguration><Id>`+id+`</Id><IsEnabled>true</IsEnabled>`+
		`<Destination><OSSBucketDestination><Format>CSV</Format><AccountId>`+testserver.AccountID+`</AccountId>`+
		`<RoleArn>acs:ram::`+testserver.AccountID+`:role/writer</RoleArn><Bucket>acs:oss:::reports</Bucket></OSSBucketDestination></Destination>`+
		`<Schedule><Frequency>Weekly</Frequency></Schedule><IncludedObjectVersions>Current</IncludedObjectVersions>`+
		`<OptionalFields><Field>Size</Field><Field>ETag</Field></OptionalFields></InventoryConfiguration>`)))
}

// runsOf returns the runs of a configuration, the newest first.
func runsOf(t *testing.T, c *wire, id string) []stocktake.Run {
	t.Helper()
	a := c.must(t, to("GET", "many", "", "inventory", "", "inventoryId", id, "x-oss-stocktake", "runs"))
	var doc struct {
		Runs []stocktake.Run `json:"runs"`
	}
	check(t, json.Unmarshal(a.body, &doc))
	return doc.Runs
}

// ended waits until all runs of a configuration have ended.
func ended(t *testing.T, c *wire, id string) []stocktake.Run {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		runs := runsOf(t, c, id)
		if len(runs) > 0 && !runs[0].Ended.IsZero() {
			return runs
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the run does not end: %+v", runs)
		}
	}
}

// killsBetweenChecks is how often the server is killed before the reports are checked and
// removed. A history keeps 100 runs of a configuration, and the reports of thousands of runs
// would fill the disk.
const killsBetweenChecks = 40

// TestKillDuringRuns kills the server during inventory runs. Each run ends with one complete
// report, and the bucket for reports contains nothing else.
func TestKillDuringRuns(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	fill(t, data)
	ids := []string{"first", "second"}
	args := []string{"--shard-rows", "20000"}
	kills := max(3, rounds(t, killsVariable, 3)/2)
	checked := map[string]bool{} // ids of the runs that made the removed reports
	attempts := 0
	for round := 0; round < kills; {
		for last := min(round+killsBetweenChecks, kills); round < last; round++ {
			killDuringRun(t, data, args, ids, round)
		}
		s := start(t, data, args...)
		c := newWire(s)
		manifests := map[string]bool{}
		for _, id := range ids {
			for _, r := range ended(t, c, id) {
				if checked[r.ID] {
					continue
				}
				checked[r.ID] = true
				attempts += r.Attempt
				if r.State != stocktake.Succeeded || r.Matched != manyObjects || manifests[r.Manifest] {
					t.Errorf("run of %s: %+v", id, r)
				}
				manifests[r.Manifest] = true
			}
		}
		c.client.CloseIdleConnections()
		check(t, s.Stop())
		a := inspect(t, data)
		t.Logf("%d kills, %d runs in %d attempts: %v", round, len(checked), attempts, a)
		checkReports(t, filepath.Clean(data), manifests)
		removeReports(t, filepath.Clean(data))
		if t.Failed() {
			return
		}
	}
}

// killDuringRun starts the server and a run of one of the configurations, and kills the server
// at a random time in the next 600 ms.
func killDuringRun(t *testing.T, data string, args, ids []string, round int) {
	t.Helper()
	s := start(t, data, args...)
	c := newWire(s)
	for i, id := range ids {
		switch {
		case round == 0:
			putInventory(t, c, id)
		case round%2 == i: // the other run may be interrupted
			ended(t, c, id)
			c.must(t, to("POST", "many", "", "inventory", "", "inventoryId", id, "x-oss-stocktake", "run"))
		}
	}
	killed := make(chan struct{})
	time.AfterFunc(rand.N(600*time.Millisecond), func() {
		s.Kill()
		close(killed)
	})
	<-killed
	c.client.CloseIdleConnections()
}

// removeReports empties the bucket for reports of a folder.
func removeReports(t *testing.T, data string) {
	t.Helper()
	st, err := store.Open(t.Context(), data, store.Options{})
	check(t, err)
	defer func() { check(t, st.Close()) }()
	bucket := st.Destination("reports", object.ByService("test"))
	for key, err := range bucket.List(t.Context(), "") {
		check(t, err)
		check(t, bucket.Remove(t.Context(), key))
	}
}

// checkReports checks that the bucket for reports of a folder contains these reports, all
// complete, and nothing else.
func checkReports(t *testing.T, data string, manifests map[string]bool) {
	t.Helper()
	st, err := store.Open(t.Context(), data, store.Options{})
	check(t, err)
	defer func() { check(t, st.Close()) }()
	bucket := st.Destination("reports", object.ByService("test"))
	named := map[string]bool{}
	for key := range manifests {
		v, err := report.Verify(t.Context(), bucket, key, report.VerifyOptions{})
		check(t, err)
		if !v.OK || v.Rows != manyObjects {
			t.Errorf("%s: %+v", key, v)
		}
		r, err := report.Open(t.Context(), bucket, key)
		check(t, err)
		for _, f := range r.Manifest.Files {
			if named[f.Key] {
				t.Errorf("two manifests name %s", f.Key)
			}
			named[f.Key] = true
		}
		for _, name := range []string{"manifest.json", "manifest.checksum", "manifest.rollup", "manifest.summary"} {
			named[path.Dir(key)+"/"+name] = true
		}
		base, minute := path.Split(path.Dir(key))
		started, err := time.Parse("2006-01-02T15-04Z", minute)
		check(t, err)
		named[base+"hive/dt="+started.Format("2006-01-02-15-04")+"/symlink.txt"] = true
	}
	for key, err := range bucket.List(t.Context(), "") {
		check(t, err)
		if !named[key] {
			t.Errorf("no report has %s", key)
		}
		delete(named, key)
	}
	for key := range named {
		if !strings.HasSuffix(key, "/") {
			t.Errorf("%s is missing", key)
		}
	}
}
