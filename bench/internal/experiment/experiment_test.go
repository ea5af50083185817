package experiment

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/bench/internal/measure"
)

func TestMainSavesResults(t *testing.T) {
	if _, err := measure.ThisHost(t.Context(), t.TempDir(), "."); err != nil {
		t.Skip(err) // not in a checkout
	}
	dir, results := t.TempDir(), filepath.Join(t.TempDir(), "not", "there")
	m := New("some", "")
	var work string
	if err := m.Main(t.Context(), []string{"-dir", dir, "-results", results}, func(context.Context) error {
		if _, err := os.Stat(results); err != nil {
			t.Errorf("while it measures: %v", err)
		}
		work = m.Work
		m.Add("Part", time.Second, PerSecond(10, time.Second, "objects"))
		m.AddRatio("R", 2, "theirs over ours")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(work) != dir {
		t.Errorf("work in %s, want a folder of %s", work, dir)
	}
	if _, err := os.Stat(work); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the work folder is still there: %v", err)
	}
	saved, err := filepath.Glob(filepath.Join(results, "*-"+m.Results.Host.Class()+"-some.txt"))
	if err != nil || len(saved) != 1 {
		t.Fatalf("saved %q, %v", saved, err)
	}
	text, err := os.ReadFile(saved[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ratio R 2.00: theirs over ours\n", "command: go run . some\n", "BenchmarkPart-", "10 objects/s"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestMainFailsBeforeItMeasures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-results", filepath.Join(file, "below")},
		{"-results", file},
		{"-results", t.TempDir(), "-dir", filepath.Join(file, "below")},
		{"-results", t.TempDir(), "unexpected"},
	} {
		err := New("some", "").Main(t.Context(), args, func(context.Context) error {
			t.Errorf("%q: it measures", args)
			return nil
		})
		if err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
