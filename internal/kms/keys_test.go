package kms_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/securefile"
)

var now = time.Date(2026, 1, 5, 16, 0, 0, 0, time.UTC)

const (
	account = "1000000000000000"
	other   = "2000000000000000"
)

func open(t testing.TB, dir string, opts kms.Options) *kms.Keys {
	t.Helper()
	k, err := tryOpen(dir, opts)
	must(t, err)
	return k
}

func tryOpen(dir string, opts kms.Options) (*kms.Keys, error) {
	if opts.Now == nil {
		opts.Now = func() time.Time { return now }
	}
	if opts.Master == nil {
		opts.MasterFile = filepath.Join(dir, "master.key")
	}
	return kms.Open(filepath.Join(dir, "keys.json"), opts)
}

func TestWrap(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	k := open(t, dir, kms.Options{})
	named, err := k.Create(account, "reports")
	must(t, err)
	if uuid.Validate(named.ID) != nil || named.Name != "reports" || named.Versions != 1 || named.Disabled || named.Default || !named.Created.Equal(now) {
		t.Errorf("made %+v", named)
	}
	dataKey := kms.NewDataKey()
	wrapped := map[string][]byte{}
	for _, id := range []string{kms.ServiceKey, kms.DefaultKey, named.ID, "reports"} {
		used, w, err := k.Wrap(ctx, account, id, dataKey, []byte("aad"))
		must(t, err)
		if id != kms.DefaultKey && id != "reports" && used != id || bytes.Contains(w, dataKey) {
			t.Errorf("%q: used %q", id, used)
		}
		wrapped[used] = w
	}
	// The default key was made with its first use, and only once.
	if len(wrapped) != 3 || len(k.List()) != 2 {
		t.Errorf("keys %+v, used %d", k.List(), len(wrapped))
	}
	if d, err := k.Get(kms.DefaultKey); err != nil || !d.Default || d.Name != "default" || wrapped[d.ID] == nil {
		t.Errorf("default key %+v, %v", d, err)
	}
	again, _, err := k.Wrap(ctx, account, kms.DefaultKey, dataKey, nil)
	must(t, err)
	if wrapped[again] == nil || len(k.List()) != 2 {
		t.Errorf("another default key: %s", again)
	}

	// After a restart and two rotations everything unwraps.
	k = open(t, dir, kms.Options{})
	ids := slices.Collect(maps.Keys(wrapped))
	for version := 2; version <= 3; version++ {
		for _, id := range ids {
			info, err := k.Rotate(id)
			must(t, err)
			used, w, err := k.Wrap(ctx, account, id, dataKey, []byte("aad"))
			must(t, err)
			if at := 2 + len(id); used != id || info.Versions != version || !bytes.Equal(w[at:at+4], []byte{0, 0, 0, byte(version)}) {
				t.Errorf("rotated %+v, wrapped %x", info, w)
			}
			wrapped[fmt.Sprint(id, " ", version)] = w
		}
	}
	for name, w := range wrapped {
		if got, err := k.Unwrap(ctx, w, []byte("aad")); err != nil || !bytes.Equal(got, dataKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := k.Unwrap(ctx, w, []byte("other")); !errors.Is(err, kms.ErrUnwrap) {
			t.Errorf("%s for another object: %v", name, err)
		}
		for i := range w {
			changed := bytes.Clone(w)
			changed[i] ^= 0x40
			if _, err := k.Unwrap(ctx, changed, []byte("aad")); !errors.Is(err, kms.ErrUnwrap) && !errors.Is(err, kms.ErrNoSuchKey) {
				t.Fatalf("%s, byte %d changed: %v", name, i, err)
			}
		}
	}
	for _, rubbish := range [][]byte{nil, {1}, {2, 0, 0, 0, 0, 1}, {1, 0, 0, 0, 0, 1}, {1, 255, 0, 0, 0, 1}, append([]byte{1, 255}, make([]byte, 300)...)} {
		if _, err := k.Unwrap(ctx, rubbish, nil); !errors.Is(err, kms.ErrUnwrap) && !errors.Is(err, kms.ErrNoSuchKey) {
			t.Errorf("%v: %v", rubbish, err)
		}
	}
}

func TestDisabledKeys(t *testing.T) {
	ctx := t.Context()
	k := open(t, t.TempDir(), kms.Options{})
	_, err := k.Create(account, "reports")
	must(t, err)
	_, w, err := k.Wrap(ctx, account, "reports", kms.NewDataKey(), nil)
	must(t, err)
	if info, err := k.SetDisabled("reports", true); err != nil || !info.Disabled {
		t.Errorf("%+v, %v", info, err)
	}
	if _, _, err := k.Wrap(ctx, account, "reports", kms.NewDataKey(), nil); !errors.Is(err, kms.ErrKeyDisabled) {
		t.Errorf("wrapped with a disabled key: %v", err)
	}
	if _, err := k.Unwrap(ctx, w, nil); !errors.Is(err, kms.ErrKeyDisabled) {
		t.Errorf("unwrapped with a disabled key: %v", err)
	}
	_, err = k.SetDisabled("reports", false)
	must(t, err)
	if _, err := k.Unwrap(ctx, w, nil); err != nil {
		t.Errorf("enabled again: %v", err)
	}
	if _, err := k.SetDisabled(kms.ServiceKey, true); err == nil {
		t.Error("disabled the key of the service")
	}
}

func TestKeysRefuses(t *testing.T) {
	ctx := t.Context()
	k := open(t, t.TempDir(), kms.Options{})
	_, err := k.Create(account, "reports")
	must(t, err)
	for name, want := range map[string]error{
		"reports": kms.ErrKeyExists, kms.ServiceKey: kms.ErrKeyExists, "a b": kms.ErrInvalidName, "ä": kms.ErrInvalidName,
		strings.Repeat("a", 65): kms.ErrInvalidName, uuid.NewString(): kms.ErrInvalidName,
	} {
		if _, err := k.Create(account, name); !errors.Is(err, want) {
			t.Errorf("create %q: %v, want %v", name, err, want)
		}
	}
	for _, id := range []string{"nobody", uuid.NewString(), strings.Repeat("x", 10000)} {
		_, _, wrapErr := k.Wrap(ctx, account, id, kms.NewDataKey(), nil)
		_, getErr := k.Get(id)
		_, rotateErr := k.Rotate(id)
		_, disableErr := k.SetDisabled(id, true)
		for _, err := range []error{wrapErr, getErr, rotateErr, disableErr} {
			if !errors.Is(err, kms.ErrNoSuchKey) || len(err.Error()) > 300 {
				t.Errorf("%.50q: %v", id, err)
			}
		}
	}
	if _, err := k.Get(kms.DefaultKey); !errors.Is(err, kms.ErrNoSuchKey) {
		t.Errorf("default key before its first use: %v", err)
	}
	// Keys without a name cause no conflict; a name may be "default" before the default key is made.
	for _, name := range []string{"", "", "default"} {
		_, err := k.Create(account, name)
		must(t, err)
	}
	used, _, err := k.Wrap(ctx, account, kms.DefaultKey, kms.NewDataKey(), nil)
	must(t, err)
	i := slices.IndexFunc(k.List(), func(i kms.Info) bool { return i.Default })
	if i < 0 || k.List()[i].ID != used || k.List()[i].Name != "" {
		t.Errorf("%+v", k.List())
	}
}

func TestMaster(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	file, keys := filepath.Join(dir, "master.key"), filepath.Join(dir, "keys.json")
	k := open(t, dir, kms.Options{})
	_, w, err := k.Wrap(ctx, account, kms.ServiceKey, []byte("a data key of thirty-two bytes.."), nil)
	must(t, err)
	text, err := os.ReadFile(file)
	must(t, err)
	for _, path := range []string{file, keys} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
	}
	master, err := kms.ParseMaster(string(text))
	must(t, err)
	if b, _ := os.ReadFile(keys); bytes.Contains(b, []byte(base64.StdEncoding.EncodeToString(master))) {
		t.Error("the file of keys holds the master key")
	}

	// The same from the environment.
	if got, err := open(t, dir, kms.Options{Master: master}).Unwrap(ctx, w, nil); err != nil || len(got) != 32 {
		t.Errorf("%v", err)
	}
	// With another master key, or none, nothing is created or lost.
	if _, err := tryOpen(dir, kms.Options{Master: kms.NewDataKey()}); !errors.Is(err, kms.ErrWrongMaster) {
		t.Errorf("another master key: %v", err)
	}
	if _, err := tryOpen(dir, kms.Options{Master: []byte("short")}); !errors.Is(err, kms.ErrInvalidMaster) {
		t.Errorf("short master key: %v", err)
	}
	must(t, os.Remove(file))
	if _, err := tryOpen(dir, kms.Options{}); !errors.Is(err, kms.ErrNoMaster) {
		t.Errorf("without its master key: %v", err)
	}
	must(t, securefile.Replace(file, []byte("rubbish")))
	if _, err := tryOpen(dir, kms.Options{}); !errors.Is(err, kms.ErrInvalidMaster) {
		t.Errorf("rubbish: %v", err)
	}
	must(t, securefile.Replace(file, text))
	if got, err := open(t, dir, kms.Options{}).Unwrap(ctx, w, nil); err != nil || len(got) != 32 {
		t.Errorf("restored: %v", err)
	}
	must(t, os.Chmod(file, 0o644))
	if _, err := tryOpen(dir, kms.Options{}); !errors.Is(err, securefile.ErrTooOpen) {
		t.Errorf("readable by all: %v", err)
	}
	if _, err := kms.Open(filepath.Join(t.TempDir(), "keys.json"), kms.Options{}); !errors.Is(err, kms.ErrNoMaster) {
		t.Errorf("neither master key nor file: %v", err)
	}
	for _, text := range []string{"", "AAAA", strings.Repeat("!", 44), base64.StdEncoding.EncodeToString(make([]byte, 33))} {
		if _, err := kms.ParseMaster(text); !errors.Is(err, kms.ErrInvalidMaster) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, kms.Options{})
	_, err := k.Create(account, "a")
	must(t, err)
	path := filepath.Join(dir, "keys.json")
	good, err := os.ReadFile(path)
	must(t, err)
	for name, text := range map[string]string{
		"not JSON": "{", "two values": string(good) + "{}", "other version": `{"version":3,"keys":[]}`, "unknown": `{"version":1,"x":1}`,
		"empty key":         `{"version":1,"keys":[null]}`,
		"no service":        `{"version":1,"default":"x","keys":[]}`,
		"default":           strings.Replace(string(good), `"keys"`, `"default":"x","keys"`, 1),
		"one for the other": strings.Replace(string(good), `"service"`, `"x"`, 1),
	} {
		must(t, securefile.Replace(path, []byte(text)))
		if _, err := tryOpen(dir, kms.Options{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A server follows changes by the command line; a broken file does not remove keys that
// are in force.
func TestChangesByOthers(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	var log bytes.Buffer
	server := open(t, dir, kms.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	tool := open(t, dir, kms.Options{})
	_, err := tool.Create(account, "reports")
	must(t, err)
	_, w, err := server.Wrap(ctx, account, "reports", kms.NewDataKey(), nil)
	must(t, err)
	_, err = tool.SetDisabled("reports", true)
	must(t, err)
	if _, err := server.Unwrap(ctx, w, nil); !errors.Is(err, kms.ErrKeyDisabled) {
		t.Errorf("disabled by another: %v", err)
	}
	_, err = server.SetDisabled("reports", false)
	must(t, err)
	must(t, securefile.Replace(filepath.Join(dir, "keys.json"), []byte("{")))
	for range 3 {
		if _, err := server.Unwrap(ctx, w, nil); err != nil {
			t.Errorf("with a broken file: %v", err)
		}
	}
	for !strings.Contains(log.String(), "cannot read the changed") { // the server may trust what it saw for a millisecond
		_, err := server.Unwrap(ctx, w, nil)
		must(t, err)
	}
	_, err = server.Unwrap(ctx, w, nil)
	must(t, err)
	if n := strings.Count(log.String(), "cannot read the changed"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
}

// Many concurrent first uses, by two processes, create one default key.
func TestOneDefaultKey(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	both := []*kms.Keys{open(t, dir, kms.Options{}), open(t, dir, kms.Options{})}
	var mu sync.Mutex
	used := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id, _, err := both[i%2].Wrap(ctx, account, kms.DefaultKey, kms.NewDataKey(), nil)
			mu.Lock()
			defer mu.Unlock()
			used[id] = true
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(used) != 1 {
		t.Errorf("default keys %v", used)
	}
}

func TestChangeIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, kms.Options{})
	broken := errors.New("disk full")
	k.FailReplace(broken)
	if _, err := k.Create(account, "reports"); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, _, err := k.Wrap(t.Context(), account, kms.DefaultKey, kms.NewDataKey(), nil); !errors.Is(err, broken) {
		t.Errorf("default key: %v", err)
	}
	if len(k.List()) != 0 || len(open(t, dir, kms.Options{}).List()) != 0 {
		t.Error("a key is there")
	}
}

func BenchmarkWrap(b *testing.B) {
	k := open(b, b.TempDir(), kms.Options{})
	dataKey := kms.NewDataKey()
	b.ReportAllocs()
	for b.Loop() {
		_, w, err := k.Wrap(b.Context(), account, kms.ServiceKey, dataKey, nil)
		must(b, err)
		_, err = k.Unwrap(b.Context(), w, nil)
		must(b, err)
	}
}

// The key of an account encrypts for that account, under its id and its name; the
// keys of the service and the default key for everyone. Any caller
// that has a wrapped key may unwrap it: the owner of the object was checked before.
func TestKeysHaveAccounts(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	k := open(t, dir, kms.Options{Account: account})
	named, err := k.Create(account, "reports")
	must(t, err)
	_, wrapped, err := k.Wrap(ctx, account, "reports", kms.NewDataKey(), nil)
	must(t, err)
	_, missing := k.Get("none")
	for _, id := range []string{named.ID, "reports"} {
		_, _, err := k.Wrap(ctx, other, id, kms.NewDataKey(), nil)
		if !errors.Is(err, kms.ErrNoSuchKey) || strings.Replace(err.Error(), id, "none", 1) != missing.Error() {
			t.Errorf("%s: %v", id, err)
		}
	}
	first, _, err := k.Wrap(ctx, account, kms.DefaultKey, kms.NewDataKey(), nil)
	must(t, err)
	for _, id := range []string{kms.ServiceKey, kms.DefaultKey, first} {
		_, _, err := k.Wrap(ctx, other, id, kms.NewDataKey(), nil)
		must(t, err)
	}
	if _, err := k.Unwrap(ctx, wrapped, nil); err != nil {
		t.Error(err)
	}
}
