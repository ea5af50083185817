package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/catalog/catalogtest"
	"github.com/stocktake/stocktake/internal/catalog/sqlite"
	"github.com/stocktake/stocktake/internal/object"
)

func TestFullDisk(t *testing.T) {
	c := open(t, filepath.Join(t.TempDir(), "catalog.db"))
	if err := c.LimitPages(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	kept := 0
	var full error
	for full == nil {
		first := catalogtest.Queued("photos", fmt.Sprint(kept), fmt.Sprint(kept))
		if full = c.AddConfiguration(t.Context(), catalogtest.Entry("photos", fmt.Sprint(kept)), &first, catalogtest.Holder, 1000); full == nil {
			kept++
		}
	}
	if !errors.Is(full, object.ErrDiskFull) {
		t.Errorf("%v, want it to say that the disk is full", full)
	}
	n, err := c.CountConfigurations(t.Context())
	if err != nil || n != int64(kept) {
		t.Errorf("%d configurations, %v; %d puts succeeded", n, err, kept)
	}
	if _, err := c.Configuration(t.Context(), "photos", fmt.Sprint(kept)); !errors.Is(err, stocktake.ErrNoSuchInventory) {
		t.Errorf("the put that failed left %v", err)
	}
	if err := c.LimitPages(t.Context(), -1); err != nil {
		t.Fatal(err)
	}
	if err := c.AddConfiguration(t.Context(), catalogtest.Entry("photos", "again"), nil, catalogtest.Holder, 1000); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	newer := filepath.Join(dir, "newer.db")
	c, err := sqlite.Open(t.Context(), newer)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.SetVersion(t.Context(), 1000), c.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), newer); !errors.Is(err, sqlite.ErrNewer) {
		t.Errorf("a newer database: %v, want %v", err, sqlite.ErrNewer)
	}

	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), garbage); err == nil {
		t.Error("a file that is not a database was opened")
	}
	if _, err := sqlite.Open(t.Context(), filepath.Join(garbage, "catalog.db")); err == nil {
		t.Error("a database below a file was opened")
	}
	if _, err := sqlite.Open(t.Context(), dir); err == nil {
		t.Error("a folder was opened")
	}
}

// TestKill9 kills a process that puts configurations. All that it has reported
// exist, each with its run.
func TestKill9(t *testing.T) {
	const env = "STOCKTAKE_TEST_CATALOG"
	if path := os.Getenv(env); path != "" {
		putForEver(path)
	}
	path := filepath.Join(t.TempDir(), "catalog.db")
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill9$")
		cmd.Env = append(os.Environ(), env+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var reported []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if reported = append(reported, lines.Text()); len(reported) == 20+7*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed

		c, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range reported {
			if e, err := c.EntryStatus(t.Context(), "photos", id); err != nil || e.Last == nil {
				t.Errorf("round %d: %s was reported, but reads %+v, %v", round, id, e, err)
			}
		}
		if err := errors.Join(c.RemoveBucket(t.Context(), "photos"), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// putForEver reports each configuration after its put.
func putForEver(path string) {
	c, err := sqlite.Open(context.Background(), path)
	for i := 0; err == nil; i++ {
		id := fmt.Sprint(i)
		first := catalogtest.Queued("photos", id, id)
		if err = c.AddConfiguration(context.Background(), catalogtest.Entry("photos", id), &first, catalogtest.Holder, 1<<30); err == nil {
			fmt.Println(id)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
