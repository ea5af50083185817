package datafolder_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stocktake/stocktake/internal/datafolder"
)

var now = time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a part as its kind wants it.
func write(t *testing.T, dir string, p datafolder.Part) {
	t.Helper()
	path := filepath.Join(dir, p.Name)
	switch p.Kind {
	case datafolder.Index, datafolder.Blobs:
		check(t, os.MkdirAll(path, 0o700))
		path = filepath.Join(path, "MANIFEST-000001")
	}
	check(t, os.WriteFile(path, []byte("{}"), 0o600))
}

// newFolder makes a folder with all parts, and registers them.
func newFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range datafolder.Parts() {
		write(t, dir, p)
	}
	made, err := datafolder.Register(dir, now)
	check(t, err)
	if !made {
		t.Fatal("no identity was made")
	}
	return dir
}

func lost(t *testing.T, err error) (names []string) {
	t.Helper()
	e, ok := errors.AsType[*datafolder.LossError](err)
	if !ok {
		t.Fatalf("%v is not a LossError", err)
	}
	for _, l := range e.Losses {
		names = append(names, l.Part.Name)
	}
	return names
}

func TestRegister(t *testing.T) {
	dir := t.TempDir()
	if err := datafolder.Check(dir, datafolder.Options{}); err != nil {
		t.Errorf("a new folder: %v", err)
	}
	all := datafolder.Parts()
	write(t, dir, all[0])
	made, err := datafolder.Register(dir, now)
	check(t, err)
	first, err := datafolder.Read(dir)
	check(t, err)
	want := datafolder.Identity{Version: 1, ID: first.ID, Created: now, Parts: map[string]time.Time{all[0].Name: now}}
	if diff := cmp.Diff(want, first); diff != "" || !made || first.ID == "" {
		t.Errorf("made %v (-want +got):\n%s", made, diff)
	}
	write(t, dir, all[1])
	later := now.Add(time.Hour)
	for range 2 {
		made, err = datafolder.Register(dir, later)
		check(t, err)
		if made {
			t.Error("another identity was made")
		}
	}
	second, err := datafolder.Read(dir)
	check(t, err)
	want.Parts[all[1].Name] = later
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("after another part (-want +got):\n%s", diff)
	}
}

// TestLosses loses each part in each way.
func TestLosses(t *testing.T) {
	for _, p := range datafolder.Parts() {
		ways := map[string]func(path string) error{"is missing": os.RemoveAll}
		empty := func(path string) error { return os.WriteFile(path, nil, 0o600) }
		switch p.Kind {
		case datafolder.Index:
			ways["is empty"] = func(path string) error { return os.Remove(filepath.Join(path, "MANIFEST-000001")) }
		case datafolder.Document:
			ways["is empty"] = empty
			ways["is damaged"] = func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) }
		case datafolder.Secret, datafolder.Database:
			ways["is empty"] = empty
		}
		for problem, lose := range ways {
			t.Run(p.Name+" "+problem, func(t *testing.T) {
				dir := newFolder(t)
				check(t, datafolder.Check(dir, datafolder.Options{}))
				check(t, lose(filepath.Join(dir, p.Name)))
				err := datafolder.Check(dir, datafolder.Options{})
				if got := lost(t, err); !slices.Equal(got, []string{p.Name}) {
					t.Errorf("lost: %q", got)
				}
				for _, want := range []string{dir, p.Holds, problem, "--accept-loss " + p.Name, "backup"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q does not say %q", err, want)
					}
				}
				if got := lost(t, datafolder.CheckParts(dir, p.Name)); len(got) != 1 {
					t.Errorf("lost of the part alone: %q", got)
				}
				check(t, datafolder.Check(dir, datafolder.Options{Unused: []string{p.Name}}))

				// A part that is lost is not registered again, nor forgotten.
				_, err = datafolder.Register(dir, now.Add(time.Hour))
				check(t, err)
				lost(t, datafolder.Check(dir, datafolder.Options{}))

				other := datafolder.CatalogName
				if p.Name == other {
					other = datafolder.AccountsName
				}
				givenUp, err := datafolder.AcceptLoss(dir, []string{other}, now, datafolder.Options{})
				check(t, err)
				if len(givenUp) != 0 {
					t.Errorf("given up, though whole: %q", givenUp)
				}
				lost(t, datafolder.Check(dir, datafolder.Options{}))
				givenUp, err = datafolder.AcceptLoss(dir, []string{p.Name}, now, datafolder.Options{})
				check(t, err)
				if !slices.Equal(givenUp, []string{p.Name}) {
					t.Errorf("given up: %q", givenUp)
				}
				check(t, datafolder.Check(dir, datafolder.Options{}))
				for _, name := range append([]string{p.Name}, p.With...) {
					if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
						t.Errorf("%s is still in its place", name)
					}
				}
				unknown, err := datafolder.Unknown(dir)
				check(t, err)
				if len(unknown) != 0 {
					t.Errorf("unknown: %q", unknown)
				}
			})
		}
	}
}

func TestDeeperChecks(t *testing.T) {
	dir := newFolder(t)
	opts := datafolder.Options{Damaged: map[string]func(string) error{
		datafolder.CatalogName: func(path string) error {
			if path != filepath.Join(dir, datafolder.CatalogName) {
				t.Errorf("asked about %s", path)
			}
			return errors.New("page 3 is noise")
		},
	}}
	err := datafolder.Check(dir, opts)
	if got := lost(t, err); !slices.Equal(got, []string{datafolder.CatalogName}) || !strings.Contains(err.Error(), "page 3 is noise") {
		t.Errorf("%v", err)
	}
	givenUp, err := datafolder.AcceptLoss(dir, []string{datafolder.CatalogName}, now, opts)
	check(t, err)
	if len(givenUp) != 1 {
		t.Errorf("given up: %q", givenUp)
	}
	aside, err := filepath.Glob(filepath.Join(dir, datafolder.CatalogName+".lost-*"))
	check(t, err)
	if len(aside) != 1 {
		t.Errorf("put aside: %q", aside)
	}
}

// A part that cannot be read for a reason of its own, such as a full disk, may be
// whole: it is not lost, and the error does not offer to give it up.
func TestNotChecked(t *testing.T) {
	dir := newFolder(t)
	opts := datafolder.Options{Damaged: map[string]func(string) error{
		datafolder.CatalogName: func(string) error { return fmt.Errorf("%w: no room", datafolder.ErrNotChecked) },
	}}
	err := datafolder.Check(dir, opts)
	if _, isLoss := errors.AsType[*datafolder.LossError](err); isLoss || !errors.Is(err, datafolder.ErrNotChecked) || !strings.Contains(err.Error(), "catalog.db") {
		t.Errorf("%v", err)
	}
}

func TestBadIdentity(t *testing.T) {
	dir := newFolder(t)
	path := filepath.Join(dir, datafolder.FileName)
	for _, text := range []string{"", "{", "[]", `{"version":0,"id":"x"}`, `{"version":1}`} {
		check(t, os.WriteFile(path, []byte(text), 0o600))
		if err := datafolder.Check(dir, datafolder.Options{}); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := datafolder.Register(dir, now); err == nil {
			t.Errorf("%q was replaced", text)
		}
	}
	check(t, os.WriteFile(path, []byte(`{"version":2,"id":"x"}`), 0o600))
	if err := datafolder.Check(dir, datafolder.Options{}); !errors.Is(err, datafolder.ErrNewer) {
		t.Errorf("a newer one: %v", err)
	}
	if _, err := datafolder.AcceptLoss(dir, []string{"catalog"}, now, datafolder.Options{}); !errors.Is(err, datafolder.ErrUnknownPart) {
		t.Errorf("an unknown part: %v", err)
	}
}

func TestUnknown(t *testing.T) {
	dir := newFolder(t)
	for _, name := range []string{"catalog.db-wal", "access.json.lock", "new.json"} {
		check(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	got, err := datafolder.Unknown(dir)
	check(t, err)
	if !slices.Equal(got, []string{"new.json"}) {
		t.Errorf("unknown: %q", got)
	}
}
