package kms_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/stocktake/stocktake/internal/kms"
)

// While a file of master keys has a new and a former one, keys are wrapped with the
// one in use, so that processes with the former alone can read them; RotateMaster changes
// that in one step.
func TestRotateMaster(t *testing.T) {
	dir := t.TempDir()
	former, next := bytes.Repeat([]byte{1}, kms.MasterSize), bytes.Repeat([]byte{2}, kms.MasterSize)
	both := slices.Concat(next, former)
	with := func(master []byte) *kms.Keys { t.Helper(); return open(t, dir, kms.Options{Master: master}) }
	only := with(former)
	key, err := only.Create("1", "backups")
	if err != nil {
		t.Fatal(err)
	}
	dataKey, aad := kms.NewDataKey(), []byte("aad")
	_, wrapped, err := only.Wrap(t.Context(), "1", key.ID, dataKey, aad)
	if err != nil {
		t.Fatal(err)
	}
	reads := func(k *kms.Keys) {
		t.Helper()
		if got, err := k.Unwrap(t.Context(), wrapped, aad); err != nil || !bytes.Equal(got, dataKey) {
			t.Errorf("%x, %v", got, err)
		}
	}
	k := with(both)
	reads(k)
	if _, err := k.Rotate("backups"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Create("1", "more"); err != nil {
		t.Fatal(err)
	}
	reads(with(former)) // also what was made by the process with both
	failure := errors.New("the disk is full")
	k.FailReplace(failure)
	if changed, err := k.RotateMaster(); !errors.Is(err, failure) || changed {
		t.Errorf("%v, %v", changed, err)
	}
	reads(with(former))
	k = with(both)
	for _, want := range []bool{true, false} {
		if changed, err := k.RotateMaster(); err != nil || changed != want {
			t.Errorf("%v, %v, want %v", changed, err, want)
		}
	}
	reads(with(next))
	reads(with(both))
	reads(k)
	if _, err := tryOpen(dir, kms.Options{Master: former}); !errors.Is(err, kms.ErrWrongMaster) {
		t.Errorf("with the former key: %v", err)
	}
	if _, err := with(next).Rotate("more"); err != nil {
		t.Error(err)
	}
	reads(with(next))
}

func TestParseMasters(t *testing.T) {
	const one, two = "c3RvY2t0YWtlIHRlc3RzOiBhIG1hc3RlciBrZXkuLi4=", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for text, keys := range map[string]int{
		one: 1, one + "\n": 1, one + "\n" + two + "\n": 2, " " + two + "  " + one: 2,
		"": 0, "\n": 0, one + "\nx": 0, one + one: 0,
	} {
		master, err := kms.ParseMaster(text)
		if len(master) != keys*kms.MasterSize || (err == nil) != (keys > 0) {
			t.Errorf("%q: %d bytes, %v", text, len(master), err)
		}
	}
}
