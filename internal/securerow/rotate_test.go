package securerow_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/internal/securerow"
)

// openWith opens the table with other master keys.
func openWith(t *testing.T, address, host string, masters ...string) (*securerow.Table, error) {
	t.Helper()
	return securerow.Open(t.Context(), connect(t, address), []byte(strings.Join(masters, "")), names,
		securerow.Options{Host: host, Writer: "tester@" + host, Log: slog.New(slog.DiscardHandler)})
}

func read(t *testing.T, table *securerow.Table, name string) string {
	t.Helper()
	document, err := table.Row(name).Read()
	if err != nil {
		t.Error(err)
	}
	return string(document)
}

// Either all documents are sealed with the new master key in one step, or none is. None is
// while a process that could not read them follows them.
func TestRotate(t *testing.T) {
	address := database(t)
	former, next := string(master), strings.Repeat("n", 32)
	must := func(host string, masters ...string) *securerow.Table {
		t.Helper()
		table, err := openWith(t, address, host, masters...)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	old := must("old", former)
	for _, name := range []string{"one", "two"} {
		if _, err := old.Row(name).Update(put(name)); err != nil {
			t.Fatal(err)
		}
	}
	both := must("both", next, former)
	if _, err := both.Row("one").Update(put("one again")); err != nil { // with the key in use
		t.Fatal(err)
	}
	if got := read(t, must("old too", former), "one"); got != "one again" {
		t.Errorf("a process with the former key reads %q", got)
	}
	for _, table := range []*securerow.Table{old, both} {
		if err := table.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop := serve(t, old)
	serve(t, both)
	rewraps := 0
	rewrap := map[string]func([]byte) ([]byte, error){"two": func(data []byte) ([]byte, error) {
		rewraps++
		return fmt.Append(nil, string(data), " rewrapped"), nil
	}}
	_, err := both.Rotate(t.Context(), rewrap)
	if refused, ok := errors.AsType[*securerow.MasterUnknownError](err); !ok || !slices.Equal(refused.Hosts, []string{"old"}) {
		t.Errorf("%v", err)
	}
	if got := read(t, must("old too", former), "two"); got != "two" {
		t.Errorf("after a refusal, %q is there", got)
	}
	stop()
	proxy := server.NewProxy(t)
	proxy.DropCommits(100) // as if the process had been killed before its commit
	if cut, err := openWith(t, proxy.Address(t, address), "cut", next, former); err != nil {
		t.Fatal(err)
	} else if _, err := cut.Rotate(t.Context(), rewrap); err == nil {
		t.Error("a rotation that was not committed has succeeded")
	}
	if got := read(t, must("old too", former), "one"); got != "one again" {
		t.Errorf("after a rotation that was not committed, %q is there", got)
	}
	rewraps = 0
	for _, want := range [][]string{{"one", "two"}, nil} {
		if changed, err := must("rotates", next, former).Rotate(t.Context(), rewrap); err != nil || !slices.Equal(changed, want) {
			t.Errorf("%q, %v, want %q", changed, err, want)
		}
	}
	if rewraps != 1 {
		t.Errorf("%d documents were wrapped again, want 1", rewraps)
	}
	fresh := must("new", next)
	if one, two := read(t, fresh, "one"), read(t, fresh, "two"); one != "one again" || two != "two rewrapped" {
		t.Errorf("%q, %q", one, two)
	}
	if behind, err := fresh.AwaitReaders(t.Context(), "two", time.Minute); err != nil || len(behind) > 0 {
		t.Errorf("%q do not read what is sealed with the new key, %v", behind, err)
	}
	if _, err := both.Row("two").Update(put("later")); err != nil {
		t.Error(err)
	}
	if got := read(t, must("newer", next), "two"); got != "later" {
		t.Errorf("%q", got)
	}
	if _, err := openWith(t, address, "old", former); !errors.Is(err, securerow.ErrOtherMaster) {
		t.Errorf("with the former key: %v", err)
	}
}
