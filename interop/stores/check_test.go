package stores_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// A trial is what stocktake store check prints with --json.
type trial struct {
	OK                                                 bool
	Versions, ConditionalWrites, Checksums, Encryption string // yes, no or unknown
	PageSize                                           int
	PageFull                                           bool
}

// checked returns the result of stocktake store check for a server, with a bucket without
// versions and one with versions and more keys than a page has.
func checked(t *testing.T, s service) [][2]string {
	t.Helper()
	at := s.where()
	plain, versioned := s.newBucket(t), s.newBucket(t)
	s.enableVersions(t, versioned)
	fill(t, s, versioned, 1001)
	settings := at.settings(t, map[string]string{"lake-plain": plain, "lake-versioned": versioned})
	binary := at.build(t)
	try := func(bucket string) (result trial) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, "store", "check", "lake", "--config", settings, "--bucket", bucket, "--json")
		cmd.Env = append(os.Environ(), "LAKE_ACCESS_KEY_ID="+at.key, "LAKE_ACCESS_KEY_SECRET="+at.secret)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := json.Unmarshal(out, &result); err != nil {
			t.Fatal(err)
		}
		return result
	}
	a, b := try("lake-plain"), try("lake-versioned")
	if !a.OK || !b.OK || !b.PageFull || a.Versions != "no" {
		t.Errorf("store check says\n%+v\n%+v", a, b)
	}
	both := func(of func(*trial) string) string {
		x, y := of(&a), of(&b)
		if x == y {
			return x
		}
		return fmt.Sprintf("%s; %s in a bucket with versions", x, y)
	}
	return [][2]string{
		{"`store check`: versions", b.Versions},
		{"`store check`: conditional writes", both(func(t *trial) string { return t.ConditionalWrites })},
		{"`store check`: checksums", both(func(t *trial) string { return t.Checksums })},
		{"`store check`: encryption", both(func(t *trial) string { return t.Encryption })},
		{"`store check`: page of a listing", fmt.Sprintf("%d rows", b.PageSize)},
	}
}

// fill puts n objects.
func fill(t *testing.T, s service, bucket string, n int) {
	t.Helper()
	const writers = 16
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < n && !t.Failed(); i += writers {
				s.put(t, bucket, fmt.Sprintf("k%05d", i))
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
